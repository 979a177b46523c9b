"""Which REFERs of a peer can be followed, inside of a call and out of any, and whom they have us call."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.services import CoreServices, Refusal
from sipstack.errors import ParseError, RemoteProtocolError
from sipstack.message import Headers, NameAddr, Request, SipUri, TelUri, parse_uri
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.usage.refer.events import ReferReceived
from sipstack.usage.refer.incoming import IncomingRefer


class ReferServer:
    """Takes REFERs. ``user`` hears of each: ``ReferReceived``."""

    def __init__(self, core: CoreServices, user: Any) -> None:
        self._core = core
        self._user = user

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """One that can be followed; any other is refused at once."""
        core = self._core
        try:
            target = _target(request)
        except (ParseError, RemoteProtocolError) as error:
            self._refuse(request, transaction, (error.status, ()), now)
            return
        host = core.host_of(request, transaction.flow, now)
        if isinstance(host, tuple):
            self._refuse(request, transaction, host, now)
            return
        core.emit(ReferReceived(self._user, IncomingRefer(core, host, request, transaction, target, now)))

    def _refuse(self, request: Request, transaction: AnyServer, refused: Refusal, now: float) -> None:
        tag = request.to.tag or self._core.identifiers.tag()
        self._core.respond(transaction, request.response(refused[0], to_tag=tag, headers=refused[1]), now)


def _target(request: Request) -> NameAddr:
    """Refer-To, which must be there once (§2.4.2). Raises ParseError or RemoteProtocolError.

    Without <> what follows a semicolon would be of the field; but the field has no parameters, and some
    (SIP.js) write a whole URI so.
    """
    rows = set(request.headers.raw("Refer-To"))
    if len(rows) != 1:
        raise RemoteProtocolError("REFER needs one Refer-To", 400)
    text = rows.pop()
    target = NameAddr.parse(text) if "<" in text else NameAddr(parse_uri(text))
    uri = target.uri
    if not isinstance(uri, SipUri | TelUri):
        raise RemoteProtocolError("Refer-To is no URI that can be called", 416)
    if isinstance(uri, SipUri) and (uri.parameters.get("method") or "INVITE").upper() != "INVITE":
        raise RemoteProtocolError("Refer-To asks for something else than a call", 501)
    return target


@attrs.frozen
class ReferredCall:
    """The call that a REFER asks for."""

    target: str
    headers: HeaderFields


def referred_call(request: Request, target: NameAddr) -> ReferredCall:
    """Whom the REFER has us call, and the fields that it gives to our INVITE: Referred-By as it is
    (RFC 3892 §2.2), Replaces out of the target (RFC 3891 §4). Raises ParseError. No other field of the target
    is taken: a stranger would write them in our name.
    """
    uri = target.uri
    headers: list[tuple[str, object]] = [
        ("Referred-By", value) for value in request.headers.raw("Referred-By")[:1]
    ]
    if not isinstance(uri, SipUri):
        return ReferredCall(str(uri), tuple(headers))
    for name, value in uri.headers:
        if name.lower() == "replaces":
            Headers((("Replaces", value),)).typed("Replaces")
            headers += [("Replaces", value), ("Require", "replaces")]
            break
    plain = uri.replace(headers=(), parameters=uri.parameters.without("method"))
    return ReferredCall(str(plain.escaped()), tuple(headers))
