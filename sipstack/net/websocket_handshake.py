"""The two ends of a WebSocket handshake for SIP (RFC 7118 §4), and why one came to nothing."""

from __future__ import annotations

import logging

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, NegotiationError
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from sipstack.core.outputs import Target
from sipstack.errors import TransportError, printable
from sipstack.message.stream import Limits

SIP = Subprotocol("sip")
LONGEST = Limits().head + Limits().body
"""Octets of one message, however many fragments it comes in."""
# the package would write whole messages and handshakes, with the credentials in them
_SILENT = logging.Logger("sipstack.transport.websocket", logging.CRITICAL + 1)


def as_server(origins: tuple[str, ...]) -> ServerProtocol:
    allowed = [Origin(each) for each in origins] or None
    return ServerProtocol(origins=allowed, subprotocols=[SIP], max_size=LONGEST, logger=_SILENT)


def as_client(target: Target) -> ClientProtocol:
    host, path = target.domain or target.address[0], target.path
    if not _is_visible(path) or not _is_visible(host):
        raise TransportError(f"{path!r} is no path, or {host!r} no host, that a WebSocket can ask for")
    path = path if path.startswith("/") else f"/{path}"
    where = WebSocketURI(target.transport == "WSS", host, target.address[1], path, "")
    return ClientProtocol(where, subprotocols=[SIP], max_size=LONGEST, logger=_SILENT)


def _is_visible(text: str) -> bool:
    return all("!" <= each <= "~" for each in text)


def in_words(error: Exception, target: Target | None) -> str:
    if target is not None and isinstance(error, InvalidStatus):
        path, status = target.path or "/", error.response.status_code
        return f"answers {status} to a WebSocket on {path}: is the path right?"
    if target is not None and isinstance(error, NegotiationError):
        return f"does not agree to the subprotocol 'sip' (RFC 7118): {printable(str(error))}"
    return f"no WebSocket handshake: {printable(str(error))}"
