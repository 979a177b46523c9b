"""A session description: every line as it was written, and typed views on top (RFC 8866)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.codec import Codec, read_codecs
from sipstack.sdp.fields import MAX_PORT, Connection, Direction, MediaLine, Origin, Timing
from sipstack.sdp.grammar import decimal, shortened
from sipstack.sdp.section import NOTHING, Section, copy_of, readable, types_of, views

MAX_PTIME = 1000.0
"""Milliseconds; a longer packet than this is not meant."""


@attrs.frozen
class MediaDescription(Section):
    """One m= line and the lines that belong to it."""

    line: MediaLine = attrs.field(init=False, eq=False, repr=False)
    _codecs: tuple[Codec, ...] | None = attrs.field(init=False, eq=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        # The lines below the m= come again in the calls of a peer; the m= has another port each time.
        first = types_of(self.lines[:1])
        below = views(self.lines[1:]) if len(self.lines) > 1 else NOTHING
        if first != "m" or "m" in below.types or "v" in below.types:
            raise LocalProtocolError("a media part begins with its one m= and has no v=")
        object.__setattr__(self, "_views", below)
        object.__setattr__(self, "line", MediaLine.parse(self.lines[0][2:]))

    @property
    def types(self) -> str:
        return f"m{self._views.types}"

    @property
    def kind(self) -> str:
        """``audio``, ``video``, ``image``, …"""
        return self.line.kind

    @property
    def port(self) -> int:
        return self.line.port

    @property
    def protocol(self) -> str:
        """``RTP/AVP``, ``RTP/SAVP``, ``udptl``, …"""
        return self.line.protocol

    @property
    def formats(self) -> tuple[str, ...]:
        """The format list as written; for RTP, payload type numbers."""
        return self.line.formats

    @property
    def rejected(self) -> bool:
        """True for port 0: refused by an answer, or taken out of the session by an offer."""
        return self.line.port == 0

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The RTP codecs in the order of the m-line, static payload types included; () when not RTP."""
        if self._codecs is None:
            object.__setattr__(self, "_codecs", self._read_codecs())
        return self._codecs or ()

    def _read_codecs(self) -> tuple[Codec, ...]:
        if "RTP/" not in self.line.protocol:
            return ()
        return read_codecs(self.line.formats, self.attribute_values("rtpmap"), self.attribute_values("fmtp"))

    @property
    def ptime(self) -> float | None:
        """Milliseconds of media that this side wants in a packet."""
        return _milliseconds(self.attribute("ptime"))

    @property
    def maxptime(self) -> float | None:
        """Milliseconds of media that this side can take in a packet."""
        return _milliseconds(self.attribute("maxptime"))

    @property
    def rtcp_mux(self) -> bool:
        """RTP and RTCP share one port (RFC 5761)."""
        return self.attribute("rtcp-mux") is not None

    @property
    def rtcp(self) -> tuple[int, str | None] | None:
        """Port and, when given, address of a=rtcp (RFC 3605); None leaves RTCP at the port above RTP's."""
        port_text, *address = (self.attribute("rtcp") or "").split() or [""]
        port = decimal(port_text, MAX_PORT)
        if not port or len(address) not in (0, 3):
            return None
        return port, address[2] if address else None

    def at_port(self, port: int) -> Self:
        """A copy with another port, and all else the same: it costs less than ``with_line``."""
        line = self.line
        moved = MediaLine(line.kind, port, line.protocol, line.formats, line.count)
        copy = copy_of(self, (f"m={moved}", *self.lines[1:]))
        object.__setattr__(copy, "line", moved)
        object.__setattr__(copy, "_codecs", self._codecs)
        return copy

    def with_line(self, line: MediaLine) -> Self:
        """A copy with another m= line and the same lines below it."""
        return self.with_lines("m", str(line))


