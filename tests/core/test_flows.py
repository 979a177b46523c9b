"""Requests and connections: what goes over which flow, and what becomes of it when a connection is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import (
    Answered,
    Ended,
    Event,
    Failed,
    InvitationReceived,
    Routed,
    Unanswered,
)
from sipstack.core.outputs import Close, Flow, Open, Output, Target, Transmit, Transport
from sipstack.dialog.identity import Identity
from sipstack.errors import CallEnded, FlowClosed, TransactionTimeout, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Request, parse
from sipstack.message.digest import DigestAccount
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.testing.ladders import shown
from sipstack.usage.invite.session import Session
from tests.core.names import LOOK_UP, NAME, found

HERE = ("192.0.2.1", 5060)
BOB = "sip:bob@example.com;transport=toy"
ONE, TWO = (Target("TOY", (f"198.51.100.{number}", 5060)) for number in (1, 2))
NUMERIC = f"sip:bob@{ONE.address[0]};transport=toy"
GONE = FlowClosed("connection reset")
CONTACT = ("Contact", f"<{BOB}>")


def connection(target: Target, number: int) -> Flow:
    return Flow("TOY", HERE, target.address, reliable=True, connection=number)


FIRST, SECOND = connection(ONE, 1), connection(ONE, 2)
"""Two connections between the same addresses, one after the other."""


class Bench:
    """A core that speaks a stream transport; the test is its driver."""

    def __init__(self) -> None:
        identity = Identity("<sip:alice@example.com>", "alice", (DigestAccount("alice", "secret"),))
        self.core = Core(Configuration(identity), Identifiers(random.Random(1)))
        self.core.speak(Transport("TOY", reliable=True))
        self.requests: list[Request] = []

    def call(self, target: str = BOB) -> None:
        self.core.outgoing(target).start(0.0)

    def offer(self) -> None:
        """Give the INVITE its offer, after Routed."""
        (event,) = self.told()
        assert isinstance(event, Routed)
        event.outgoing.offer(OFFER, 0.0)

    def told(self) -> list[Event]:
        """The events since the last look."""
        told = list(self.core.events)
        self.core.events.clear()
        return told

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told()]

    def outputs(self) -> list[Output | tuple[int, str]]:
        """What the driver has to do since the last look; a message with the number of its connection."""
        done: list[Output | tuple[int, str]] = []
        while self.core.outputs:
            output = self.core.outputs.popleft()
            if isinstance(output, Transmit):
                done.append((output.flow.connection, shown(output.data)))
                message = parse(output.data)
                if isinstance(message, Request):
                    self.requests.append(message)
            else:
                done.append(output)
        return done

    def answer(self, flow: Flow, status: int, *headers: tuple[str, str], now: float = 0.0) -> None:
        """The peer responds to the latest request."""
        body = ANSWER if status == 200 and self.requests[-1].method == "INVITE" else b""
        content = (("Content-Type", "application/sdp"),) if body else ()
        response = self.requests[-1].response(
            status, to_tag="peer", headers=(CONTACT, *headers, *content), body=body
        )
        self.core.receive(flow, bytes(response), now)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def routed(bench: Bench, *, target: str = BOB) -> None:
    """Alice's INVITE has its flow, which is FIRST."""
    bench.call(target)
    if target == BOB:
        found(bench.core.router, NAME, [ONE], 0.0)
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.outputs()


def calling(bench: Bench, *, target: str = BOB) -> None:
    """Alice's INVITE has gone out over FIRST."""
    routed(bench, target=target)
    bench.offer()
    assert bench.outputs() == [(1, f"INVITE {target} [1]")]


def established(bench: Bench) -> Answered:
    calling(bench)
    bench.answer(FIRST, 200)
    (event,) = bench.told()
    assert isinstance(event, Answered)
    return event


# --- an INVITE is routed first, then offered ---


def test_its_flow_is_told_before_anything_is_sent(bench: Bench) -> None:
    bench.call()
    assert (bench.outputs(), bench.told()) == (LOOK_UP, [])
    found(bench.core.router, NAME, [ONE], 0.0)
    assert (bench.outputs(), bench.told()) == ([Open(ONE)], [])
    bench.core.flow_opened(ONE, FIRST, 0.0)
    (event,) = bench.told()
    assert isinstance(event, Routed)
    assert (event.flow, event.flow.connection, bench.outputs()) == (FIRST, 1, [])
    assert bench.core.deadline == float("inf")  # no transaction yet: the user agent takes its time
    event.outgoing.offer(OFFER, 100.0)
    assert bench.outputs() == [(1, f"INVITE {BOB} [1]")]
    assert bench.core.deadline == 132.0  # Timer B, and nothing before it


def asking(bench: Bench) -> None:
    pass


def opening(bench: Bench) -> None:
    found(bench.core.router, NAME, [ONE, TWO], 0.0)


