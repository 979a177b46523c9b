"""What is said, cut into packets of the length that the peer asks for (a=ptime of RFC 8866 §6.4)."""

from __future__ import annotations

from collections.abc import Iterator

SHORTEST, LONGEST = 5, 120
"""Milliseconds of a packet that we make, whatever the peer asks for: 120 ms of G.711 fit into a datagram.
Some codecs need shorter ones."""


class Packets:
    """PCM goes in by frames of 20 ms, packets come out; ``octets`` is what goes into one."""

    __slots__ = ("_sample_rate", "_waiting", "octets")

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._waiting = b""
        self.use(20.0)

    def use(self, ptime: float) -> None:
        """Make packets of this many milliseconds from here on."""
        self.octets = self._sample_rate * int(ptime) // 1000 * 2

    def cut(self, pcm: bytes) -> Iterator[tuple[bytes, int]]:
        """The packets that are full with this frame. Each has the samples by which it began before it."""
        before = len(self._waiting) // 2
        waiting = self._waiting + pcm
        whole = len(waiting) - len(waiting) % self.octets
        self._waiting = waiting[whole:]
        for start in range(0, whole, self.octets):
            yield waiting[start : start + self.octets], before - start // 2

    def forget(self) -> None:
        """What waits is not said any more."""
        self._waiting = b""
