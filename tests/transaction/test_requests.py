"""ACK and CANCEL are copies of their INVITE (RFC 3261 §17.1.1.3, §9.1)."""

from __future__ import annotations

from sipstack.message import Request
from sipstack.transaction.requests import ack_for, cancel_for
from tests.transaction.examples import request, response

INVITE = request("INVITE", Route="<sip:p1.example.com;lr>", CSeq="7 INVITE", Authorization='Digest realm="r"')
INVITE = INVITE.replace(headers=INVITE.headers.append("Route", "<sip:p2.example.com;lr>"), body=b"v=0")


def expected(method: str, to: str) -> Request:
    return Request(
        method,
        "sip:bob@192.0.2.2",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1"),
            ("Route", "<sip:p1.example.com;lr>"),
            ("Route", "<sip:p2.example.com;lr>"),
            ("Max-Forwards", "70"),
            ("From", "<sip:alice@example.com>;tag=a1"),
            ("To", to),
            ("Call-ID", "call-1"),
            ("CSeq", f"7 {method}"),
        ],
    )


def test_ack_has_the_branch_and_routes_of_the_invite_and_the_to_of_the_response() -> None:
    assert ack_for(INVITE, response(INVITE, 486)) == expected("ACK", "<sip:bob@example.com>;tag=b1")


def test_cancel_has_the_branch_routes_and_to_of_the_invite() -> None:
    assert cancel_for(INVITE) == expected("CANCEL", "<sip:bob@example.com>")


def test_a_via_that_a_proxy_has_put_below_is_not_copied() -> None:
    via = INVITE.headers.append("Via", "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK0")
    assert cancel_for(INVITE.replace(headers=via)) == expected("CANCEL", "<sip:bob@example.com>")
