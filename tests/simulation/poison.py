"""Messages as a stranger may write them: legal or nearly so, and in every field what nobody expects."""

from __future__ import annotations

import random
from collections.abc import Callable

NUL = b'"\\\0"'
VALUES = (
    NUL,
    NUL + b" <sip:x@192.0.2.66>",
    NUL + b" <sip:x@192.0.2.66>;tag=" + b"x" * 300,
    b"<sip:x@nowhere.invalid;transport=tcp>",
    b"<sips:x@192.0.2.66>",
    b"<sip:\xff\xfe@192.0.2.66>",
    b"<sip:x@192.0.2.66;lr>," * 40,
    b"\x00",
    b"",
    b"0",
    b"99999999999999999999",
    b"-1",
    b"*",
    b",;,",
    b"Digest realm=" + NUL + b', nonce="n", qop="auth"',
    b"SIP/2.0/UDP h;branch=z9hG4bK;x=" + NUL,
    b"SIP;cause=200;text=" + NUL,
)
NAMES = (
    *(b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Record-Route", b"Route", b"Max-Forwards"),
    *(b"Reason", b"Retry-After", b"Expires", b"Require", b"Supported", b"Allow", b"Event", b"Subject"),
    *(b"Content-Type", b"Content-Length", b"WWW-Authenticate", b"Proxy-Authenticate", b"Authorization"),
    *(b"Timestamp", b"Warning"),
)


class Poison:
    """Spoils some of the messages that pass, as a seed says."""

    def __init__(self, draw: random.Random, share: float) -> None:
        self._draw = draw
        self._share = share
        self._ways: list[Callable[[list[bytes]], None]] = [
            self._quote,
            self._replace,
            self._add,
            self._drop,
            self._double,
        ]

    def spoil(self, data: bytes) -> bytes:
        """``data``, or what becomes of it."""
        draw = self._draw
        if draw.random() >= self._share:
            return data
        head, empty, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        if len(lines) > 1:
            draw.choice(self._ways)(lines)
        if draw.random() < 0.1:
            body = draw.choice([b"", b"v=0\r\n", NUL, body[: len(body) // 2], body * 2])
        return b"\r\n".join(lines) + empty + body

    def _line(self, lines: list[bytes]) -> int:
        return self._draw.randrange(1, len(lines))

    def _quote(self, lines: list[bytes]) -> None:
        """A display name that is legal, and holds NUL."""
        at = self._line(lines)
        name, colon, value = lines[at].partition(b": ")
        if name in (b"From", b"To", b"Contact", b"Record-Route", b"Route") and value.startswith(b"<"):
            value = NUL + b" " + value
        else:
            value += b";x=" + NUL
        lines[at] = name + colon + value

    def _replace(self, lines: list[bytes]) -> None:
        at = self._line(lines)
        lines[at] = lines[at].partition(b": ")[0] + b": " + self._draw.choice(VALUES)

    def _add(self, lines: list[bytes]) -> None:
        field = self._draw.choice(NAMES) + b": " + self._draw.choice(VALUES)
        lines.insert(self._draw.randrange(1, len(lines) + 1), field)

    def _drop(self, lines: list[bytes]) -> None:
        del lines[self._line(lines)]

    def _double(self, lines: list[bytes]) -> None:
        at = self._line(lines)
        lines.insert(at, lines[at])
