"""What an agent has said and the other side has not heard yet."""

from __future__ import annotations

import asyncio

from sipstack.errors import MediaError
from sipstack.media.io import frame_octets

PATIENT = 2
"""Ticks that the rest of a frame is waited for; then what there is goes out, and silence after it."""


class Speech:
    """An AudioSource that the agent fills, as fast as it likes, and that can be cleared within a frame."""

    def __init__(self, sample_rate: int, ahead: float) -> None:
        self.sample_rate = sample_rate
        self._octets = frame_octets(sample_rate)
        self._most = int(ahead * sample_rate) * 2
        self._waiting = bytearray()
        self._short = 0  # ticks that saw less than a frame
        self._changed = asyncio.Event()

    @property
    def unsaid(self) -> float:
        """Seconds that wait to be said."""
        return len(self._waiting) / 2 / self.sample_rate

    async def put(self, pcm: bytes) -> None:
        """Append audio. Waits while there is more than ``ahead`` seconds of it. Raises MediaError."""
        if len(pcm) % 2:
            raise MediaError("audio is whole samples of two octets")
        while len(self._waiting) > self._most:
            await self._change()
        self._waiting += pcm

    async def said(self) -> None:
        """Wait until nothing waits to be said."""
        while self._waiting:
            await self._change()

    def clear(self) -> float:
        """Say no more. Returns the seconds that were not said."""
        unsaid = self.unsaid
        self._waiting.clear()
        self._changed.set()
        return unsaid

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # -- the source ----------------------------------------------------------------------------------------

    def read(self) -> bytes | None:
        length = len(self._waiting)
        if length < self._octets:
            self._short += 1
            if not length or self._short <= PATIENT:
                return None
        self._short = 0
        frame = bytes(self._waiting[: self._octets])
        del self._waiting[: self._octets]
        self._changed.set()
        return frame.ljust(self._octets, b"\0")

    def rewind(self) -> None:
        raise MediaError("what an agent said cannot be said again")

    def close(self) -> None:
        """There is nothing to let go of."""
