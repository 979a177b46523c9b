"""From a URI to an address, and back to a request's sender (RFC 3261 §18.2.2, RFC 3263 §4, RFC 3581)."""

from __future__ import annotations

import pytest

from sipstack.core.outputs import Question, Target, Transport
from sipstack.core.routing import as_address, destination, reply_flow
from sipstack.errors import ParseError, ResolutionError
from sipstack.message import Via
from sipstack.transaction.flow import Address, Flow

TLS = Transport("TLS", reliable=True, secure=True, default_port=5061)
WSS = Transport("WSS", reliable=True, secure=True, default_port=443)


@pytest.mark.parametrize(
    ("hop", "host", "port"),
    [
        ("sip:bob@192.0.2.2", "192.0.2.2", 5060),
        ("sip:192.0.2.2:5070", "192.0.2.2", 5070),
        ("sip:bob@[2001:DB8::2]:5070", "2001:db8::2", 5070),
        ("sip:bob@[2001:db8:0:0:0:0:0:2]", "2001:db8::2", 5060),
        ("sip:bob@192.0.2.2;transport=UDP", "192.0.2.2", 5060),
        ("sip:bob@example.com;maddr=192.0.2.9", "192.0.2.9", 5060),
        ("sip:bob@example.com:5070;maddr=[2001:db8::9]", "2001:db8::9", 5070),
        ("<sip:192.0.2.2;lr>", "192.0.2.2", 5060),
        ('"The proxy" <sip:192.0.2.2:5070;lr>;x=y', "192.0.2.2", 5070),
    ],
)
def test_an_address_needs_no_looking_up(hop: str, host: str, port: int) -> None:
    assert destination(hop, {"UDP": Transport("UDP")}) == Target("UDP", (host, port))


@pytest.mark.parametrize(
    ("hop", "question"),
    [
        ("sip:bob@example.com", Question("UDP", "example.com", 5060)),
        ("sip:bob@example.com:5070", Question("UDP", "example.com", 5070, has_port=True)),
        ("sip:bob@192.0.2.2;maddr=example.net", Question("UDP", "example.net", 5060, domain="192.0.2.2")),
        ("<sip:example.com;lr>", Question("UDP", "example.com", 5060)),
        ("sip:example.com;transport=udp", Question("UDP", "example.com", 5060, has_transport=True)),
    ],
)
def test_a_name_is_a_question(hop: str, question: Question) -> None:
    assert destination(hop, {"UDP": Transport("UDP")}) == question


@pytest.mark.parametrize(
    "hop",
    ["tel:+15550100", "mailto:bob@example.com", "sips:bob@192.0.2.2", "sip:bob@192.0.2.2;transport=tcp"],
)
def test_where_we_cannot_send(hop: str) -> None:
    with pytest.raises(ResolutionError):
        destination(hop, {"UDP": Transport("UDP")})


@pytest.mark.parametrize(
    ("hop", "transport", "port"),
    [
        ("sip:bob@192.0.2.2;transport=tls", "TLS", 5061),
        ("sips:bob@192.0.2.2", "TLS", 5061),
        ("sips:bob@192.0.2.2;transport=tcp", "TLS", 5061),
        ("sips:bob@192.0.2.2:5071;transport=tls", "TLS", 5071),
        ("sips:bob@192.0.2.2;transport=ws", "WSS", 443),
    ],
)
def test_a_sips_uri_means_tls_over_the_transport_that_it_names(hop: str, transport: str, port: int) -> None:
    ours = {each.name: each for each in (Transport("UDP"), Transport("TCP", reliable=True), TLS, WSS)}
    assert destination(hop, ours) == Target(transport, ("192.0.2.2", port), "192.0.2.2")


@pytest.mark.parametrize("hop", ["", "bob", "sip:", "sip:bob@", "<sip:bob@192.0.2.2", "sip:192.0.2.2:99999"])
def test_what_is_no_uri(hop: str) -> None:
    with pytest.raises(ParseError):
        destination(hop, {"UDP": Transport("UDP")})


def test_what_is_an_address() -> None:
    texts = ["192.0.2.1", "2001:DB8::1", "[2001:db8::1]", "example.com", "192.0.2", "192.0.2.256", "[x]", ""]
    addresses = ["192.0.2.1", "2001:db8::1", "2001:db8::1", None, None, None, None, None]
    assert [as_address(text) for text in texts] == addresses


FLOW = Flow("UDP", ("192.0.2.1", 5060), ("198.51.100.7", 40000))


@pytest.mark.parametrize(
    ("via", "remote"),
    [
        ("SIP/2.0/UDP 192.0.2.2:5070;rport;branch=z9hG4bK1", ("198.51.100.7", 40000)),
        ("SIP/2.0/UDP 192.0.2.2:5070;rport=40000;branch=z9hG4bK1", ("198.51.100.7", 40000)),
        ("SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1", ("198.51.100.7", 5070)),
        ("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1", ("198.51.100.7", 5060)),
        ("SIP/2.0/UDP 192.0.2.2;received=203.0.113.1;branch=z9hG4bK1", ("198.51.100.7", 5060)),
    ],
)
def test_a_response_goes_back_to_where_the_request_came_from(via: str, remote: Address) -> None:
    assert reply_flow(FLOW, Via.parse(via)) == Flow("UDP", FLOW.local, remote)


def test_a_reliable_flow_takes_the_response_back_itself() -> None:
    flow = Flow("TCP", FLOW.local, FLOW.remote, reliable=True)
    assert reply_flow(flow, Via.parse("SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bK1")) is flow
