"""Frames on their way to somebody who takes them at a pace of his own; of too many the oldest go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Inbox:
    """Takes pieces of any length, gives frames of ``octets``, and keeps ``most`` of them.

    ``convert`` makes the PCM of what is written, when its sample rate is another one.
    """

    __slots__ = (
        "_convert",
        "_frames",
        "_most",
        "_octets",
        "_rest",
        "_waiter",
        "dropped",
        "holder",
        "is_over",
        "taken",
    )

    def __init__(self, octets: int, most: int, convert: Callable[[bytes], bytes] | None = None) -> None:
        self._octets = octets
        self._most = most
        self._convert = convert
        self._frames: deque[bytes] = deque()
        self._rest = b""
        self._waiter: asyncio.Future[None] | None = None
        self.taken = 0
        """Frames that were taken."""
        self.dropped = 0
        """Frames that nobody took in time."""
        self.is_over = False
        """Nothing comes any more."""
        self.holder: object = None
        """Kept for whoever gave it."""

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the next frame."""
        return self._waiter is not None

    def write(self, pcm: bytes) -> None:
        """The next piece."""
        if self._convert is not None:
            pcm = self._convert(pcm)
        if len(pcm) == self._octets and not self._rest:
            self._put(pcm)
        else:
            self._cut(pcm)
        if self._waiter is not None and self._frames and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        """What is there can be taken, then it is over."""
        self.is_over = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> bytes | None:
        """The oldest frame, None when there is none."""
        if not self._frames:
            return None
        self.taken += 1
        return self._frames.popleft()

    async def next(self) -> bytes | None:
        """Wait for a frame; None when it is over. For one task at a time."""
        while not self._frames:
            if self.is_over:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take()

    def _cut(self, pcm: bytes) -> None:
        octets, rest = self._octets, self._rest + pcm
        whole = len(rest) - len(rest) % octets
        for start in range(0, whole, octets):
            self._put(rest[start : start + octets])
        self._rest = rest[whole:]

    def _put(self, frame: bytes) -> None:
        if len(self._frames) >= self._most:
            self._frames.popleft()
            self.dropped += 1
        self._frames.append(frame)
