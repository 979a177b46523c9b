"""The queue behind ``Audio.send``."""

from __future__ import annotations

import asyncio

from sipstack.errors import CallEnded
from sipstack.media.io import frame_octets

QUEUED = 3
"""Frames (60 ms) that may wait to be sent: all that an echo adds."""


class SendQueue:
    """A few frames on their way to the network."""

    def __init__(self, sample_rate: int) -> None:
        self._octets = frame_octets(sample_rate)
        self._buffer = bytearray()
        self._is_rest = False  # less than a frame was left at the last read already
        self._room = asyncio.Event()
        self._clearings = 0
        self._ended: CallEnded | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._buffer

    async def put(self, pcm: bytes) -> None:
        """Wait until all of ``pcm`` is in the queue, or the queue is cleared."""
        clearings = self._clearings
        for start in range(0, len(pcm), self._octets):
            piece = pcm[start : start + self._octets]
            while self._is_full(piece) and clearings == self._clearings:
                self._room.clear()
                await self._room.wait()
            if self._ended is not None:
                raise CallEnded(self._ended.by, self._ended.reason)
            if clearings != self._clearings:
                return
            self._buffer += piece

    def read(self) -> bytes | None:
        """The next frame, None when there is none. Less than one waits for more, 20 ms at the most."""
        buffer, octets = self._buffer, self._octets
        if len(buffer) < octets:
            if not buffer or not self._is_rest:
                self._is_rest = bool(buffer)
                return None
            buffer += bytes(octets - len(buffer))
        frame = bytes(buffer[:octets])
        del buffer[:octets]
        self._is_rest = False
        self._room.set()
        return frame

    def clear(self) -> None:
        """Drop what waits, also what a task waits in ``put`` with."""
        self._clearings += 1
        self._buffer.clear()
        self._room.set()

    def end(self, ended: CallEnded) -> None:
        """A task that waits in ``put``, or comes later, is told."""
        self._ended = ended
        self._buffer.clear()
        self._room.set()

    def _is_full(self, piece: bytes) -> bool:
        return self._ended is None and len(self._buffer) + len(piece) > QUEUED * self._octets
