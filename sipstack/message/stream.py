"""Messages out of a stream of octets (RFC 3261 §18.3, RFC 5626 §3.5.1)."""

from __future__ import annotations

import attrs

from sipstack.errors import ParseError
from sipstack.message.message import Request, Response
from sipstack.message.parser import build, content_length, read_head
from sipstack.message.partial import MalformedMessage, partial_request
from sipstack.message.registry import Row


@attrs.frozen
class Limits:
    """The most that a peer may send, in octets; ``fields`` counts the lines of the header section."""

    start_line: int = 8192
    head: int = 65536
    fields: int = 1024
    body: int = 1048576


@attrs.frozen
class Ping:
    """A double CRLF between messages: the peer wants a single CRLF back (RFC 5626 §4.4.1)."""


@attrs.frozen
class _Head:
    """A header section whose body is still to come."""

    start: str
    index: dict[str, Row]
    end: int
    """Index of the body in the buffer."""
    total: int
    """Index of the next message."""


class StreamParser:
    """Cuts a stream into messages, however it was sliced on its way.

    An error is fatal: where the next message begins is not known, so the connection has to be closed.
    """

    __slots__ = ("_buffer", "_head", "_limits", "_searched", "error")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._searched = 0
        self._head: _Head | None = None
        self.error: MalformedMessage | None = None
        """Why the stream ended, once it has."""

    def feed(self, data: bytes) -> list[Request | Response | Ping]:
        """The messages that ``data`` completes.

        Raises MalformedMessage when the stream is broken. Messages before the broken one are returned
        first: then ``error`` is set, and the next call raises it.
        """
        messages: list[Request | Response | Ping] = []
        if self.error is None:
            self._buffer += data
            try:
                while (message := self._next()) is not None:
                    messages.append(message)
            except ParseError as error:
                self.error = MalformedMessage(error, partial_request(bytes(self._buffer)))
                self._buffer.clear()
        if self.error is not None and not messages:
            # A new one each time: the traceback of an error that is raised twice would grow
            raise MalformedMessage(self.error, self.error.request)
        return messages

    def _next(self) -> Request | Response | Ping | None:
        """The next message, or None when more octets are needed."""
        if self._head is None:
            if self._take_ping():
                return Ping()
            self._head = self._find_head()
            if self._head is None:
                return None
        head = self._head
        if len(self._buffer) < head.total:
            return None
        message = build(head.start, head.index, bytes(self._buffer[head.end : head.total]))
        del self._buffer[: head.total]
        self._head = None
        self._searched = 0
        return message

    def _take_ping(self) -> bool:
        """Remove the line ends before a message; True at a double CRLF. A single one is a pong."""
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            if buffer[:4] == b"\r\n\r\n":
                del buffer[:4]
                return True
            if bytes(buffer[:4]) in (b"\r\n", b"\r\n\r"):
                return False
            del buffer[:2]
        return False

    def _find_head(self) -> _Head | None:
        limits = self._limits
        buffer = self._buffer
        if len(buffer) > limits.start_line and buffer.find(b"\r\n", 0, limits.start_line + 2) < 0:
            raise ParseError("the start line is too long", 414)
        # Octets that were searched before are not searched again, except for a CRLFCRLF cut in two.
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(buffer)
        if (end if end >= 0 else len(buffer)) > limits.head:
            raise ParseError("the header section is too long", 513)
        return self._read_head(end) if end >= 0 else None

    def _read_head(self, end: int) -> _Head:
        limits = self._limits
        if self._buffer.count(b"\n", 0, end) > limits.fields:
            raise ParseError("too many header fields", 513)
        start, index = read_head(bytes(self._buffer[:end]))
        if "Content-Length" not in index:
            raise ParseError("Content-Length is missing, and a stream needs it")
        length = content_length(index["Content-Length"])
        if length > limits.body:
            raise ParseError("the body is too long", 413)
        return _Head(start, index, end + 4, end + 4 + length)
