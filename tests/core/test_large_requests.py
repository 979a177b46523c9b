"""Requests too large for a datagram go over TCP where the target takes that (RFC 3261 §18.1.1)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered
from sipstack.core.outputs import Flow, Target
from sipstack.errors import FlowClosed
from sipstack.message import Request
from sipstack.usage.invite.session import Session
from tests.core.by_hand import HERE, REFUSED, TCP, TLS, UDP, ByHand, flow

BOB = ("198.51.100.1", 5060)
AT_BOB = "sip:bob@198.51.100.1"
STREAM = Target("TCP", BOB)
TEXT = b"x" * 1300


def message(alice: ByHand, target: str = AT_BOB, body: bytes = TEXT) -> None:
    alice.core.standalone("PUBLISH", target, (("Content-Type", "text/plain"),), body).start(0.0)


def test_it_goes_over_a_connection_with_a_via_and_a_contact_of_that() -> None:
    alice = ByHand()
    alice.call(AT_BOB + ";x=" + "y" * 1300)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, flow(TCP, BOB), 0.1)
    way, request = alice.last
    assert (way.transport, request.via.transport) == ("TCP", "TCP")
    assert request.headers.get("Contact") == "<sip:alice@192.0.2.1:5060;transport=tcp>"


def test_the_size_counts_as_it_goes_out() -> None:
    alice = ByHand()
    message(alice, body=b"")
    empty = len(bytes(alice.request)) + len("980") - len("0")
    largest = 1300 - empty
    message(alice, body=b"x" * largest)
    assert len(bytes(alice.request)) == 1300
    assert alice.asked() == []
    message(alice, body=b"x" * (largest + 1))
    assert alice.asked() == [STREAM]


def test_a_target_that_refuses_gets_the_datagram_and_is_remembered() -> None:
    alice = ByHand()
    message(alice)
    alice.asked()
    alice.core.flow_refused(STREAM, REFUSED, 0.1)
    assert alice.went() == ["UDP 5060 PUBLISH sip:bob@198.51.100.1 SIP/2.0"]
    message(alice)
    assert (alice.asked(), alice.last[0].transport) == ([], "UDP")
    alice.core.router.without_streams.answered(STREAM)
    message(alice)
    assert alice.asked() == [STREAM]


def test_one_that_does_not_answer_is_waited_for_two_seconds() -> None:
    alice = ByHand()
    message(alice)
    assert alice.asked() == [STREAM]
    alice.timeout(1.9)
    assert alice.went() == []
    alice.timeout(2.0)
    assert alice.went() == ["UDP 5060 PUBLISH sip:bob@198.51.100.1 SIP/2.0"]
    alice.core.flow_opened(STREAM, flow(TCP, BOB), 3.0)  # too late for this one
    assert alice.went() == []


def test_a_connection_that_is_reset_before_any_answer_is_followed_by_the_datagram() -> None:
    alice = ByHand()
    message(alice)
    alice.asked()
    way = flow(TCP, BOB)
    alice.core.flow_opened(STREAM, way, 0.1)
    assert alice.went() == ["TCP 5060 PUBLISH sip:bob@198.51.100.1 SIP/2.0"]
    alice.core.flow_failed(way, FlowClosed("connection reset"), 0.2)
    assert alice.went() == ["UDP 5060 PUBLISH sip:bob@198.51.100.1 SIP/2.0"]
    first, second = (sent for _, sent in alice.sent)
    assert isinstance(first, Request)
    assert first.via.branch != second.via.branch


def test_given_up_while_it_looks_for_a_stream_nothing_goes_out() -> None:
    alice = ByHand()
    call = alice.call(AT_BOB + ";x=" + "y" * 1300)
    assert alice.asked() == [STREAM]
    call.cancel(0.1)
    alice.core.flow_refused(STREAM, REFUSED, 0.2)
    alice.timeout(40.0)
    assert alice.went() == []
    assert alice.core.leftovers() == []


@pytest.mark.parametrize(
    ("target", "configuration"),
    [(AT_BOB, {"largest_datagram": None}), (f"{AT_BOB};transport=udp", {})],
    ids=["turned off", "the URI asks for UDP"],
)
def test_it_stays_a_datagram(target: str, configuration: dict[str, None]) -> None:
    alice = ByHand(**configuration)
    message(alice, target)
    assert (alice.asked(), alice.last[0].transport) == ([], "UDP")


def test_without_tcp_of_ours_it_stays_a_datagram() -> None:
    alice = ByHand(UDP, TLS)
    message(alice)
    assert (alice.asked(), alice.last[0].transport) == ([], "UDP")


def test_an_ack_with_a_large_answer_goes_over_a_connection_too() -> None:
    alice = ByHand()
    alice.call(AT_BOB)
    alice.answer(flow(UDP, BOB), 200, "sip:bob@198.51.100.1;x=" + "y" * 1300)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, flow(TCP, BOB), 0.1)
    alice.outputs()
    assert [way.transport for way, sent in alice.sent if sent.start_line.startswith("ACK")] == ["TCP"]


# -- where we are reached meanwhile ------------------------------------------------------------------------

EPHEMERAL = 49_152
AT_THEIRS = "sip:bob@198.51.100.1;transport=tcp"


def dialled() -> Flow:
    """A connection of one who listens for datagrams alone."""
    return Flow("TCP", (HERE, EPHEMERAL), BOB, reliable=True, connection=1, dialled=True)


def called_over_it(alice: ByHand, answer: str = AT_BOB) -> None:
    """A call whose INVITE has gone over a connection for its size alone, and is answered by ``answer``."""
    alice.call(AT_BOB + ";x=" + "y" * 1300)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, dialled(), 0.1)
    assert alice.request.via.transport == "TCP"
    alice.answer(dialled(), 200, answer)
    alice.outputs()


def session(alice: ByHand) -> Session:
    return next(event.session for event in alice.events if isinstance(event, Answered))


def contact(alice: ByHand) -> str | None:
    return alice.request.headers.get("Contact")


def test_who_listens_for_datagrams_alone_is_reached_by_these() -> None:
    alice = ByHand()
    called_over_it(alice)
    invite = next(sent for _, sent in alice.sent if sent.start_line.startswith("INVITE"))
    assert invite.headers.get("Contact") == "<sip:alice@192.0.2.1:5060>"


@pytest.mark.parametrize("answer", [AT_BOB, AT_THEIRS])
def test_a_dialog_stays_with_what_it_has_told(answer: str) -> None:
    """Also where the peer's Contact asks for TCP: requests of ours go over the connection."""
    alice = ByHand()
    called_over_it(alice, answer)
    session(alice).reoffer(b"v=0 again\r\n", 0.2)
    assert (alice.last[0].transport, contact(alice)) == ("TCP", "<sip:alice@192.0.2.1:5060>")


