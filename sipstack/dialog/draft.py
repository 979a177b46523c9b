"""A request before its flow is known.

Via and Contact name the address that the peer will answer to, and only the flow tells which of ours that is.
So a request is drafted first, routed, and written out once: nothing is sent with a placeholder, nothing
rewritten.
"""

from __future__ import annotations

import attrs

from sipstack.message import Request

Lines = tuple[tuple[str, object], ...]


@attrs.frozen
class Draft:
    """Everything of a request but Via and Contact. ``from_`` and ``to`` are header values with their tags."""

    method: str
    uri: str
    from_: str
    to: str
    call_id: str
    cseq: int
    routes: tuple[str, ...] = ()
    headers: Lines = ()
    body: bytes = b""
    contact: str | None = None
    """Parameters of our Contact, such as ``;expires=60``; "" for none; None for a request without Contact."""
    strict: bool = False
    """Whether ``uri`` is a strict router, to which the request goes before all routes."""

    @property
    def next_hop(self) -> str:
        """The name-addr or URI that decides where the request goes first (RFC 3261 §8.1.2)."""
        return self.routes[0] if self.routes and not self.strict else self.uri

    def write(self, via: str, contact: str) -> Request:
        """The request as it goes over a flow: ``via`` is our Via value, ``contact`` our Contact URI."""
        lines: list[tuple[str, object]] = [("Via", via)]
        if self.routes:
            lines += [("Route", route) for route in self.routes]
        lines += [
            ("Max-Forwards", "70"),
            ("From", self.from_),
            ("To", self.to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {self.method}"),
        ]
        if self.contact is not None:
            lines.append(("Contact", f"<{contact}>{self.contact}"))
        lines += self.headers
        return Request(self.method, self.uri, lines, self.body)