def opening_another(bench: Bench) -> None:
    opening(bench)
    bench.core.flow_refused(ONE, TransportError("refused"), 0.0)


@pytest.mark.parametrize("step", [asking, opening, opening_another])
def test_given_up_while_it_is_routed(bench: Bench, step: Callable[[Bench], None]) -> None:
    outgoing = bench.core.outgoing(BOB)
    outgoing.start(0.0)
    step(bench)
    outgoing.cancel(0.0)
    (event,) = bench.told()
    assert isinstance(event, Failed)
    assert isinstance(event.error, CallEnded)
    bench.outputs()
    found(bench.core.router, NAME, [ONE, TWO], 1.0)
    bench.core.flow_opened(ONE, FIRST, 1.0)
    bench.core.flow_opened(TWO, connection(TWO, 2), 1.0)
    assert (bench.outputs(), bench.told(), bench.core.leftovers()) == ([], [], [])


def test_given_up_before_the_offer(bench: Bench) -> None:
    outgoing = bench.core.outgoing(BOB)
    outgoing.start(0.0)
    found(bench.core.router, NAME, [ONE], 0.0)
    bench.core.flow_opened(ONE, FIRST, 0.0)
    outgoing.cancel(0.0)
    outgoing.offer(OFFER, 1.0)
    assert bench.kinds() == ["Routed", "Failed"]
    assert (bench.outputs(), bench.core.leftovers()) == ([*LOOK_UP, Open(ONE)], [])


@pytest.mark.parametrize("target", [BOB, NUMERIC])
def test_the_connection_is_lost_before_the_offer(bench: Bench, target: str) -> None:
    routed(bench, target=target)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    assert bench.outputs() == []
    bench.offer()
    assert bench.outputs() == [Open(ONE)]
    bench.core.flow_opened(ONE, SECOND, 0.0)
    assert bench.outputs() == [(2, f"INVITE {target} [1]")]
    assert bench.told() == []  # asked once


def test_the_connection_is_lost_before_the_offer_and_cannot_be_had_again(bench: Bench) -> None:
    routed(bench)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    bench.offer()
    bench.core.flow_refused(ONE, TransportError("refused"), 0.0)
    (event,) = bench.told()
    assert isinstance(event, Failed)
    assert (str(event.error), bench.core.leftovers()) == ("refused", [])


def test_a_known_connection_is_lost_before_the_offer(bench: Bench) -> None:
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.core.router.destination(NUMERIC)
    bench.call(NUMERIC)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    bench.offer()
    assert bench.outputs() == [Open(ONE)]
    bench.core.flow_opened(ONE, SECOND, 0.0)
    assert bench.outputs() == [(2, f"INVITE {NUMERIC} [1]")]


def test_one_look_up_serves_a_whole_call_to_one_next_hop(bench: Bench) -> None:
    """INVITE, its credentials, ACK, re-INVITE and BYE all take the dialog's way."""
    bench.call()
    found(bench.core.router, NAME, [ONE, TWO], 0.0)
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.offer()
    assert bench.outputs() == [*LOOK_UP, Open(ONE), (1, f"INVITE {BOB} [1]")]
    bench.answer(FIRST, 401, ("WWW-Authenticate", 'Digest realm="x", nonce="1"'))
    assert bench.outputs() == [(1, f"ACK {BOB} [1]"), (1, f"INVITE {BOB} [2]")]
    bench.answer(FIRST, 200)
    (event,) = bench.told()
    assert isinstance(event, Answered)
    event.session.reoffer(OFFER, 1.0)
    assert bench.outputs() == [(1, f"ACK {BOB} [2]"), (1, f"INVITE {BOB} [3]")]
    bench.answer(FIRST, 200)
    event.session.hang_up(1.0)
    assert bench.outputs() == [(1, f"ACK {BOB} [3]"), (1, f"BYE {BOB} [4]")]


def test_the_dialog_takes_the_way_of_the_target_that_answered(bench: Bench) -> None:
    bench.call()
    found(bench.core.router, NAME, [ONE, TWO], 0.0)
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.offer()
    bench.core.flow_failed(FIRST, GONE, 0.0)
    other = connection(TWO, 2)
    bench.core.flow_opened(TWO, other, 0.0)
    assert bench.outputs()[4:] == [Open(TWO), (2, f"INVITE {BOB} [1]")]
    bench.answer(other, 200)
    assert bench.outputs() == [(2, f"ACK {BOB} [1]")]


