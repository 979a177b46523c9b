"""Digits in INFO as before RFC 6086: ``application/dtmf-relay`` and ``application/dtmf``."""

from __future__ import annotations

import re
from typing import Any

import attrs

from sipstack.dialog.services import CoreServices
from sipstack.errors import ParseError
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import body_of_type

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"
DURATION = 0.1
"""Seconds, where the peer does not tell them."""
LONGEST = 60.0

_KEYS = "0123456789*#ABCD!"
_LINE = re.compile(r"(signal|duration)\s*=\s*(\S+)", re.IGNORECASE)


@attrs.frozen
class DigitReceived:
    """The peer of a call has pressed a key. ``user`` is that of its session, or of the INVITE before that."""

    receiver: Any
    user: Any
    key: str
    duration: float


class DigitServer:
    """Answers INFO inside of a call, and tells ``receiver`` of each digit."""

    def __init__(self, core: CoreServices, receiver: Any) -> None:
        self._core = core
        self._receiver = receiver

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """200 where somebody takes the digit, and for no body at all; 415 for another body."""
        core = self._core
        usages = core.dialog_of(request)
        session: Any = usages.invite if usages is not None else None
        user = session and (session.user or getattr(session.origin, "user", None))
        if session is None or user is None:
            tag = request.to.tag or core.identifiers.tag()
            core.respond(transaction, request.response(481 if session is None else 480, to_tag=tag), now)
            return
        status, headers = 200, ()  # type: tuple[int, HeaderFields]
        if request.body:
            try:
                key, duration = read_digit(request)
            except ParseError as error:
                status, headers = error.status, (("Accept", f"{RELAY}, {PLAIN}"),)
            else:
                core.emit(DigitReceived(self._receiver, user, key, duration))
        core.respond(transaction, request.response(status, headers=headers), now)


def read_digit(request: Request) -> tuple[str, float]:
    """The key in an INFO and how long it was pressed. Raises ParseError: 415 for another body."""
    relay = body_of_type(request, RELAY)
    body = relay or body_of_type(request, PLAIN)
    if not body:
        raise ParseError("INFO without a digit", 415)
    text = body[:200].decode("ascii", "replace")
    if not relay:
        return _key(text.strip()), DURATION
    fields = {name.lower(): value for name, value in _LINE.findall(text)}
    return _key(fields.get("signal", "")), _seconds(fields.get("duration", ""))


def write_digit(key: str, duration: float) -> tuple[HeaderFields, bytes]:
    """The fields and the body of an INFO with one digit."""
    body = f"Signal={key}\r\nDuration={round(duration * 1000)}\r\n"
    return (("Content-Type", RELAY),), body.encode()


def _key(text: str) -> str:
    """A key, or the code of its event (RFC 4733), as some write those from 10 on."""
    text = text.upper()
    if len(text) == 2 and text.isascii() and text.isdecimal() and int(text) < len(_KEYS):
        return _KEYS[int(text)]
    if len(text) != 1 or text not in _KEYS:
        raise ParseError(f"{text!r} is no digit")
    return text


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return DURATION
    return min(int(text) / 1000, LONGEST) or DURATION
