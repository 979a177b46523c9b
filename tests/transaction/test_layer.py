"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3, §9.2, §8.2.2.2), and the tables."""

from __future__ import annotations

import attrs
import pytest

from sipstack.errors import FlowClosed, LocalProtocolError
from sipstack.message import Request
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.transaction.machine import State
from sipstack.transaction.requests import ack_for
from sipstack.transaction.timers import NEVER
from tests.transaction.examples import TIMERS, UDP, User, request, response


@attrs.define
class Bench:
    """A layer, and what it sent."""

    sent: list[tuple[Flow, str]] = attrs.Factory(list)
    layer: TransactionLayer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.layer = TransactionLayer(TIMERS, self._transmit)

    def _transmit(self, flow: Flow, data: bytes) -> None:
        self.sent.append((flow, data.decode().split("\r\n")[0]))

    @property
    def lines(self) -> list[str]:
        """The start lines sent since the last look."""
        lines = [line.removesuffix(" SIP/2.0").removeprefix("SIP/2.0 ") for _, line in self.sent]
        self.sent.clear()
        return lines

    def receive(self, message: Request, now: float = 0.0) -> AnyServer | None:
        return self.layer.receive_request(message, UDP, now)

    def opened(self, message: Request, now: float = 0.0) -> AnyServer:
        transaction = self.receive(message, now)
        assert transaction is not None
        return transaction

    def respond(self, transaction: AnyServer, to: Request, status: int, now: float = 0.0) -> None:
        self.layer.respond(transaction, response(to, status), now)

    def start(self, message: Request, branch: str, user: User, flow: Flow = UDP, now: float = 0.0) -> None:
        self.layer.request(message, branch, flow, user, now)

    def pass_time(self, now: float) -> None:
        self.layer.timeout(now)


INVITE = request("INVITE")


# --- server side ---


def test_the_same_request_again_is_answered_with_the_same_response() -> None:
    bench, options = Bench(), request("OPTIONS")
    transaction = bench.opened(options)
    assert bench.receive(options) is None
    assert bench.lines == []
    bench.respond(transaction, options, 200)
    assert bench.receive(options) is None
    assert bench.lines == ["200 OK", "200 OK"]


@pytest.mark.parametrize(
    "other",
    [
        request("OPTIONS", branch="z9hG4bK2"),
        request("OPTIONS", Via="SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1"),
        request("OPTIONS", Via="SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1"),
        request("MESSAGE"),
    ],
    ids=["other branch", "other sent-by host", "other sent-by port", "other method"],
)
def test_another_transaction_by_branch_sent_by_or_method(other: Request) -> None:
    bench = Bench()
    first = bench.opened(request("OPTIONS"))
    assert bench.opened(other) is not first
    assert len(bench.layer.servers) == 2


def test_the_sent_by_is_compared_without_regard_to_case() -> None:
    bench = Bench()
    bench.opened(request("OPTIONS", Via="SIP/2.0/UDP PC.example.com;branch=z9hG4bK1"))
    assert bench.receive(request("OPTIONS", Via="SIP/2.0/UDP pc.EXAMPLE.com;branch=z9hG4bK1")) is None


OLD_VIAS = {
    "no branch": "SIP/2.0/UDP 192.0.2.1:5060",
    "an old branch": "SIP/2.0/UDP 192.0.2.1:5060;branch=1",
    "the bare cookie": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK",
}


@pytest.mark.parametrize("via", OLD_VIAS.values(), ids=OLD_VIAS)
def test_an_rfc_2543_request_is_matched_by_its_fields(via: str) -> None:
    bench = Bench()
    bench.opened(request("INVITE", Via=via))
    assert bench.receive(request("INVITE", Via=via)) is None
    for other in (
        request("INVITE", Via=via, CSeq="2 INVITE"),
        request("INVITE", Via=via, Call_ID="call-2"),
        request("INVITE", Via=via, From="<sip:alice@example.com>;tag=a2"),
        request("INVITE", Via=via.replace("192.0.2.1", "192.0.2.9")),
    ):
        assert bench.receive(other) is not None
    assert len(bench.layer.servers) == 5


