"""Checks of what the application gives: before anything is sent, where a mistake can still be raised."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from sipstack.core.peers import Peers
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Headers, NameAddr, Request, SipUri, TelUri, Uri
from sipstack.message.address import parse_name_addr
from sipstack.message.digest import Algorithm
from sipstack.message.grammar import is_token
from sipstack.message.headers import HeaderFields, header_value

HeadersArgument = Mapping[str, object] | Iterable[tuple[str, object]]
"""``headers=`` of the public API: names and values of header fields in order."""

OF_CALLS = frozenset({"ACK", "BYE", "CANCEL", "INVITE", "PRACK", "UPDATE"})
"""Methods that mean nothing outside of a call."""

OF_EVENTS = frozenset({"NOTIFY", "PUBLISH", "SUBSCRIBE"})
"""Methods whose requests name an event package (RFC 6665, RFC 3903)."""

# Fields that the stack owns, and what to give instead
IN_REQUESTS = {
    "Via": "the transport writes it",
    "From": "give from_= or account=",
    "To": "it is the target",
    "Call-ID": "the stack chooses it",
    "CSeq": "the stack counts it",
    "Max-Forwards": "give max_forwards=",
    "Content-Length": "it follows from the body",
    "Route": "give proxy= to the user agent or the account",
    "Record-Route": "only proxies write it",
}
IN_REGISTERS = IN_REQUESTS | {"Contact": "the stack writes our address"}
IN_INVITES = IN_REGISTERS | {"Content-Type": "the session description is that of the media: give media="}
IN_TEXTS = IN_REQUESTS | {"Content-Type": "give content_type="}
IN_RESPONSES = dict.fromkeys(IN_REQUESTS, "it is that of the request") | {
    "Content-Length": "it follows from the body"
}
IN_ACCEPTANCES = IN_RESPONSES | {name: IN_INVITES[name] for name in ("Contact", "Content-Type")}


def header_fields(headers: HeadersArgument, owned: Mapping[str, str]) -> HeaderFields:
    """``headers`` as pairs. Raises LocalProtocolError for fields that cannot be written, or are ``owned``."""
    if not headers:
        return ()
    fields = tuple(headers.items() if isinstance(headers, Mapping) else headers)
    checked = Headers(fields)
    for name in checked.index:  # by its full name, however it was written
        if name in owned:
            raise LocalProtocolError(f"{name} cannot be given in headers=: {owned[name]}")
    for _, value in checked.items():
        check_encodable(value)
    if "Session-ID" in checked.index:
        check_session_id(checked)
    return fields


def check_session_id(headers: Headers) -> None:
    """Raises LocalProtocolError unless a peer can read it (RFC 7989 §5)."""
    try:
        headers.typed("Session-ID")
    except ParseError as error:
        raise LocalProtocolError(f"no Session-ID: {error}") from None


def sip_uri(text: str, example: str) -> SipUri:
    """``text`` as a SIP URI, with the escapes that it needs. Raises LocalProtocolError that shows how to
    write one.
    """
    uri = _uri(text)
    if not isinstance(uri, SipUri):
        raise LocalProtocolError(f"{text!r} is no SIP URI: write it like {example}")
    return uri.escaped()


def address_of_record(text: str) -> SipUri:
    """``text`` as an address-of-record. Raises LocalProtocolError; also for a password in it, which would go
    out in every From.
    """
    uri = sip_uri(text, "sip:alice@example.com")
    if uri.password is not None:
        raise LocalProtocolError("an address-of-record has no password in it: give password=")
    return uri


def loose_route(proxy: str) -> str:
    """``proxy`` as a Route value, with ``lr`` so that it gets the Request-URI untouched (RFC 3261 §8.1.2)."""
    uri = sip_uri(proxy.strip("<>"), "sip:proxy.example.com")
    return f"<{uri}>" if "lr" in uri.parameters else f"<{uri};lr>"


def edge_proxies(outbound: bool | Sequence[str]) -> list[str | None]:
    """The route value of each flow; None for that of the account. Raises LocalProtocolError."""
    if isinstance(outbound, bool):
        return [None] if outbound else []
    if isinstance(outbound, str) or not outbound:
        raise LocalProtocolError("outbound= takes True, or a list with the URIs of edge proxies")
    routes = [loose_route(proxy) for proxy in outbound]
    if len(set(routes)) != len(routes):
        raise LocalProtocolError("outbound= names an edge proxy twice: each flow needs another")
    return [*routes]


def from_value(address: str | NameAddr) -> str:
    """``address``, a URI or a name-addr, as a From value without its tag. Raises LocalProtocolError."""
    text = check_encodable(str(address))
    try:
        parsed = NameAddr.parse(text if "<" in text else f"<{text}>")
        uri = parsed.uri
        if isinstance(uri, SipUri):
            uri = uri.escaped() if uri.password is None else uri.replace(password=None).escaped()
        if isinstance(uri, SipUri | TelUri):
            return check_text(str(NameAddr(uri, parsed.display_name)))
    except ParseError:
        pass
    raise LocalProtocolError(f'{text!r} cannot be a From: write it like "Bob" <sip:bob@example.com>')


def target_uri(target: str) -> str:
    """``target`` as a Request-URI, with the escapes that it needs. Raises LocalProtocolError unless it is a
    sip, sips or tel URI that can be one (§19.1.1).
    """
    uri = _uri(target)
    if not isinstance(uri, SipUri | TelUri):
        raise LocalProtocolError(f"{target!r} cannot be called: write it like sip:bob@example.com")
    if isinstance(uri, SipUri) and (uri.headers or "method" in uri.parameters):
        raise LocalProtocolError(f"{target!r} cannot be called: leave out ?headers and ;method")
    return str(uri.escaped()) if isinstance(uri, SipUri) else target


def check_text(text: str) -> str:
    """``text`` itself. Raises LocalProtocolError when no header field can hold it."""
    return header_value(check_encodable(text))


def check_encodable(text: str) -> str:
    """``text`` itself. Raises LocalProtocolError for a lone surrogate, which no octets stand for; those of
    octets that were not UTF-8 when they came (PEP 383) may be passed on.
    """
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise LocalProtocolError(f"{text!r} cannot be written in UTF-8") from None
    return text


def check_max_forwards(count: int) -> None:
    """Raises LocalProtocolError unless ``count`` can be a Max-Forwards (§20.22)."""
    if not 0 <= count <= 255:
        raise LocalProtocolError(f"max_forwards is 0 to 255, not {count}")


def check_method(method: str) -> None:
    """Raises LocalProtocolError unless ``method`` can stand for itself."""
    if method in OF_CALLS:
        raise LocalProtocolError(f"{method} belongs to a call: use call(), invite() or a handler of calls")
    Request(method, "sip:check.invalid")


def check_packages(packages: Collection[str], methods: Collection[str]) -> None:
    """Raises LocalProtocolError unless ``packages`` can stand in Allow-Events, and there is a method among
    ``methods`` that takes their requests.
    """
    if isinstance(packages, str):
        raise LocalProtocolError(f"packages is a list of names: write it like [{packages!r}]")
    for package in packages:
        if not is_token(package):
            raise LocalProtocolError(f"{package!r} is no name of an event package")
    if packages and OF_EVENTS.isdisjoint(methods):
        raise LocalProtocolError(f"packages need a handler in requests for {', '.join(sorted(OF_EVENTS))}")


def check_info_packages(packages: Collection[str]) -> None:
    """Raises LocalProtocolError unless ``packages`` can stand in Recv-Info."""
    for package in packages:
        if not is_token(package):
            raise LocalProtocolError(f"{package!r} is no name of an Info Package")


def check_algorithm(token: str) -> None:
    """Raises LocalProtocolError unless ``token`` names a digest algorithm that we can calculate."""
    if Algorithm.find(token) is None:
        raise LocalProtocolError(f"{token!r} is no digest algorithm: write MD5, SHA-256 or SHA-512-256")


def check_peers(text: str) -> str:
    """``text`` itself. Raises LocalProtocolError unless it says who may send requests in a call."""
    known = [each.value for each in Peers]
    if text not in known:
        raise LocalProtocolError(f"{text!r} is none of {', '.join(known)}")
    return text


def check_instance(urn: str) -> None:
    """Raises LocalProtocolError unless ``urn`` can be an instance-id (RFC 5626 §4.1)."""
    if not _is_urn(urn):
        raise LocalProtocolError(f"{urn!r} is no URN: give uuid.uuid4().urn, made once and kept")


_URN = r"urn:[A-Z0-9][A-Z0-9-]{0,31}:[A-Z0-9()+,\-.:=@;$_!*'%/?#]+"
_is_urn = re.compile(
    r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*'%/?#]+", re.IGNORECASE
).fullmatch


def check_host(host: str) -> None:
    """Raises LocalProtocolError unless ``host`` is a host name or an IP address."""
    uri = _uri(f"sip:{host}") or _uri(f"sip:[{host}]")
    if not isinstance(uri, SipUri) or uri.user or uri.port or uri.parameters or uri.headers:
        raise LocalProtocolError(f"{host!r} is no host name or IP address")


def check_contact_host(text: str) -> None:
    """Raises LocalProtocolError unless it is a host with or without a port and parameters."""
    uri = _uri(f"sip:{text}")
    if not isinstance(uri, SipUri) or uri.user or uri.headers or '"' in text:
        raise LocalProtocolError(f"{text!r} is no HOST or HOST:PORT for our Contact")


def check_seconds(seconds: float | None) -> float | None:
    """Raises LocalProtocolError unless it is a time, or None."""
    if seconds is not None and not 1.0 <= seconds < math.inf:
        raise LocalProtocolError(f"{seconds!r}: between two keep-alives is a second at the least, or None")
    return seconds


def _uri(text: str) -> Uri | None:
    check_encodable(text)
    try:
        return parse_name_addr(f"<{header_value(text)}>").uri
    except (LocalProtocolError, ParseError):
        return None