def test_a_target_that_is_lost_with_its_request_is_followed_by_the_next(bench: Bench) -> None:
    bench.core.standalone("OPTIONS", BOB).start(0.0)
    found(bench.core.router, NAME, [attrs.evolve(ONE, priority=20), attrs.evolve(TWO, priority=10)], 0.0)
    bench.core.flow_refused(TWO, TransportError("refused"), 0.0)
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    assert bench.outputs() == [*LOOK_UP, Open(TWO), Open(ONE), (1, f"OPTIONS {BOB} [1]")]
    (event,) = bench.told()
    assert isinstance(event, Unanswered)
    assert (event.error, bench.core.leftovers()) == (GONE, [])


# --- a connection is lost ---


def test_requests_under_way_fail_at_once(bench: Bench) -> None:
    """But for one that has taken a connection from before, of whose end the peer may just have told."""
    calling(bench)
    bench.core.standalone("OPTIONS", NUMERIC).start(0.0)
    message = bench.core.standalone("MESSAGE", NUMERIC)
    message.start(0.0)
    bench.outputs()
    bench.answer(FIRST, 100)  # the MESSAGE
    bench.core.flow_failed(FIRST, GONE, 1.0)
    failed, unanswered = bench.told()
    assert isinstance(failed, Failed)
    assert isinstance(unanswered, Unanswered)
    assert (failed.error, unanswered.error) == (GONE, GONE)
    assert unanswered.standalone is message
    assert bench.outputs() == [Open(ONE)]
    bench.core.flow_opened(ONE, SECOND, 1.0)
    assert bench.outputs() == [(2, f"OPTIONS {NUMERIC} [1]")]
    bench.core.flow_failed(SECOND, GONE, 2.0)  # which was opened for it: once is enough
    assert (bench.kinds(), bench.outputs(), bench.core.leftovers()) == (["Unanswered"], [], [])


def test_a_connection_that_ends_says_nothing_against_its_target(bench: Bench) -> None:
    """A server closes connections that are idle: it is no suspect for that."""
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.core.standalone("OPTIONS", BOB).start(0.0)
    found(bench.core.router, NAME, [ONE, TWO], 0.0)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    assert bench.outputs() == [*LOOK_UP, (1, f"OPTIONS {BOB} [1]"), Open(ONE)]
    assert len(bench.core.router.suspects) == 0


def test_an_invite_that_rings_fails_too(bench: Bench) -> None:
    """Its response was to come over the connection."""
    calling(bench)
    bench.answer(FIRST, 180)
    bench.core.flow_failed(FIRST, GONE, 1.0)
    assert (bench.kinds(), bench.outputs(), bench.core.leftovers()) == (["Progressed", "Failed"], [], [])


def test_a_reinvite_that_waits_for_its_answer_ends_the_call(bench: Bench) -> None:
    """Nobody knows whether the peer has taken it: BYE says so, over another connection."""
    session = established(bench).session
    session.reoffer(OFFER, 1.0)
    bench.outputs()
    bench.answer(FIRST, 100)
    bench.core.flow_failed(FIRST, GONE, 2.0)
    found(bench.core.router, NAME, [ONE], 2.0)
    bench.core.flow_opened(ONE, SECOND, 2.0)
    assert bench.outputs() == [*LOOK_UP, Open(ONE), (2, f"BYE {BOB} [3]")]
    (event,) = bench.told()
    assert isinstance(event, Ended)
    assert event.by == "transport"


def test_an_answer_that_is_complete_stays_so(bench: Bench) -> None:
    calling(bench)
    bench.answer(FIRST, 486)
    bench.core.flow_failed(FIRST, GONE, 1.0)
    assert bench.kinds() == ["Refused"]


def test_a_challenge_whose_connection_is_closed_behind_it(bench: Bench) -> None:
    calling(bench)
    bench.core.router.close(FIRST)  # the transaction has not heard of it yet
    bench.answer(FIRST, 401, ("WWW-Authenticate", 'Digest realm="x", nonce="1"'))
    assert bench.outputs() == [Close(FIRST), (1, f"ACK {BOB} [1]"), Open(ONE)]
    bench.core.flow_opened(ONE, SECOND, 0.0)
    assert bench.outputs() == [(2, f"INVITE {BOB} [2]")]


def test_closing_a_connection_fails_its_requests(bench: Bench) -> None:
    calling(bench)
    bench.core.router.close(FIRST)
    bench.core.flow_failed(FIRST, FlowClosed("closed"), 0.0)
    assert (bench.outputs(), bench.kinds(), bench.core.leftovers()) == ([Close(FIRST)], ["Failed"], [])


