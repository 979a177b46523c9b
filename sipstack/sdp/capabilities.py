"""What this side can do with audio, and which payload type numbers a session has fixed (RFC 3264 §8.3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.sdp.codec import MAX_PAYLOAD_TYPE, Codec
from sipstack.sdp.description import SessionDescription

FREE_NUMBERS = (*range(96, 128), *range(35, 64))
"""Where a further dynamic payload type may go: RFC 3551 §6, then what RFC 5761 §4 leaves."""


@attrs.frozen
class Capabilities:
    """The codecs we send and receive, in our order of preference, and how we want to use them.

    ``codecs`` carry the payload type numbers and fmtp of our own descriptions; telephone-event and CN
    stand among them, once for each clock rate. ``ptime`` is what we ask for, in milliseconds.
    ``protocols`` are those we accept in an offer; our own offers use the first.
    ``prefer_own`` lets our order choose the codec of an answer, instead of the offerer's.
    ``rtcp_mux`` offers and accepts RTP and RTCP on one port (RFC 5761).
    ``fixed`` is what ``keeping`` gathered.
    """

    codecs: tuple[Codec, ...]
    ptime: int | None = 20
    protocols: tuple[str, ...] = ("RTP/AVP", "RTP/AVPF")
    prefer_own: bool = False
    rtcp_mux: bool = False
    fixed: tuple[Codec, ...] = ()

    def __attrs_post_init__(self) -> None:
        numbers = {codec.payload_type for codec in self.codecs}
        if len(numbers) != len(self.codecs) or not numbers <= set(range(MAX_PAYLOAD_TYPE + 1)):
            raise LocalProtocolError("each codec needs a payload type number of its own, 0 to 127")
        if all(codec.auxiliary for codec in self.codecs) or not self.protocols:
            raise LocalProtocolError("capabilities need a codec for sound and a protocol")

    @cached_property
    def by_key(self) -> dict[tuple[str | int, ...], Codec]:
        """Our codecs by ``Codec.key``: the lookup for what the other side names."""
        return {codec.key: codec for codec in reversed(self.codecs)}

    def keeping(self, *descriptions: SessionDescription) -> Capabilities:
        """These capabilities, bound to the payload type numbers of descriptions sent or received.

        A session hands in each description as it is exchanged, oldest first, and builds its offers from
        the result. Then a number never changes its codec (RFC 3264 §8.3.2), a codec keeps the number it
        had first, and one that is new to the session gets a number that no one used.
        """
        fixed = {codec.payload_type: codec for codec in self.fixed}
        for description in descriptions:
            for medium in description.media:
                if medium.kind == "audio":
                    for codec in medium.codecs:
                        fixed.setdefault(codec.payload_type, codec)
        return attrs.evolve(self, fixed=tuple(fixed.values()))

    def numbered(self) -> tuple[Codec, ...]:
        """Our codecs with the numbers that this session's next offer must use.

        A codec for which no number is left is not among them.
        """
        if not self.fixed:
            return self.codecs
        known = {codec.key: codec.payload_type for codec in reversed(self.fixed)}
        taken = {codec.payload_type for codec in (*self.fixed, *self.codecs)}
        free = (number for number in FREE_NUMBERS if number not in taken)
        return tuple(self._numbered(known, {codec.payload_type for codec in self.fixed}, free))

    def _numbered(
        self, known: dict[tuple[str | int, ...], int], fixed: set[int], free: Iterator[int]
    ) -> Iterator[Codec]:
        for codec in self.codecs:
            number = known.get(codec.key)
            if number is None:
                number = next(free, None) if codec.payload_type in fixed else codec.payload_type
            if number is not None:
                yield codec.numbered(number)