def test_so_does_its_answer_to_the_peer() -> None:
    alice = ByHand()
    called_over_it(alice)
    dialog = session(alice).dialog
    update = Request(
        "INVITE",
        "sip:alice@192.0.2.1:5060",
        [
            ("Via", "SIP/2.0/TCP 198.51.100.1;branch=z9hG4bK1"),
            ("From", f"<sip:bob@198.51.100.1>;tag={dialog.remote_tag}"),
            ("To", f"<sip:alice@example.com>;tag={dialog.local_tag}"),
            ("Call-ID", dialog.call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<{AT_THEIRS}>"),
            ("Content-Type", "application/sdp"),
        ],
        b"v=0 theirs\r\n",
    )
    alice.core.receive(dialled(), bytes(update), 0.3)
    session(alice).accept_offer(b"v=0 ours\r\n", 0.4)
    way, response = alice.last
    assert (way.transport, response.start_line) == ("TCP", "SIP/2.0 200 OK")
    assert response.headers.get("Contact") == "<sip:alice@192.0.2.1:5060>"


def test_a_connection_that_the_target_asks_for_is_told_as_it_is() -> None:
    alice = ByHand()
    alice.call(AT_THEIRS)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, dialled(), 0.1)
    assert contact(alice) == f"<sip:alice@192.0.2.1:{EPHEMERAL};transport=tcp>"


def test_a_registration_is_reached_over_the_connection_that_it_holds() -> None:
    alice = ByHand()
    alice.core.register("sip:198.51.100.1", 60, (("X", "y" * 1300),)).refresh(0.0)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, dialled(), 0.1)
    assert contact(alice) == f"<sip:alice@192.0.2.1:{EPHEMERAL};transport=tcp>;expires=60"