def test_late_news_of_an_old_connection_fails_nothing_on_its_successor(bench: Bench) -> None:
    bench.core.flow_opened(ONE, FIRST, 0.0)
    bench.core.flow_failed(FIRST, GONE, 0.0)
    bench.core.flow_opened(ONE, SECOND, 1.0)
    bench.core.standalone("OPTIONS", NUMERIC).start(1.0)
    bench.core.flow_failed(FIRST, GONE, 2.0)
    assert (bench.outputs(), bench.told()) == ([(2, f"OPTIONS {NUMERIC} [1]")], [])
    bench.answer(SECOND, 200, now=3.0)
    assert bench.kinds() == ["ResponseReceived"]
    bench.core.standalone("OPTIONS", NUMERIC).start(3.0)
    assert bench.outputs() == [(2, f"OPTIONS {NUMERIC} [1]")]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_nothing_is_repeated_over_a_connection(bench: Bench, method: str) -> None:
    if method == "INVITE":
        calling(bench, target=NUMERIC)
    else:
        bench.core.standalone(method, NUMERIC).start(0.0)
        bench.core.flow_opened(ONE, FIRST, 0.0)
        bench.outputs()
    assert bench.core.deadline == 32.0
    bench.core.timeout(32.0)
    (event,) = bench.told()
    assert isinstance(event, Failed | Unanswered)
    assert isinstance(event.error, TransactionTimeout)
    assert (bench.outputs(), bench.core.leftovers()) == ([], [])


# --- inside a dialog ---


def test_the_dialogs_connection_is_lost_and_its_next_request_opens_another(bench: Bench) -> None:
    session = established(bench).session
    bench.outputs()
    bench.core.flow_failed(FIRST, GONE, 10.0)
    assert (bench.outputs(), bench.told()) == ([], [])  # the call lives
    session.hang_up(20.0)
    assert bench.outputs() == LOOK_UP
    found(bench.core.router, NAME, [ONE], 20.0)
    bench.core.flow_opened(ONE, SECOND, 20.0)
    assert bench.outputs() == [Open(ONE), (2, f"BYE {BOB} [2]")]
    bench.answer(SECOND, 200, now=20.0)
    assert bench.kinds() == ["Ended"]


def test_the_loss_is_found_by_the_request_itself(bench: Bench) -> None:
    session = established(bench).session
    bench.outputs()
    session.reoffer(OFFER, 10.0)
    bench.core.flow_failed(FIRST, GONE, 10.0)
    found(bench.core.router, NAME, [ONE], 10.0)
    bench.core.flow_opened(ONE, SECOND, 10.0)
    assert bench.outputs() == [
        (1, f"INVITE {BOB} [2]"),
        *LOOK_UP,
        Open(ONE),
        (2, f"INVITE {BOB} [2]"),
    ]
    bench.core.flow_failed(SECOND, GONE, 11.0)
    (event,) = bench.told()
    assert isinstance(event, Ended)
    assert event.by == "transport"


INVITE = (
    "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TOY 198.51.100.1:5060;branch=z9hG4bK1\r\n"
    "From: <sip:bob@example.com>;tag=b\r\nTo: <sip:alice@example.com>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
    f"Contact: <{NUMERIC}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n"
    f"Content-Length: {len(OFFER)}\r\n\r\n"
).encode() + OFFER
CAME_ON = Flow("TOY", HERE, ("198.51.100.1", 49152), reliable=True, connection=1)


def accepted(bench: Bench) -> Session:
    """Bob has called over CAME_ON, which he has opened, and alice has accepted."""
    bench.core.flow_accepted(CAME_ON, 0.0)
    bench.core.receive(CAME_ON, INVITE, 0.0)
    (event,) = bench.told()
    assert isinstance(event, InvitationReceived)
    session = event.invitation.accept(ANSWER, 0.0)
    tag = f";tag={event.invitation.tag}"
    ack = parse(INVITE).replace(method="ACK", body=b"")
    headers = ack.headers.with_("To", f"<sip:alice@example.com>{tag}").with_("CSeq", "1 ACK")
    bench.core.receive(CAME_ON, bytes(ack.replace(headers=headers.without("Content-Type"))), 0.0)
    assert bench.outputs() == [(1, "200 OK [1 INVITE]")]
    return session


def test_our_requests_go_back_over_the_connection_that_the_invite_came_on(bench: Bench) -> None:
    accepted(bench).hang_up(1.0)
    assert bench.outputs() == [(1, f"BYE {NUMERIC} [1]")]


def test_when_that_is_gone_they_go_to_the_contact(bench: Bench) -> None:
    session = accepted(bench)
    bench.core.flow_failed(CAME_ON, GONE, 1.0)
    session.hang_up(2.0)
    assert bench.outputs() == [Open(ONE)]
    bench.core.flow_opened(ONE, SECOND, 2.0)
    assert bench.outputs() == [(2, f"BYE {NUMERIC} [1]")]


def test_a_new_contact_leads_elsewhere(bench: Bench) -> None:
    """A target refresh (§12.2): the connection was that to the old one."""
    session = accepted(bench)
    session.dialog.remote_target = f"sip:bob@{TWO.address[0]};transport=toy"
    session.hang_up(1.0)
    assert bench.outputs() == [Open(TWO)]
