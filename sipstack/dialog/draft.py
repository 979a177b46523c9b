"""A request before its flow is known.

Via and Contact name the address that the peer will answer to, and only the flow tells which of ours that is.
So a request is drafted first, routed, and written out once: nothing is sent with a placeholder, nothing
rewritten.
"""

from __future__ import annotations

import attrs

from sipstack.dialog.identity import ANONYMOUS, Identity
from sipstack.message import Headers, Request
from sipstack.message.headers import HeaderFields, header_value
from sipstack.message.registry import Row

NO_HEADERS = Headers()


def as_headers(headers: Headers | HeaderFields) -> Headers:
    """``headers`` ready to be written. Raises LocalProtocolError for what cannot be."""
    if isinstance(headers, Headers):
        return headers
    return Headers(headers) if headers else NO_HEADERS


@attrs.define(on_setattr=attrs.setters.NO_OP)
class Draft:
    """Everything of a request but Via and Contact. ``from_`` and ``to`` are header values with their tags.

    Immutable by convention: every request makes one, and a frozen class takes twice the time.
    """

    method: str
    uri: str
    from_: str
    to: str
    call_id: str
    cseq: int
    routes: tuple[str, ...] = ()
    headers: Headers = attrs.field(default=NO_HEADERS, converter=as_headers)
    body: bytes = b""
    contact: str | None = None
    """Parameters of our Contact, such as ``;expires=60``; "" for none; None for a request without Contact."""
    strict: bool = False
    """Whether ``uri`` is a strict router, to which the request goes before all routes."""
    identity: Identity = ANONYMOUS
    max_forwards: str = "70"
    session_id: str = ""
    """The Session-ID of its dialog (RFC 7989); empty where that has none."""

    @property
    def next_hop(self) -> str:
        """The name-addr or URI that decides where the request goes first (RFC 3261 §8.1.2)."""
        return self.routes[0] if self.routes and not self.strict else self.uri

    def write(self, via: str, contact: str) -> Request:
        """The request as it goes over a flow: ``via`` is our Via value, ``contact`` our Contact URI.

        Raises LocalProtocolError when a value holds CR, LF or NUL.
        """
        # Together: a quarter of the cost of four checks
        header_value(f"{via}{self.from_}{self.to}{self.call_id}")
        index: dict[str, Row] = {"Via": via}
        if self.routes:
            routes = [header_value(route) for route in self.routes]
            index["Route"] = routes if len(routes) > 1 else routes[0]
        index["Max-Forwards"] = self.max_forwards
        index["From"] = self.from_
        index["To"] = self.to
        index["Call-ID"] = self.call_id
        index["CSeq"] = f"{self.cseq} {self.method}"
        if self.session_id:
            index["Session-ID"] = self.session_id
        if self.contact is not None:
            index["Contact"] = header_value(f"<{contact}>{self.contact}")
        headers = Headers.of_index(index)
        if self.headers.index:
            headers = headers.joined(self.headers)
        return Request(self.method, self.uri, headers, self.body)