@pytest.mark.parametrize("via", OLD_VIAS.values(), ids=OLD_VIAS)
def test_ack_and_cancel_of_an_rfc_2543_peer_find_the_invite(via: str) -> None:
    bench, invite = Bench(), request("INVITE", Via=via)
    transaction = bench.opened(invite)
    assert bench.layer.invite_to_cancel(request("CANCEL", Via=via)) is transaction
    bench.respond(transaction, invite, 486)
    ack = request("ACK", Via=via, To="<sip:bob@example.com>;tag=b1")
    assert bench.layer.receive_ack(ack, 0.1) is True
    assert transaction.state is State.CONFIRMED


def test_the_ack_of_a_refusal_is_dealt_with_here() -> None:
    bench = Bench()
    transaction = bench.opened(INVITE)
    bench.respond(transaction, INVITE, 486)
    ack = ack_for(INVITE, response(INVITE, 486))
    assert bench.layer.receive_ack(ack, 0.1) is True
    assert bench.layer.receive_ack(ack, 0.2) is True
    assert transaction.state is State.CONFIRMED


def test_the_ack_of_a_2xx_is_for_the_dialog_even_with_the_branch_of_the_invite() -> None:
    bench = Bench()
    bench.respond(bench.opened(INVITE), INVITE, 200)
    assert bench.layer.receive_ack(request("ACK"), 0.1) is False
    assert bench.layer.receive_ack(request("ACK", branch="z9hG4bK2"), 0.1) is False


def test_an_ack_for_something_else_than_an_invite_is_no_business_of_a_transaction() -> None:
    bench = Bench()
    bench.opened(request("OPTIONS"))
    assert bench.layer.receive_ack(request("ACK"), 0.1) is False


def test_cancel_finds_its_invite_and_is_a_transaction_of_its_own() -> None:
    bench, cancel = Bench(), request("CANCEL")
    invite = bench.opened(INVITE)
    assert bench.opened(cancel) is not invite
    assert bench.layer.invite_to_cancel(cancel) is invite


@pytest.mark.parametrize("other", [request("CANCEL", branch="z9hG4bK2"), request("CANCEL", Call_ID="call-2")])
def test_cancel_for_something_unknown_finds_nothing(other: Request) -> None:
    bench = Bench()
    bench.opened(INVITE)
    bench.opened(request("OPTIONS", branch="z9hG4bK2"))
    assert bench.layer.invite_to_cancel(other) is None


def test_a_request_that_came_by_another_way_is_merged() -> None:
    bench = Bench()
    first = bench.opened(INVITE)
    assert bench.layer.is_merged(INVITE, first) is False
    copy = request("INVITE", branch="z9hG4bK2")
    second = bench.opened(copy)
    assert bench.layer.is_merged(copy, second) is True
    retry = request("INVITE", branch="z9hG4bK3", CSeq="2 INVITE")
    assert bench.layer.is_merged(retry, bench.opened(retry)) is False


def test_once_the_first_is_over_a_copy_is_not_merged_any_more() -> None:
    bench, message = Bench(), request("MESSAGE")
    first = bench.opened(message)
    assert bench.layer.is_merged(message, first) is False
    bench.respond(first, message, 200)
    bench.pass_time(32.0)
    copy = request("MESSAGE", branch="z9hG4bK2")
    assert bench.layer.is_merged(copy, bench.opened(copy, 33.0)) is False


def test_a_known_request_is_told_from_a_new_one() -> None:
    bench = Bench()
    bench.opened(INVITE)
    asked = [INVITE, request("INVITE", branch="z9hG4bK2"), request("CANCEL")]
    assert [bench.layer.is_known(message) for message in asked] == [True, False, False]


def test_two_final_responses_are_a_mistake_of_ours() -> None:
    bench, options = Bench(), request("OPTIONS")
    transaction = bench.opened(options)
    bench.respond(transaction, options, 200)
    with pytest.raises(LocalProtocolError, match="200 after the final response"):
        bench.respond(transaction, options, 200)
    assert bench.lines == ["200 OK"]


def test_over_a_reliable_flow_an_answered_request_leaves_nothing_behind() -> None:
    bench, options = Bench(), request("OPTIONS")
    transaction = bench.layer.receive_request(options, attrs.evolve(UDP, reliable=True), 0.0)
    assert transaction is not None
    assert bench.layer.is_merged(options, transaction) is False
    bench.respond(transaction, options, 200)
    assert (len(bench.layer), bench.layer.deadlines.next) == (0, NEVER)


