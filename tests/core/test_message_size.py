"""An instant message that is too long for UDP does not go over it (RFC 3428 §8)."""

from __future__ import annotations

from sipstack.core.events import ResponseReceived, Unanswered
from sipstack.core.outputs import Target
from sipstack.errors import LocalProtocolError
from tests.core.by_hand import REFUSED, TCP, UDP, ByHand, flow

BOB = ("198.51.100.1", 5060)
AT_BOB = "sip:bob@198.51.100.1"
STREAM = Target("TCP", BOB)


def send(alice: ByHand, octets: int, target: str = AT_BOB) -> None:
    alice.core.standalone("MESSAGE", target, (("Content-Type", "text/plain"),), b"x" * octets).start(0.0)


def refused(alice: ByHand) -> bool:
    alice.outputs()
    event = alice.events[-1]
    return isinstance(event, Unanswered) and isinstance(event.error, LocalProtocolError)


def test_up_to_1300_octets_it_goes_as_a_datagram() -> None:
    alice = ByHand()
    send(alice, 0)
    largest = 1300 - len(bytes(alice.request)) - len("980") + len("0")
    send(alice, largest)
    assert (len(bytes(alice.request)), alice.last[0].transport) == (1300, "UDP")
    alice = ByHand(UDP)
    send(alice, largest + 1)
    assert refused(alice)
    assert alice.sent == []


def test_longer_it_takes_a_stream_where_there_is_one() -> None:
    alice = ByHand()
    send(alice, 5000)
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, flow(TCP, BOB), 0.1)
    assert alice.went() == ["TCP 5060 MESSAGE sip:bob@198.51.100.1 SIP/2.0"]
    alice.answer(alice.last[0], 200)
    alice.outputs()
    assert isinstance(alice.events[-1], ResponseReceived)


def test_without_one_the_application_is_told_what_to_do() -> None:
    alice = ByHand()
    send(alice, 5000)
    alice.asked()
    alice.core.flow_refused(STREAM, REFUSED, 0.1)
    assert alice.went() == []
    assert refused(alice)
    error = alice.events[-1].error  # type: ignore[union-attr]
    assert "shorten it, or let it go over TCP" in str(error)
    send(alice, 5000)  # that it takes no stream is remembered
    assert refused(alice)
    assert alice.core.leftovers() == []


def test_a_target_that_wants_udp_gets_no_long_one() -> None:
    alice = ByHand()
    send(alice, 5000, AT_BOB + ";transport=udp")
    assert refused(alice)


def test_not_even_where_other_requests_never_take_a_stream() -> None:
    alice = ByHand(largest_datagram=None)
    send(alice, 5000)
    assert refused(alice)
    alice.core.standalone("PUBLISH", AT_BOB, (), b"x" * 5000).start(0.0)
    assert alice.last[0].transport == "UDP"
