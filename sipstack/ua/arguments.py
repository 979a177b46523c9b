"""What the application may write: checked before anything is sent, where the mistake can still be raised."""

from __future__ import annotations

from collections.abc import Iterable

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Headers, Request, SipUri, TelUri, Uri
from sipstack.message.address import parse_name_addr

OF_CALLS = frozenset({"ACK", "BYE", "CANCEL", "INVITE", "PRACK", "UPDATE"})
"""Methods that mean nothing outside of a call."""


def sip_uri(text: str, example: str) -> SipUri:
    """``text`` as a SIP URI. Raises LocalProtocolError that shows how to write one."""
    uri = _uri(text)
    if not isinstance(uri, SipUri):
        raise LocalProtocolError(f"{text!r} is no SIP URI: write it like {example}")
    return uri


def loose_route(proxy: str) -> str:
    """``proxy`` as a Route value, with ``lr`` so that it gets the Request-URI untouched (RFC 3261 §8.1.2)."""
    uri = sip_uri(proxy.strip("<>"), "sip:proxy.example.com")
    return f"<{uri}>" if "lr" in uri.parameters else f"<{uri};lr>"


def check_target(target: str) -> None:
    """Raises LocalProtocolError unless ``target`` is a sip, sips or tel URI that can be a Request-URI
    (§19.1.1).
    """
    uri = _uri(target)
    if not isinstance(uri, SipUri | TelUri):
        raise LocalProtocolError(f"{target!r} cannot be called: write it like sip:bob@example.com")
    if isinstance(uri, SipUri) and (uri.headers or "method" in uri.parameters):
        raise LocalProtocolError(f"{target!r} cannot be called: leave out ?headers and ;method")


def check_headers(headers: Iterable[tuple[str, object]]) -> None:
    """Raises LocalProtocolError when a header field cannot be written."""
    Headers(headers)


def check_method(method: str) -> None:
    """Raises LocalProtocolError unless ``method`` can stand for itself."""
    if method in OF_CALLS:
        raise LocalProtocolError(f"{method} belongs to a call: use call() or invite()")
    Request(method, "sip:check.invalid")


def _uri(text: str) -> Uri | None:
    try:
        return parse_name_addr(f"<{text}>").uri
    except ParseError:
        return None