# --- client side ---


def test_responses_are_matched_by_branch_and_method() -> None:
    bench, alice, other = Bench(), User(), User()
    bench.start(INVITE, "z9hG4bK1", alice)
    bench.start(request("CANCEL"), "z9hG4bK1", other)
    assert bench.layer.receive_response(response(INVITE, 180), 0.1) is True
    assert bench.layer.receive_response(response(request("CANCEL"), 200), 0.2) is True
    assert bench.layer.receive_response(response(request("INVITE", branch="z9hG4bK2"), 200), 0.3) is False
    assert bench.layer.receive_response(response(request("OPTIONS"), 200), 0.3) is False
    assert (alice.heard, other.heard) == ([(0.1, 180)], [(0.2, 200)])


def test_every_2xx_of_a_fork_is_delivered() -> None:
    bench, alice = Bench(), User()
    bench.start(INVITE, "z9hG4bK1", alice)
    for tag in ("b1", "b2", "b1"):
        assert bench.layer.receive_response(response(INVITE, 200, tag), 0.1) is True
    assert alice.heard == [(0.1, 200)] * 3


def test_a_failed_flow_ends_what_waits_on_it_and_nothing_else() -> None:
    bench, elsewhere = Bench(), attrs.evolve(UDP, remote=("192.0.2.3", 5060))
    waiting, ringing, far = User(), User(), User()
    bench.start(request("OPTIONS"), "z9hG4bK1", waiting)
    bench.start(request("INVITE", branch="z9hG4bK2"), "z9hG4bK2", ringing)
    bench.layer.receive_response(response(request("INVITE", branch="z9hG4bK2"), 180), 0.1)
    bench.start(request("OPTIONS", branch="z9hG4bK3"), "z9hG4bK3", far, elsewhere)
    bench.layer.flow_failed(UDP, FlowClosed("refused"), 0.2)
    bench.layer.flow_failed(UDP, FlowClosed("refused"), 0.3)
    assert (waiting.heard, ringing.heard, far.heard) == ([(0.2, "FlowClosed")], [(0.1, 180)], [])
    assert len(bench.layer) == 2


def test_a_user_may_start_a_transaction_from_within_its_callback() -> None:
    """As an answer to a challenge or a failover does."""
    bench, alice = Bench(), User()
    again = request("OPTIONS", branch="z9hG4bK2")

    def try_again() -> None:
        alice.act = lambda: None
        bench.start(again, "z9hG4bK2", alice, now=0.1)

    alice.act = try_again
    bench.start(request("OPTIONS"), "z9hG4bK1", alice)
    bench.layer.flow_failed(UDP, FlowClosed("refused"), 0.1)
    assert bench.layer.receive_response(response(again, 200), 0.2) is True
    assert alice.heard == [(0.1, "FlowClosed"), (0.2, 200)]
    assert bench.lines == ["OPTIONS sip:bob@192.0.2.2"] * 2


def test_a_new_transaction_from_within_a_flow_failure_is_not_failed_with_the_others() -> None:
    bench, alice, bob = Bench(), User(), User()
    alice.act = lambda: bench.start(request("OPTIONS", branch="z9hG4bK2"), "z9hG4bK2", bob, now=0.1)
    bench.start(request("OPTIONS"), "z9hG4bK1", alice)
    bench.layer.flow_failed(UDP, FlowClosed("refused"), 0.1)
    assert (alice.heard, bob.heard) == ([(0.1, "FlowClosed")], [])


def test_an_unanswered_request_is_repeated_then_reported_then_forgotten() -> None:
    bench, alice = Bench(), User()
    bench.start(INVITE, "z9hG4bK1", alice)
    while bench.layer.deadlines.next < 1000:
        bench.pass_time(bench.layer.deadlines.next)
    assert bench.lines == ["INVITE sip:bob@192.0.2.2"] * 7
    assert alice.heard == [(32.0, "TransactionTimeout")]
    assert (len(bench.layer), bench.layer.deadlines.next) == (0, NEVER)


def test_its_repr_tells_what_is_alive() -> None:
    bench = Bench()
    bench.opened(request("OPTIONS"))
    assert "ServerTransaction TRYING" in repr(bench.layer)
