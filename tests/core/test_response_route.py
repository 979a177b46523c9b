"""Responses whose connection is gone (RFC 3261 §18.2.2), and ACKs that are repeated then."""

from __future__ import annotations

from sipstack.core.events import Ended, InvitationReceived
from sipstack.core.outputs import Flow, Open, Resolve, Target, Transport, Undelivered
from sipstack.errors import FlowClosed
from sipstack.testing.agent import ANSWER
from sipstack.usage.invite.incoming import IncomingInvite
from tests.core.by_hand import REFUSED, TCP, TLS, ByHand, flow

EPHEMERAL = ("198.51.100.1", 40000)
BACK = Target("TCP", ("198.51.100.1", 5070))
GONE = FlowClosed("connection reset")


def invite(via: str = "198.51.100.1:5070", transport: str = "TCP") -> bytes:
    return (
        f"INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {via};branch=z9hG4bK1;rport\r\n"
        "From: <sip:bob@example.com>;tag=b\r\nTo: <sip:alice@example.com>\r\nCall-ID: 1\r\n"
        "CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:bob@198.51.100.1:5070;transport={transport.lower()}>\r\n"
        "Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n"
    ).encode()


def invited(
    via: str = "198.51.100.1:5070", transport: Transport = TCP
) -> tuple[ByHand, IncomingInvite, Flow]:
    """An INVITE came, and then its connection died."""
    alice = ByHand()
    way = flow(transport, EPHEMERAL)
    alice.core.flow_accepted(way, 0.0)
    alice.core.receive(way, invite(via, transport.name), 0.0)
    alice.outputs()
    event = alice.events.pop()
    assert isinstance(event, InvitationReceived)
    return alice, event.invitation, way


def lost(alice: ByHand, way: Flow) -> None:
    alice.core.flow_failed(way, GONE, 0.0)
    alice.outputs()


def test_it_goes_over_a_new_connection_to_the_source_at_the_port_of_the_via() -> None:
    alice, invitation, way = invited()
    lost(alice, way)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [BACK]
    new = flow(TCP, BACK.address, 2)
    alice.core.flow_opened(BACK, new, 0.1)
    assert alice.went() == ["TCP 5070 SIP/2.0 486 Busy Here"]
    assert alice.last[0] == new


def test_while_the_connection_lives_it_takes_that() -> None:
    alice, invitation, way = invited()
    invitation.refuse(486, 0.0)
    assert alice.outputs() != []
    assert alice.last[0] == way


def test_the_default_port_serves_where_the_via_names_none() -> None:
    alice, invitation, way = invited("198.51.100.1")
    lost(alice, way)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [Target("TCP", ("198.51.100.1", 5060))]


def test_the_source_comes_before_the_name_in_the_via_which_is_looked_up_then() -> None:
    alice, invitation, way = invited("pbx.example.com:5070")
    lost(alice, way)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [BACK]
    alice.core.flow_refused(BACK, REFUSED, 0.1)
    names = [each.query.name for each in alice.outputs() if isinstance(each, Resolve)]
    assert names == ["pbx.example.com"] * 2  # AAAA and A: the Via names a port


def test_over_tls_the_far_end_proves_the_name_in_its_via() -> None:
    alice, invitation, way = invited("pbx.example.com:5071", TLS)
    lost(alice, way)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [Target("TLS", ("198.51.100.1", 5071), "pbx.example.com")]


def test_one_connection_serves_many_responses() -> None:
    alice, invitation, way = invited()
    lost(alice, way)
    invitation.progress(180, 0.0)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [BACK]
    alice.core.flow_opened(BACK, flow(TCP, BACK.address, 2), 0.1)
    assert alice.went() == ["TCP 5070 SIP/2.0 180 Ringing", "TCP 5070 SIP/2.0 486 Busy Here"]


def test_a_refusal_that_reaches_nobody_is_told() -> None:
    alice, invitation, way = invited()
    lost(alice, way)
    invitation.refuse(486, 0.0)
    alice.timeout(0.0)
    alice.outputs()
    alice.core.flow_refused(BACK, REFUSED, 0.1)
    told = [output for output in alice.outputs() if isinstance(output, Undelivered)]
    assert [(each.what, str(each.error)) for each in told] == [("the 486 to INVITE", "connection refused")]


def test_a_2xx_that_reaches_nobody_ends_the_call_with_the_reason_and_says_bye() -> None:
    alice, invitation, way = invited()
    lost(alice, way)
    invitation.accept(ANSWER, 0.0)
    alice.timeout(0.0)
    assert alice.asked() == [BACK]
    alice.core.flow_refused(BACK, REFUSED, 0.1)
    outputs = alice.outputs()
    (ended,) = [event for event in alice.events if isinstance(event, Ended)]
    assert (ended.by, ended.reason) == ("transport", "no way back to the peer: connection refused")
    assert Open(BACK) in outputs  # for the BYE


def test_an_ack_that_is_asked_for_again_goes_over_a_new_connection() -> None:
    alice = ByHand()
    bob = Target("TCP", ("198.51.100.1", 5060))
    alice.call("sip:bob@198.51.100.1;transport=tcp")
    alice.outputs()
    first, second = flow(TCP, bob.address, 1), flow(TCP, bob.address, 2)
    alice.core.flow_opened(bob, first, 0.0)
    alice.outputs()
    accepted = alice.request.response(
        200,
        to_tag="b",
        headers=[("Contact", "<sip:bob@198.51.100.1;transport=tcp>"), ("Content-Type", "application/sdp")],
        body=ANSWER,
    )
    alice.core.receive(first, bytes(accepted), 0.0)
    alice.outputs()
    lost(alice, first)
    alice.core.receive(second, bytes(accepted), 0.5)
    alice.timeout(0.5)
    assert alice.asked() == [bob]
    alice.core.flow_opened(bob, second, 0.6)
    assert alice.went() == ["TCP 5060 ACK sip:bob@198.51.100.1;transport=tcp SIP/2.0"]
    one, other = (sent for _, sent in alice.sent if sent.start_line.startswith("ACK"))
    assert one.via.branch != other.via.branch
    assert one.headers.without("Via") == other.headers.without("Via")


def test_a_keep_alive_on_a_dead_connection_is_nothing() -> None:
    alice = ByHand()
    alice.core.transmit(flow(TCP, EPHEMERAL), b"\r\n\r\n")
    assert alice.outputs() == []
