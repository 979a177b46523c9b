"""Messages out of a stream of octets (RFC 3261 §18.3, RFC 5626 §3.5.1)."""

from __future__ import annotations

import re

import attrs

from sipstack.errors import ParseError
from sipstack.message.parser import content_length
from sipstack.message.partial import MalformedMessage, partial_request

_fold = re.compile(r"\r\n[ \t]++").sub
_content_lengths = re.compile(
    rb"\r\n(?:Content-Length|l)[ \t]*+:((?:[^\r\n]|\r\n[ \t])*+)", re.IGNORECASE
).findall


@attrs.frozen
class Limits:
    """The most that a peer may send, in octets; ``fields`` counts the lines of the header section."""

    start_line: int = 8192
    head: int = 65536
    fields: int = 1024
    body: int = 1048576


@attrs.frozen
class Ping:
    """A double CRLF between messages: the peer wants a single CRLF back (RFC 5626 §4.4.1); or it has sent two
    pongs, which look the same.
    """


@attrs.frozen
class Pong:
    """A single CRLF between messages: the answer to a ping of ours, or the line end that some peers add."""


class StreamParser:
    """Cuts a stream into the octets of single messages, however it was sliced on its way. Of each it reads
    the length and nothing else: ``parse`` reads the rest.

    An error is fatal: where the next message begins is not known, so the connection has to be closed.
    """

    __slots__ = ("_buffer", "_half", "_limits", "_searched", "_total", "error")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._half = False  # the last octets were one line end: another makes it a ping
        self._searched = 0
        self._total = 0  # octets of the message under way, once its header section is there
        self.error: MalformedMessage | None = None
        """Why the stream ended, once it has."""

    @property
    def is_within(self) -> bool:
        """Whether a message has begun, and is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Ping | Pong]:
        """The messages that ``data`` completes.

        Raises MalformedMessage when the stream is broken. Messages before the broken one are returned
        first: then ``error`` is set, and the next call raises it.
        """
        messages: list[bytes | Ping | Pong] = []
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

    def _next(self) -> bytes | Ping | Pong | None:
        """The next message, or None when more octets are needed."""
        buffer = self._buffer
        if not self._total:
            if buffer[:2] == b"\r\n":
                return self._take_line_end()
            self._half = self._half and len(buffer) < 2
            self._total = self._find_end()
        if not self._total or len(buffer) < self._total:
            return None
        message = bytes(buffer[: self._total])
        del buffer[: self._total]
        self._total = self._searched = 0
        return message

    def _take_line_end(self) -> Ping | Pong:
        """Between messages: two line ends are a ping, one is a pong; a ping cut in two is told as both."""
        buffer = self._buffer
        if self._half or buffer[2:4] == b"\r\n":
            del buffer[: 2 if self._half else 4]
            self._half = False
            return Ping()
        del buffer[:2]
        self._half = bytes(buffer) in (b"", b"\r")
        return Pong()

    def _find_end(self) -> int:
        """The length of the message that begins the buffer; 0 while its header section is not complete."""
        limits = self._limits
        buffer = self._buffer
        if len(buffer) > limits.start_line and buffer.find(b"\r\n", 0, limits.start_line + 2) < 0:
            raise ParseError("the start line is too long", 414)
        # Octets that were searched before are not searched again, except for a CRLFCRLF cut in two.
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(buffer)
        if (end if end >= 0 else len(buffer)) > limits.head:
            raise ParseError("the header section is too long", 513)
        return 0 if end < 0 else end + 4 + self._length(bytes(buffer[:end]))

    def _length(self, head: bytes) -> int:
        """The Content-Length of this header section."""
        limits = self._limits
        if head.count(b"\n") > limits.fields:
            raise ParseError("too many header fields", 513)
        if b"SIP/" not in head.partition(b"\r\n")[0].upper():
            raise ParseError("not a start line of SIP")
        found = [value.decode("latin-1") for value in _content_lengths(head)]
        if not found:
            raise ParseError("Content-Length is missing, and a stream needs it")
        length = content_length([_fold(" ", value).strip(" \t") for value in found])
        if length > limits.body:
            raise ParseError("the body is too long", 413)
        return length
