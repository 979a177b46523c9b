"""Requests and responses (RFC 3261 §7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from sipstack.errors import AuthenticationFailed, LocalProtocolError, ParseError, RequestFailed
from sipstack.message.address import NameAddr, parse_name_addr
from sipstack.message.contact import WILDCARD
from sipstack.message.fields import METHODS, CSeq, parse_call_id
from sipstack.message.grammar import is_token
from sipstack.message.headers import Headers, header_value
from sipstack.message.other_uri import Uri, parse_uri
from sipstack.message.parameterised import MediaType
from sipstack.message.registry import Row
from sipstack.message.status import reason as default_reason
from sipstack.message.via import Via

_new = object.__new__

_not_in_a_uri = re.compile(r"[\x00-\x20\x7f]").search
ECHOED = ("Via", "From", "To", "Call-ID", "CSeq")
"""The fields of a request that each of its responses repeats (§8.2.6.2)."""


class _Message:
    """Header fields, their typed values, and the body: shared by requests and responses.

    Messages are immutable by convention. The typed values are parsed on first use and cached; one that is
    mandatory and missing, or broken, raises ParseError.
    """

    __slots__ = ("_call_id", "_cseq", "_from", "_to", "_via", "_wire", "body", "headers")

    headers: Headers
    body: bytes
    _wire: bytes | None
    _via: Via | None
    _from: NameAddr | None
    _to: NameAddr | None
    _call_id: str | None
    _cseq: CSeq | None

    def _fill(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._wire = self._via = self._from = self._to = self._call_id = self._cseq = None

    @property
    def start_line(self) -> str:
        """The request line or status line, without line end."""
        raise NotImplementedError

    @property
    def via(self) -> Via:
        """The topmost Via."""
        via = self._via
        if via is None:
            row = self.headers.index.get("Via")
            if row is None:
                raise ParseError("Via is missing")
            text = row if isinstance(row, str) else row[0]
            via = self._via = Via.parse(text) if "," not in text else self.vias[0]
        return via

    @property
    def from_(self) -> NameAddr:
        """From."""
        address = self._from
        if address is None:
            row = self.headers.index.get("From")
            address = self._from = parse_name_addr(row if isinstance(row, str) else _not_once("From", row))
        return address

    @property
    def to(self) -> NameAddr:
        """To."""
        address = self._to
        if address is None:
            row = self.headers.index.get("To")
            address = self._to = parse_name_addr(row if isinstance(row, str) else _not_once("To", row))
        return address

    @property
    def call_id(self) -> str:
        """Call-ID."""
        call_id = self._call_id
        if call_id is None:
            row = self.headers.index.get("Call-ID")
            call_id = self._call_id = parse_call_id(
                row if isinstance(row, str) else _not_once("Call-ID", row)
            )
        return call_id

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        cseq = self._cseq
        if cseq is None:
            row = self.headers.index.get("CSeq")
            cseq = self._cseq = CSeq.parse(row if isinstance(row, str) else _not_once("CSeq", row))
        return cseq

    @property
    def vias(self) -> tuple[Via, ...]:
        """All Vias, the topmost first."""
        vias: tuple[Via, ...] = self.headers.typed("Via")
        return vias

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255."""
        hops: int | None = self.headers.typed("Max-Forwards")
        return hops

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All Contacts; empty when the field says ``*``, see ``wildcard_contact``."""
        contacts: tuple[Any, ...] = self.headers.typed("Contact")
        if len(contacts) == 1:
            return () if contacts[0] is WILDCARD else contacts
        if any(contact is WILDCARD for contact in contacts):
            raise ParseError("Contact has * and something else")
        return contacts

    @property
    def wildcard_contact(self) -> bool:
        """Whether Contact is ``*``: a REGISTER that removes all bindings (§10.2.2)."""
        return self.headers.get("Contact") == WILDCARD

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """All Routes, the next hop first."""
        routes: tuple[NameAddr, ...] = self.headers.typed("Route")
        return routes

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """All Record-Routes, the proxy nearest to the receiver of the request first."""
        routes: tuple[NameAddr, ...] = self.headers.typed("Record-Route")
        return routes

    @property
    def content_type(self) -> MediaType | None:
        """Content-Type."""
        content_type: MediaType | None = self.headers.typed("Content-Type")
        return content_type

    @property
    def expires(self) -> int | None:
        """Expires, in seconds."""
        expires: int | None = self.headers.typed("Expires")
        return expires

    @property
    def require(self) -> tuple[str, ...]:
        """The option tags of Require."""
        tags: tuple[str, ...] = self.headers.typed("Require")
        return tags

    @property
    def supported(self) -> tuple[str, ...]:
        """The option tags of Supported."""
        tags: tuple[str, ...] = self.headers.typed("Supported")
        return tags

    @property
    def allow(self) -> tuple[str, ...]:
        """The methods of Allow."""
        methods: tuple[str, ...] = self.headers.typed("Allow")
        return methods

    def __bytes__(self) -> bytes:
        """The message as it goes to the network, with the Content-Length that its body has. Cached."""
        if self._wire is None:
            self._wire = self._write()
        return self._wire

    def _write(self) -> bytes:
        index = self.headers.index
        if "Content-Length" in index:
            index = self.headers.without("Content-Length").index
        lines = [f"{name}: {row}" if type(row) is str else _lines(name, row) for name, row in index.items()]
        head = "\r\n".join([self.start_line, *lines, f"Content-Length: {len(self.body)}\r\n\r\n"])
        try:
            return head.encode("utf-8", "surrogateescape") + self.body
        except UnicodeEncodeError as error:
            raise LocalProtocolError(f"a header field holds what UTF-8 cannot write: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Message):
            return NotImplemented
        return (
            self.start_line == other.start_line
            and self.body == other.body
            and self.headers.without("Content-Length") == other.headers.without("Content-Length")
        )

    def __hash__(self) -> int:
        return hash((self.start_line, self.body))

    def __repr__(self) -> str:
        headers = self.headers
        return (
            f"<{type(self).__name__} {self.start_line} Call-ID={headers.get('Call-ID')!r} "
            f"CSeq={headers.get('CSeq')!r} headers={len(headers)} body={len(self.body)}>"
        )


def _not_once(name: str, row: Row | None) -> NoReturn:
    """Raises ParseError: the message has none or several of a field that must come exactly once."""
    raise ParseError(f"{name} is missing" if row is None else f"{name} comes more than once")


def _lines(name: str, values: Iterable[str]) -> str:
    """The lines of a field that stands several times."""
    return "\r\n".join([f"{name}: {value}" for value in values])


class Request(_Message):
    """A request. ``uri`` may be given as text; it is parsed on first use."""

    __slots__ = ("_uri", "method", "session_id")

    method: str
    _uri: Uri | str
    session_id: str
    """The Session-ID of our responses to it (RFC 7989); empty for none."""

    def __init__(
        self,
        method: str,
        uri: Uri | str,
        headers: Headers | Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> None:
        if method not in METHODS and not is_token(method):
            raise LocalProtocolError(f"not a method: {method!r}")
        text = str(uri)
        if not text or _not_in_a_uri(text):
            raise LocalProtocolError(f"not a Request-URI: {text!r}")
        self.method = method
        self._uri = uri
        self.session_id = ""
        self._fill(headers if isinstance(headers, Headers) else Headers(headers), body)

    @classmethod
    def of_parts(cls, method: str, uri: Uri | str, headers: Headers, body: bytes) -> Request:
        """From parts that have been checked; the parser's way in."""
        request = _new(cls)
        request.method = method
        request._uri = uri
        request.session_id = ""
        request._fill(headers, body)
        return request

    @property
    def uri(self) -> Uri:
        """The Request-URI."""
        uri = self._uri
        if isinstance(uri, str):
            uri = self._uri = parse_uri(uri)
        return uri

    @property
    def uri_text(self) -> str:
        """The Request-URI as written, be it a URI or not."""
        return str(self._uri)

    @property
    def start_line(self) -> str:
        """The request line, without line end."""
        return f"{self.method} {self._uri} SIP/2.0"

    def with_headers(self, headers: Headers) -> Request:
        """The same request, as it came, with other header fields."""
        return Request.of_parts(self.method, self._uri, headers, self.body)

    def replace(self, **changes: Any) -> Request:
        """A new request with ``method``, ``uri``, ``headers`` or ``body`` changed."""
        parts: dict[str, Any] = {
            "method": self.method,
            "uri": self._uri,
            "headers": self.headers,
            "body": self.body,
        }
        return Request(**(parts | changes))

    def response(
        self,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Headers | Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> Response:
        """The response to this request (§8.2.6.2): Via, From, To, Call-ID and CSeq are echoed as they came.

        ``to_tag`` is added to To unless To has a tag already; a 100 echoes Timestamp.
        """
        received = self.headers.index
        index: dict[str, Row] = {name: received[name] for name in ECHOED if name in received}
        if to_tag is not None:
            self._add_tag(index, to_tag)
        if status == 100 and "Timestamp" in received:
            index["Timestamp"] = received["Timestamp"]
        if self.session_id:
            index["Session-ID"] = self.session_id
        echo = Headers.of_index(index)
        if headers:
            echo = echo.joined(headers if isinstance(headers, Headers) else Headers(headers))
        return Response(status, reason, echo, body)

    def _add_tag(self, index: dict[str, Row], tag: str) -> None:
        try:
            untagged = self.to.tag is None
        except ParseError:
            untagged = True
        to = index.get("To")
        if untagged and isinstance(to, str):
            index["To"] = f"{to};tag={header_value(tag)}" if to[-1:] != ";" else with_tag(to, tag)


def with_tag(to: str, tag: str) -> str:
    """A To value without a tag, with this one. A semicolon at its end, which some peers write, goes."""
    return f"{to.rstrip('; ')};tag={header_value(tag)}"


class Response(_Message):
    """A response. Without ``reason`` it has the default phrase of its status."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> None:
        if not 100 <= status <= 699:
            raise LocalProtocolError(f"not a status code: {status}")
        if reason is None:
            reason = default_reason(status)
        elif "\r" in reason or "\n" in reason or "\0" in reason:
            raise LocalProtocolError(f"a reason phrase cannot hold CR, LF or NUL: {reason!r}")
        self.status = status
        self.reason = reason
        self._fill(headers if isinstance(headers, Headers) else Headers(headers), body)

    @property
    def start_line(self) -> str:
        """The status line, without line end."""
        return f"SIP/2.0 {self.status} {self.reason}"

    def raise_for_status(self) -> Response:
        """The response itself when it is a 1xx or 2xx.

        Raises AuthenticationFailed for a 401 or 407, and RequestFailed for any other final response.
        """
        if self.status < 300:
            return self
        raise AuthenticationFailed(self) if self.status in (401, 407) else RequestFailed(self)

    def replace(self, **changes: Any) -> Response:
        """A new response with ``status``, ``reason``, ``headers`` or ``body`` changed."""
        parts: dict[str, Any] = {
            "status": self.status,
            "reason": self.reason if "status" not in changes else None,
            "headers": self.headers,
            "body": self.body,
        }
        return Response(**(parts | changes))
