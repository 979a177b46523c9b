"""The codecs that a stream of ours can use, and which of them are chosen from an offer (RFC 3264 §6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.sdp.codec import MAX_PAYLOAD_TYPE, Codec


@attrs.frozen(cache_hash=True)  # it is looked up by, for each call
class Capabilities:
    """The codecs we send and receive, in our order of preference, and how we want to use them.

    ``codecs`` carry the payload type numbers and fmtp of our own descriptions; telephone-event and CN
    stand among them, once for each clock rate. ``ptime`` is what we ask for, in milliseconds.
    ``prefer_own`` lets our order choose the codec of an answer, instead of the offerer's.
    ``rtcp_mux`` offers and accepts RTP and RTCP on one port (RFC 5761). ``accepted`` is what we take beside
    ``codecs`` when the other side offers it, and do not offer ourselves.
    """

    codecs: tuple[Codec, ...]
    ptime: int | None = 20
    prefer_own: bool = False
    rtcp_mux: bool = False
    accepted: tuple[Codec, ...] = ()
    by_key: Mapping[tuple[str | int, ...], Codec] = attrs.field(init=False, eq=False, repr=False)
    """Our codecs by ``Codec.key``: the lookup for what the other side names."""

    def __attrs_post_init__(self) -> None:
        numbers = {codec.payload_type for codec in self.codecs}
        if len(numbers) != len(self.codecs) or not numbers <= set(range(MAX_PAYLOAD_TYPE + 1)):
            raise LocalProtocolError("each codec needs a payload type number of its own, 0 to 127")
        if all(codec.auxiliary for codec in self.codecs):
            raise LocalProtocolError("capabilities need a codec that a stream can consist of")
        by_key = {codec.key: codec for codec in reversed((*self.codecs, *self.accepted))}
        object.__setattr__(self, "by_key", MappingProxyType(by_key))

    def choose(self, offered: Iterable[Codec]) -> tuple[Codec, ...]:
        """The codec of the stream and what goes beside it, in the offer's numbers; () when none is ours."""
        common = list(self._common(offered))
        main = [codec for codec in common if not codec.auxiliary]
        if not main:
            return ()
        codec = main[0]
        if self.prefer_own:
            order = [ours.key for ours in self.codecs]
            codec = min(main, key=lambda candidate: order.index(candidate.key))
        beside: dict[tuple[str | int, ...], Codec] = {}
        for other in common:
            if other.auxiliary and other.clock_rate == codec.clock_rate:
                beside.setdefault(other.key, other)
        return codec, *beside.values()

    def _common(self, offered: Iterable[Codec]) -> Iterator[Codec]:
        ours = self.by_key
        for theirs in offered:
            if codec := ours.get(theirs.key):
                yield codec.numbered(theirs.payload_type)
