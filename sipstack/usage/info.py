"""INFO inside of a call: who answers it, and digits in the two bodies from before RFC 6086,
``application/dtmf-relay`` and ``application/dtmf``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from sipstack.dialog.services import CoreServices
from sipstack.errors import ParseError, RemoteProtocolError, SipError, TransactionTimeout
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.sdp import IceFragment
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import body_of_type
from sipstack.usage.info_packages import package_of, recv_info
from sipstack.usage.received import ReceivedRequest, RequestReceived
from sipstack.usage.standalone import StandaloneRequest

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


@attrs.frozen
class CandidatesReceived:
    """The peer of a call has told more addresses of its media (RFC 8840). ``user`` as that of a digit."""

    receiver: Any
    user: Any
    fragments: tuple[IceFragment, ...]


@attrs.frozen
class InfoBody:
    """What an INFO may carry.

    ``read`` makes an event of it, for the user of a session. It raises ParseError for what it cannot read.
    """

    types: tuple[str, ...]
    package: str
    """Its Info Package, in lower case; empty for one from before RFC 6086."""
    read: Callable[[Request, Any], DigitReceived | CandidatesReceived]


class InfoServer:
    """Answers INFO inside of a call, and tells what one of these bodies says."""

    def __init__(self, core: CoreServices, bodies: Sequence[InfoBody], packages: Collection[str]) -> None:
        self._core = core
        self._bodies = bodies
        self._packages = packages

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """200 where somebody takes what is in it, and for no body at all; 415 for another body. One of a
        package that is registered is handed over, and any other gets 469 (RFC 6086 §4.2.2).
        """
        core = self._core
        usages = core.dialog_of(request)
        session: Any = usages.invite if usages is not None and not usages.closing else None
        user = session and (session.user or getattr(session.origin, "user", None))
        if session is None or user is None:
            tag = request.to.tag or core.identifiers.tag()
            core.respond(transaction, request.response(481 if session is None else 480, to_tag=tag), now)
            return
        status, headers = 200, ()  # type: tuple[int, HeaderFields]
        if "Info-Package" in request.headers:
            package = package_of(request)
            if package in self._packages:
                core.emit(RequestReceived(ReceivedRequest(core, request, transaction)))
                return
            if not any(package == body.package for body in self._bodies):
                core.respond(transaction, request.response(469, headers=recv_info(self._packages)), now)
                return
        if request.body:
            try:
                core.emit(self._body_of(request).read(request, user))
            except ParseError as error:
                types = ", ".join(each for body in self._bodies for each in body.types)
                status, headers = error.status, (("Accept", types),)
        core.respond(transaction, request.response(status, headers=headers), now)

    def _body_of(self, request: Request) -> InfoBody:
        for body in self._bodies:
            if any(body_of_type(request, each) for each in body.types):
                return body
        raise ParseError("INFO with a body that nobody here reads", 415)


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


class InfoRequest(StandaloneRequest):
    """One INFO of ours inside of a call. When the answer, or that there is none, says that the peer does not
    know the dialog any more, the call is over (RFC 3261 §12.2.1.2, RFC 5057 §5.1).
    """

    __slots__ = ()

    def response_received(self, response: Response, now: float) -> None:
        super().response_received(response, now)
        outcome = f"{response.status} {response.reason}"
        if response.status == 481:
            self._lose(RemoteProtocolError(outcome, 481), now)
        elif response.status == 408:
            self._lose(TransactionTimeout(outcome), now)

    def request_failed(self, error: SipError, now: float) -> None:
        super().request_failed(error, now)
        if isinstance(error, TransactionTimeout):
            self._lose(error, now)

    def _lose(self, error: SipError, now: float) -> None:
        if self._usages is not None:
            self._usages.lost(error, now)


def write_digit(key: str, duration: float, *, plain: bool = False) -> tuple[HeaderFields, bytes]:
    """The fields and the body of an INFO with one digit; a ``plain`` one tells no duration."""
    if plain:
        return (("Content-Type", PLAIN),), key.encode()
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
