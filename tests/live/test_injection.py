"""Line ends, plain and encoded, in fields that a response or a later request of ours repeats."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from tests.live.attack import attack
from tests.live.attacker import Attacker
from tests.live.sip import SipRequest, header_fields, lines

DISGUISES = {
    "CR LF": "\r\n",
    "LF": "\n",
    "CR": "\r",
    "CR CR LF": "\r\r\n",
    "LF CR": "\n\r",
    "NUL": "\0",
    "VT and FF": "\v\f",
    "NEL": "\x85",
    "line separator": "\u2028",
    "escaped": "%0d%0a",
    "backslash": "\\\r\\\n",
    "folded": "\r\n \r\n\t",
    "header end": "\r\n\r\n",
}
ECHOED = ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Timestamp", "Require")
"""Fields that come back in a response, or in the BYE that follows when a call is not acknowledged."""
PLACES: dict[str, Callable[[str, str], str]] = {
    "before": lambda old, trick: trick + old,
    "quoted": lambda old, trick: f'"{trick}" {old}',
    "user": lambda old, trick: old.replace("sip:", f"sip:{trick}", 1),
    "URI parameter": lambda old, trick: old.replace(">", f";p={trick}>", 1),
    "parameter": lambda old, trick: f"{old};p={trick}",
    "behind": lambda old, trick: old + trick,
}


async def test_no_header_field_is_injected() -> None:
    async with attack() as attacked:  # which checks that each answer has no field but those that we write
        peer = attacked.peer()
        for disguise in DISGUISES.values():
            trick = f"{disguise}X-Injected: 1{disguise}"
            everywhere = itertools.product(ECHOED, PLACES.values())
            await peer.send_all([tricky(peer, name, place, trick) for name, place in everywhere])
            assert await peer.is_answered()


def tricky(peer: Attacker, name: str, place: Callable[[str, str], str], trick: str) -> SipRequest:
    """A valid request but for ``trick`` at that place of that field."""
    if name in ("Contact", "Record-Route", "From", "To"):
        request = peer.invite(("Record-Route", f"<sip:{peer.host}:{peer.port};lr>"))
    else:
        request = peer.request("OPTIONS", ("Timestamp", "1"), ("Require", "a"))
    field = next(field for field in request.headers if field.label == name.encode())
    field.value = place(field.value.decode(), trick).encode()
    return request


async def test_what_is_echoed_is_echoed_to_the_letter() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        request = peer.request(
            "OPTIONS",
            From='"L\u00e9a \\"1\\" \u2028" <sip:%0d%0a@127.0.0.2>;tag=%0d%0a;x="\\\\"',
            To='"a, b; c" <sip:fuzz@127.0.0.1;p=%00>',
            Call_ID="(<>){}[]?/\\:`@%0d%0a",
        )
        request.headers += header_fields(("Via", 'SIP/2.0/UDP h.test;branch=1;p="\\"x: 1"'))
        assert await peer.ask(request) == 200
        sent, received = dict(lines(request)), dict(lines(peer.responses(request)[0]))
        for name in ("From", "Call-ID", "CSeq", "Via"):
            assert received[name] == sent[name]
        assert received["To"].startswith(sent["To"] + ";tag=")