@attrs.frozen
class SessionDescription(Section):
    """A whole description. ``lines`` is the session part, ``media`` one part for each m-line.

    ``str()`` and ``bytes()`` write it with CRLF line ends; ``sipstack.sdp.parse`` reads it back.
    Equal when all lines are equal.
    """

    media: tuple[MediaDescription, ...] = ()

    def __attrs_post_init__(self) -> None:
        # All but the o= comes again in the calls of a peer.
        origins = tuple([line for line in self.lines if line[:1] == "o"])
        others = views(tuple([line for line in self.lines if line[:1] != "o"]))
        types = others.types
        if self.lines[0][:1] != "v" or types.count("v") != 1 or not origins or "m" in types:
            raise LocalProtocolError("a session part begins with its one v=, has an o= and no m=")
        types_of(origins)
        object.__setattr__(self, "_views", others)
        if self.lines[0][2:].strip() != "0":
            raise ParseError(f"not version 0 of SDP: {shortened(self.lines[0])}")

    def __str__(self) -> str:
        lines = list(self.lines)
        for medium in self.media:
            lines += medium.lines
        lines.append("")
        return "\r\n".join(lines)

    def __bytes__(self) -> bytes:
        try:
            return str(self).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise LocalProtocolError(f"an SDP line is not text: {error}") from None

    @property
    def types(self) -> str:
        return "".join([line[0] for line in self.lines])

    @property
    def origin(self) -> Origin:
        """o=. Only its maker goes by it, so one that cannot be read does no harm until it is asked for:
        then ParseError is raised.
        """
        return Origin.parse(next(iter(self.values("o")), ""))

    @property
    def name(self) -> str:
        """s=: "-" or empty in most calls."""
        return next(iter(self.values("s")), "")

    @property
    def uri(self) -> str | None:
        """u=: where more is said about the session."""
        return next(iter(self.values("u")), None)

    @property
    def emails(self) -> tuple[str, ...]:
        return self.values("e")

    @property
    def phones(self) -> tuple[str, ...]:
        return self.values("p")

    @property
    def timings(self) -> tuple[Timing, ...]:
        return tuple(readable(Timing.parse, self.values("t")))

    def connection_of(self, medium: MediaDescription) -> Connection | None:
        """The c= of this m-line, else that of the session; None without both, or when it cannot be read."""
        return medium.connection if "c" in medium._views.types else self.connection

    def direction_of(self, medium: MediaDescription) -> Direction:
        """The direction of this m-line: its own, else the session's, else sendrecv (RFC 8866 §6.7).

        A connection address of 0.0.0.0 is the hold of RFC 2543: that side does not receive, whatever its
        attribute (RFC 3264 §8.4). With ICE it only means that no candidate is known yet (RFC 8829 §5.2.1).
        """
        direction = medium.direction or self.direction or Direction.SENDRECV
        connection = self.connection_of(medium)
        if connection is None or not connection.nowhere or self._uses_ice(medium):
            return direction
        return Direction.of(sends=direction.sends, receives=False)

    def _uses_ice(self, medium: MediaDescription) -> bool:
        return any(part.attribute("ice-ufrag") is not None for part in (medium, self))

    def with_origin(self, origin: Origin) -> Self:
        return self.with_lines("o", str(origin))

    def anew(self, origin: Origin, media: Iterable[MediaDescription]) -> Self:
        """A copy by another maker, with other media and all else the same: it costs less than the others."""
        copy = copy_of(self, tuple([f"o={origin}" if line[0] == "o" else line for line in self.lines]))
        object.__setattr__(copy, "media", tuple(media))
        return copy

    def with_media(self, media: Iterable[MediaDescription]) -> Self:
        return attrs.evolve(self, media=tuple(media))

    def with_medium(self, index: int, medium: MediaDescription) -> Self:
        """A copy with another m-line in the place of one that is there."""
        media = list(self.media)
        media[index] = medium
        return attrs.evolve(self, media=tuple(media))


def _milliseconds(text: str | None) -> float | None:
    if text is None or not text.replace(".", "", 1).isdigit() or not text.isascii() or len(text) > 10:
        return None
    value = float(text)
    return value if 0 < value <= MAX_PTIME else None
