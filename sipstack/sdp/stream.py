"""A stream of ours, and how it stands in our descriptions: one m-line and the lines below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import attrs

from sipstack.errors import LocalProtocolError, NegotiationError
from sipstack.sdp.capabilities import Capabilities
from sipstack.sdp.codec import Codec
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import MAX_PORT, Attribute, Connection, Direction, MediaLine


class Profile(Protocol):
    """The way in which the packets of a stream travel: the protocol of its m-line, and the attributes
    that go with it.

    SRTP with its keys in SDP (RFC 4568), DTLS-SRTP (RFC 5763) and ICE (RFC 8839) are a class each. What the
    peer said in its answer, or in the offer that we answered, is read from the ``Agreement``.
    """

    @property
    def protocol(self) -> str:
        """``RTP/AVP``, ``RTP/SAVP``, ``UDP/TLS/RTP/SAVPF``, …"""

    def offer(self) -> Iterable[Attribute]:
        """The attributes of our offer; the same again while nothing has changed."""

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        """The attributes of our answer to this m-line of ``offer``; None to refuse it.

        Asked only when the m-line has our protocol. ``address`` is where we receive: see ``reachable``.
        """


@attrs.frozen
class PlainRtp:
    """The profile of RTP that nothing protects, at the address that the description names (RFC 3551)."""

    protocol: str = "RTP/AVP"

    def offer(self) -> Iterable[Attribute]:
        return ()

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        return () if reachable(offer, medium, address) else None


PLAIN_RTP = (PlainRtp("RTP/AVP"), PlainRtp("RTP/AVPF"))
"""The profiles of a stream that needs no more; the second adds early feedback, which may be left unused."""


def reachable(offer: SessionDescription, medium: MediaDescription, address: str) -> bool:
    """Whether packets from ``address`` can get to where this m-line wants them: that is no multicast group,
    and an address of the same family."""
    connection = offer.connection_of(medium)
    if connection is None or connection.multicast:
        return False
    return connection.family == Connection(address).family


@attrs.frozen
class MediaStream:
    """One stream of ours, for the description to be made.

    ``kind`` is the m-line's: ``audio``, ``video``, ``text``, … ``port`` is where we receive RTP,
    ``rtcp_port`` where RTCP, if that is not the next one; ``address`` is where both, if not at the session's.
    ``direction`` is what we wish; the peer may narrow it. ``profiles`` are those that we accept in an offer;
    our own offers use the first.
    """

    kind: str
    capabilities: Capabilities
    port: int
    direction: Direction = Direction.SENDRECV
    rtcp_port: int | None = None
    address: str | None = None
    profiles: Sequence[Profile] = PLAIN_RTP

    def __attrs_post_init__(self) -> None:
        if not 0 < self.port <= MAX_PORT:
            raise LocalProtocolError(f"{self.port} is no port to receive media at")
        if not self.profiles:
            raise LocalProtocolError("a stream needs a profile")

    def offered(self, codecs: Sequence[Codec], current: MediaDescription | None) -> MediaDescription:
        """Our m-line in an offer, with our codecs under these numbers.

        In a re-offer, where it is ``current``, what is in use comes first: an offer that only changes the
        direction should not change the codec. Raises NegotiationError when no number was left for any codec.
        """
        if all(codec.auxiliary for codec in codecs):
            raise NegotiationError("the session has no payload type number left for our codecs")
        profile = self.profiles[0]
        if current is not None and not current.rejected:
            in_use = (ours for ours in self.profiles if ours.protocol == current.protocol)
            profile = next(in_use, profile)
        codecs = _in_use_first(codecs, current.formats if current else ())
        mux = self.capabilities.rtcp_mux
        return self._described(profile.protocol, codecs, self.direction, mux, profile.offer())

    def answered(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> MediaDescription | None:
        """Our answer to this m-line of ``offer``; None when the stream does not fit it.

        It names one codec, and the telephone-event (and CN) of the same clock rate, under the offer's payload
        type numbers. ``address`` is the session's.
        """
        if medium.kind != self.kind:
            return None
        codecs = self.capabilities.choose(medium.codecs)
        if not codecs:
            return None
        for profile in self.profiles:
            if profile.protocol == medium.protocol:
                attributes = profile.answer(offer, medium, self.address or address)
                if attributes is not None:
                    direction = self.direction.answering(offer.direction_of(medium))
                    mux = self.capabilities.rtcp_mux and medium.rtcp_mux
                    return self._described(profile.protocol, codecs, direction, mux, attributes)
        return None

    def _described(
        self,
        protocol: str,
        codecs: Sequence[Codec],
        direction: Direction,
        mux: bool,
        attributes: Iterable[Attribute],
    ) -> MediaDescription:
        line = MediaLine(self.kind, self.port, protocol, tuple([str(codec.payload_type) for codec in codecs]))
        lines = [f"m={line}"]
        if self.address is not None:
            lines.append(f"c={Connection(self.address)}")
        for codec in codecs:
            lines += codec.lines()
        if self.capabilities.ptime is not None:
            lines.append(f"a=ptime:{self.capabilities.ptime}")
        if self.rtcp_port is not None and self.rtcp_port != self.port + 1:
            lines.append(f"a=rtcp:{self.rtcp_port}")
        if mux:
            lines.append("a=rtcp-mux")
        lines += [f"a={attribute}" for attribute in attributes]
        lines.append(f"a={direction.value}")
        return MediaDescription(tuple(lines))


def _in_use_first(codecs: Iterable[Codec], in_use: Sequence[str]) -> list[Codec]:
    return sorted(codecs, key=lambda codec: (codec.auxiliary, str(codec.payload_type) not in in_use))


def rejecting(line: MediaLine) -> MediaDescription:
    """An m-line that is refused, or taken out of the session."""
    # RFC 3264 §6: port 0, and formats there must be, though they mean nothing.
    return MediaDescription((f"m={MediaLine(line.kind, 0, line.protocol, line.formats or ('0',))}",))
