"""A user agent's answers to hard messages of our own (RFC 4475 §3.1.2, §3.3; RFC 5118 §4)."""

from __future__ import annotations

import pytest

from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.message.hard import CONTACT, SDP, SDP_TYPE, TO, VIA, answer, dialogless


def answers(data: bytes) -> tuple[CoreAgent, ScriptedPeer]:
    """Bob and the sender of ``data``, once Bob has taken it."""
    world = World()
    bob, carol = (
        CoreAgent(world, "bob", ("192.0.2.2", 5060)),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )
    carol.send(bob.address, data)
    return bob, carol


ANSWERED = {
    "3.1.1.2 a method of odd characters": (dialogless("-0.A!b%C*d_E+f`g'h~"), 501, {}),
    "3.1.1.5 a method with an escape": (dialogless("OPTION%53"), 501, {}),
    "3.1.2.1 empty elements in Via": (dialogless("OPTIONS", "Via: SIP/2.0/UDP 192.0.2.3;;,"), 400, {}),
    "3.1.2.3 a negative Content-Length": (dialogless("OPTIONS", "Content-Length: -1"), 400, {}),
    "3.1.2.4 a CSeq of many digits": (dialogless("REGISTER", f"CSeq: {'9' * 50} REGISTER"), 400, {}),
    "3.1.2.6 a quote that does not close": (dialogless("OPTIONS", 'To: "Bob <sip:b@h>'), 400, {}),
    "3.1.2.18 CSeq names another method": (dialogless("NEW", "CSeq: 1 OPTIONS"), 400, {}),
    "3.2.1 the cookie alone is a branch": (
        dialogless("OPTIONS", "Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK"),
        200,
        {},
    ),
    "3.3.1 no Call-ID": (dialogless("OPTIONS", "Call-ID: "), 400, {}),
    "3.3.2 an unknown scheme": (dialogless("OPTIONS", uri="carrier:bob"), 416, {}),
    "3.3.3 another unknown scheme": (dialogless("OPTIONS", uri="soap.xyz://192.0.2.9:80"), 416, {}),
    "3.3.4 a REGISTER, which is for registrars": (dialogless("REGISTER", "To: <book:42>"), 405, {}),
    "3.3.5 unknown option tags": (
        dialogless("OPTIONS", "Require: foo, bar"),
        420,
        {"Unsupported": "foo, bar"},
    ),
    "3.3.5 which are for proxies": (dialogless("OPTIONS", "Proxy-Require: foo"), 200, {}),
    "3.3.6 an unknown type of body": (
        dialogless("INVITE", CONTACT, "Content-Type: application/x-new", body=b"<new/>"),
        415,
        {"Accept": "application/sdp"},
    ),
    "3.3.7 unknown credentials": (dialogless("OPTIONS", "Authorization: Handshake grip=firm"), 200, {}),
    "3.3.8 two different To": (dialogless("OPTIONS", TO, "To: <sip:dave@example.com>"), 400, {}),
    "3.3.9 two Content-Lengths": (dialogless("OPTIONS", "Content-Length: 0", "Content-Length: 1"), 400, {}),
    "3.3.11 no hops left": (dialogless("OPTIONS", "Max-Forwards: 0"), 200, {}),
    "3.3.15 an answer that may not be SDP": (
        dialogless("INVITE", CONTACT, SDP_TYPE, "Accept: text/x-new", body=SDP),
        406,
        {},
    ),
    "4.2 an IPv6 address without brackets": (dialogless("OPTIONS", uri="sip:2001:db8::2"), 400, {}),
    "4.5 received in brackets, no such call": (
        dialogless(
            "BYE", "Via: SIP/2.0/UDP 192.0.2.3;received=[2001:db8::9];branch=z9hG4bK6", "To: <sip:b@h>;tag=x"
        ),
        481,
        {},
    ),
}


@pytest.mark.parametrize(("data", "status", "headers"), ANSWERED.values(), ids=ANSWERED)
def test_the_answer(data: bytes, status: int, headers: dict[str, str]) -> None:
    _, carol = answers(data)
    assert (carol.response.status, len(carol.heard)) == (status, 1)
    assert {name: carol.response.headers.get(name) for name in headers} == headers


DROPPED = {
    "3.1.2.5 a CSeq of many digits": (answer("SIP/2.0 503 Busy", f"CSeq: {'9' * 22} INVITE"), (1, 0)),
    "3.1.2.19 a status of many digits": (answer("SIP/2.0 4294967496 OK"), (1, 0)),
    "3.3.10 a Via too many": (answer("SIP/2.0 200 OK", VIA, "Via: SIP/2.0/UDP 255.255.255.255"), (0, 1)),
}


@pytest.mark.parametrize(("data", "counted"), DROPPED.values(), ids=DROPPED)
def test_a_response_that_is_dropped(data: bytes, counted: tuple[int, int]) -> None:
    bob, carol = answers(data)
    assert (bob.core.counters.malformed, bob.core.counters.unmatched) == counted
    assert (carol.heard, bob.told, bob.leftovers) == ([], [], [])
