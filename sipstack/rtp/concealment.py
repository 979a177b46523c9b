"""What is heard in place of lost packets: the voice goes on, and goes over into what comes after the gap.

Before the gap it goes on forwards, and when the packet after it is there already (it is, more often than not:
that is what a playout buffer is for), backwards from that one as well, with a cross-fade between the two.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from sipstack.rtp.prediction import Continuation, pitch, sumprod

KEPT = 0.03
"""Seconds of what was heard, which are kept to go on from."""
FADE = 0.06
"""Seconds until silence, for a voice that nothing is known of any more."""
HOLD = 0.01
"""Seconds before that begins."""
FARTHEST = 4.0
"""Seconds to what is gone over to, at the most: no gap is as long."""
MERGE = 0.005
"""Seconds of the cross-fade into a packet that came unforeseen."""
ALIKE = 0.5
"""How like its neighbour a pitch period must be to be left out."""
STEADY = 4
"""How much more energy one half of a noise may have than the other, for a piece of it to be left out."""


class Concealer:
    """Keeps the last of what was heard of one stream. PCM is s16le mono, in pieces of any length.

    Everything that is played goes through ``good`` or comes from ``conceal``.
    """

    __slots__ = ("_bridge", "_continuation", "_gone_on", "_kept", "_last", "_rate", "concealed")

    def __init__(self, sample_rate: int = 8000) -> None:
        self._rate = sample_rate
        self._kept = 2 * int(KEPT * sample_rate)
        self._last = b""
        self._continuation: Continuation | None = None  # while something is made up
        self._gone_on = 0  # samples made up since the last good one
        self._bridge: list[float] | None = None  # made up already, up to a packet that is known
        self.concealed = 0
        """Pieces made up so far."""

    def good(self, pcm: bytes) -> bytes:
        """This has come; it gives what is to be played, of the same length."""
        if self._continuation is not None:
            pcm = self._joined(pcm)
        kept = self._kept
        self._last = pcm[-kept:] if len(pcm) >= kept else (self._last + pcm)[-kept:]
        return pcm

    def conceal(self, octets: int, following: bytes = b"", until: int = 0) -> bytes:
        """``octets`` in place of those that are missing.

        ``following`` is what comes ``until`` octets from here, if it is known: ``octets``, or more when the
        gap is given in several pieces. It is not played, only gone over to.
        """
        count = octets // 2
        self.concealed += 1
        if not self._bridge and following and octets <= until <= 2 * self._rate * FARTHEST:
            self._bridge = self._made_up_to(following, until // 2)
        bridge = self._bridge or []
        self._bridge = bridge[count:] if len(bridge) >= count else None
        return _pcm(bridge[:count] + self._go_on(max(count - len(bridge), 0)))

    def skip(self) -> None:
        """What comes next does not follow what was played last."""
        if self._continuation is None and self._last:
            self._go_on(0)

    def shorten(self, pcm: bytes, octets: int) -> bytes:
        """The same with at most ``octets`` less: a pitch period is left out, or some silence or noise.

        Given back as it is where that would be heard: where a sound begins or ends.
        """
        samples = _samples(pcm)
        longest = min(octets // 2, len(pcm) // 4)
        lag, likeness = pitch(samples, self._rate)
        if likeness < ALIKE:
            lag = longest if _is_steady(samples) else 0
        if not 0 < lag <= longest:
            return pcm
        left_out, end = samples[-2 * lag : -lag], samples[-lag:]
        return pcm[: -4 * lag] + _pcm(_cross_fade(left_out, end))

    def _joined(self, pcm: bytes) -> bytes:
        """What has come, gone over to from what was made up, unless that has led there or has died away."""
        bridge, count = self._bridge, min(int(MERGE * self._rate), len(pcm) // 2)
        if bridge is None:
            made_up = self._go_on(count) if self._gone_on < (HOLD + FADE) * self._rate else []
        else:
            made_up = bridge[:count]  # nothing, when it has come to its end
        if made_up:
            octets = 2 * len(made_up)
            pcm = _pcm(_cross_fade(made_up, _samples(pcm[:octets]))) + pcm[octets:]
        self._continuation, self._gone_on, self._bridge = None, 0, None
        return pcm

    def _go_on(self, count: int) -> list[float]:
        """The voice, and how it dies away."""
        hold, fade = HOLD * self._rate, FADE * self._rate
        start = self._gone_on
        self._gone_on += count
        if start >= hold + fade or not self._last:
            return [0.0] * count
        if self._continuation is None:
            self._continuation = Continuation(_samples(self._last), self._rate)
        made_up = self._continuation.take(count)
        if self._gone_on <= hold:
            return made_up
        end = hold + fade
        return [sample * min(max(end - at, 0.0) / fade, 1.0) for at, sample in enumerate(made_up, start)]

    def _made_up_to(self, following: bytes, count: int) -> list[float]:
        """``count`` samples that lead to ``following``."""
        length = min(count, int((HOLD + FADE) * self._rate))
        ahead = self._go_on(length)
        behind = Continuation(_samples(following)[::-1], self._rate).take(length)[::-1]
        if count == length:
            return _cross_fade(ahead, behind)
        nothing = [0.0] * length
        away, back = _cross_fade(ahead, nothing), _cross_fade(nothing, behind)
        if count >= 2 * length:
            return away + [0.0] * (count - 2 * length) + back
        apart = [0.0] * (count - length)
        return [one + other for one, other in zip(away + apart, apart + back, strict=True)]


def _is_steady(samples: Sequence[int]) -> bool:
    middle = len(samples) // 2
    one, other = sorted(sumprod(half, half) + middle for half in (samples[:middle], samples[middle:]))
    return other <= STEADY * one


def _cross_fade(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """From the one to the other, which are of the same length."""
    steps = len(before) + 1
    return [
        one + (other - one) * step / steps
        for step, (one, other) in enumerate(zip(before, after, strict=True), 1)
    ]


def _samples(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def _pcm(samples: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *[int(min(max(sample, -32768.0), 32767.0)) for sample in samples])
