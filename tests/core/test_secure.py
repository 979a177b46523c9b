"""What is asked for securely stays secure (RFC 3261 §8.1.1.8, §12.1, §26.2.2, RFC 5630)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Failed, InvitationReceived
from sipstack.core.outputs import Flow, Open, Target, Transport
from sipstack.message import Request
from sipstack.testing.agent import ANSWER
from tests.core.by_hand import REFUSED, TCP, TLS, UDP, ByHand, flow

BOB = ("198.51.100.1", 5061)
AT_BOB = "sips:bob@198.51.100.1"
SECURE = Target("TLS", BOB, "198.51.100.1")


def contact(message: object) -> str | None:
    assert isinstance(message, Request)
    return message.headers.get("Contact")


def calling(target: str = AT_BOB) -> tuple[ByHand, Flow]:
    alice = ByHand()
    alice.call(target)
    assert alice.asked() == [SECURE]
    way = flow(TLS, BOB)
    alice.core.flow_opened(SECURE, way, 0.0)
    return alice, way


# --- requests of ours ---


def test_a_call_to_a_sips_uri_has_a_sips_contact() -> None:
    alice, _ = calling()
    _, invite = alice.last
    assert contact(invite) == "<sips:alice@192.0.2.1:5061>"


def test_a_call_over_tls_to_a_sip_uri_has_a_plain_one() -> None:
    alice, _ = calling("sip:bob@198.51.100.1;transport=tls")
    _, invite = alice.last
    assert contact(invite) == "<sip:alice@192.0.2.1:5061;transport=tls>"


def test_without_a_secure_transport_it_goes_nowhere() -> None:
    alice = ByHand(UDP, TCP)
    alice.call(AT_BOB)
    assert alice.outputs() == []
    assert isinstance(alice.events[-1], Failed)


def test_a_proxy_that_is_named_without_security_is_reached_securely_for_it() -> None:
    alice = ByHand(proxy="<sip:198.51.100.9;lr>")
    alice.call("sip:bob@example.com")
    alice.call("sips:bob@example.com")
    assert alice.asked() == [Target("TLS", ("198.51.100.9", 5061), "198.51.100.9")]
    assert [way.transport for way, _ in alice.sent] == ["UDP"]


def test_a_proxy_that_is_reached_by_udp_alone_gets_nothing_that_is_secure() -> None:
    alice = ByHand(proxy="<sip:198.51.100.9;transport=udp;lr>")
    alice.call("sips:bob@example.com")
    assert alice.outputs() == []
    assert isinstance(alice.events[-1], Failed)
    assert "the transport is not available" in str(alice.events[-1].error)


def test_a_known_flow_of_datagrams_is_not_taken_for_it() -> None:
    """The next hop is the same text, and its way is known from the call before."""
    alice = ByHand(proxy="<sip:198.51.100.9;lr>")
    for target in ("sip:bob@example.com", "sip:bob@example.com", "sips:bob@example.com"):
        alice.call(target)
        alice.outputs()
    assert [way.transport for way, _ in alice.sent] == ["UDP", "UDP"]


# --- the dialog ---


def test_requests_of_a_secure_dialog_go_over_tls_though_the_contact_does_not_say_so() -> None:
    """A peer that breaks §12.1.1: its Contact is a sip: URI, and nothing is sent there in the clear."""
    alice, way = calling()
    alice.outputs()
    alice.answer(way, 200, "sip:bob@198.51.100.7")
    assert alice.asked() == [Target("TLS", ("198.51.100.7", 5061), "198.51.100.7")]


def test_when_that_leads_nowhere_they_take_the_connection_of_the_call() -> None:
    alice, way = calling()
    alice.outputs()
    alice.answer(way, 200, "sip:bob@nowhere.invalid;transport=udp")
    assert alice.went() == ["TLS 5061 ACK sip:bob@nowhere.invalid;transport=udp SIP/2.0"] + [
        "TLS 5061 BYE sip:bob@nowhere.invalid;transport=udp SIP/2.0"
    ]


INVITE = (
    "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} 198.51.100.1;branch=z9hG4bK1\r\n"
    "From: <sip:bob@example.com>;tag=b\r\nTo: <sip:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
    "Max-Forwards: 70\r\n{fields}Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n"
)
WITH_CONTACT = "Contact: <sip:bob@198.51.100.1;transport=tls>\r\n"


def invited(way: Flow, uri: str, fields: str) -> ByHand:
    alice = ByHand()
    alice.core.flow_accepted(way, 0.0)
    text = INVITE.format(uri=uri, transport=way.transport, fields=fields)
    alice.core.receive(way, text.encode(), 0.0)
    return alice


@pytest.mark.parametrize(
    ("uri", "fields", "expected"),
    [
        ("sip:alice@192.0.2.1", WITH_CONTACT, "<sip:alice@192.0.2.1:5061;transport=tls>"),
        ("sips:alice@192.0.2.1", WITH_CONTACT, "<sips:alice@192.0.2.1:5061>"),
        ("sip:alice@192.0.2.1", "Contact: <sips:bob@198.51.100.1>\r\n", "<sips:alice@192.0.2.1:5061>"),
        (
            "sip:alice@192.0.2.1",
            f"Record-Route: <sips:198.51.100.1;lr>\r\n{WITH_CONTACT}",
            "<sips:alice@192.0.2.1:5061>",
        ),
        (
            "sip:alice@192.0.2.1",
            "Record-Route: <sip:198.51.100.1;transport=tls;lr>\r\nContact: <sips:bob@198.51.100.1>\r\n",
            "<sip:alice@192.0.2.1:5061;transport=tls>",
        ),
    ],
    ids=["nothing", "the Request-URI", "the Contact", "the Record-Route", "a Contact behind a Record-Route"],
)
def test_our_contact_is_a_sips_uri_where_the_invite_asks_for_one(
    uri: str, fields: str, expected: str
) -> None:
    alice = invited(flow(TLS, ("198.51.100.1", 40000)), uri, fields)
    alice.outputs()
    event = alice.events[-1]
    assert isinstance(event, InvitationReceived)
    event.invitation.accept(ANSWER, 0.0)
    _, response = alice.last
    assert response.headers.get("Contact") == expected


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_request_to_a_sips_uri_that_came_in_the_clear_is_refused(transport: Transport) -> None:
    way = flow(transport, ("198.51.100.1", 5060))
    alice = invited(way, "sips:alice@192.0.2.1", WITH_CONTACT)
    assert alice.went() == [f"{way.transport} 5060 SIP/2.0 416 Unsupported URI Scheme"]


# --- connections of peers prove no name ---


def test_a_request_does_not_take_the_connection_that_a_peer_opened_to_us_over_tls() -> None:
    alice = ByHand()
    alice.core.flow_accepted(flow(TLS, BOB), 0.0)
    alice.core.standalone("OPTIONS", AT_BOB).start(0.0)
    assert alice.outputs() == [Open(SECURE)]


def test_two_names_at_one_address_have_two_connections() -> None:
    """One that was verified for one domain carries nothing for another (RFC 5922 §4)."""
    alice = ByHand()
    one, other = (Target("TLS", BOB, domain) for domain in ("one.example", "other.example"))
    alice.core.flow_opened(one, flow(TLS, BOB, 1), 0.0)
    assert alice.core.router.flows.get(other) is None
    alice.core.flow_opened(other, flow(TLS, BOB, 2), 0.0)
    assert alice.core.router.flows[one] != alice.core.router.flows[other]


def test_over_tls_the_dialog_keeps_to_the_callers_connection() -> None:
    way = flow(TLS, ("198.51.100.1", 40000))
    alice = invited(way, "sips:alice@192.0.2.1", "Contact: <sips:bob@198.51.100.1:5061>\r\n")
    alice.outputs()
    event = alice.events[-1]
    assert isinstance(event, InvitationReceived)
    session = event.invitation.accept(ANSWER, 0.0)
    session.lost(REFUSED, 0.0)
    assert alice.went()[-1] == "TLS 40000 BYE sips:bob@198.51.100.1:5061 SIP/2.0"
