"""Listening to a call: frames of any sample rate and length."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol, Self

from sipstack.errors import LocalProtocolError, MediaError
from sipstack.media.inbox import Inbox
from sipstack.media.io import Frame
from sipstack.media.wav import load_conversion

KEPT = 0.5
"""Seconds kept for an application that is slow to take them."""


class Tap(Protocol):
    """Gets what is heard."""

    def write(self, pcm: bytes) -> None:
        """The next 20 ms."""

    def end(self) -> None:
        """The call is over."""


class Heard(Protocol):
    """What can be listened to."""

    @property
    def sample_rate(self) -> int:
        """Of what taps get."""

    def attach(self, tap: Tap) -> float:
        """Hand it what is heard from now on; the time that it is now in this call."""

    def detach(self, tap: Tap) -> None:
        """Hand it no more."""


class Listening:
    """Iterate over it, for one task at a time; made by ``Audio.frames``. It ends with the call.

    It begins when the first frame is asked for. What is not taken within half a second is dropped, oldest
    first, and counted. A listening that nobody holds any more costs nothing.
    """

    def __init__(self, heard: Heard, sample_rate: int | None = None, duration: float = 0.02) -> None:
        self.sample_rate = sample_rate or heard.sample_rate
        """Of the frames."""
        samples = round(self.sample_rate * duration)
        if samples < 1:
            raise MediaError(f"no frames of {duration} s at {self.sample_rate} Hz")
        self._heard = heard
        self._duration = samples / self.sample_rate
        self._octets = samples * 2
        self._inbox: Inbox | None = None
        self._began = 0.0

    @property
    def dropped(self) -> int:
        """Frames that were not taken in time."""
        return self._inbox.dropped if self._inbox is not None else 0

    @property
    def is_awaited(self) -> bool:
        """Whether a task waits for a frame."""
        return self._inbox is not None and self._inbox.is_awaited

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        """Raises MediaError when the sample rate needs the ``media`` extra, and that is missing."""
        if self._inbox is None:
            if self.sample_rate != self._heard.sample_rate:
                await load_conversion()
            self.begin()
        inbox = self._inbox
        assert inbox is not None
        if inbox.is_awaited:
            raise LocalProtocolError("audio is for one `async for` at a time")
        pcm = await inbox.next()
        if pcm is None:
            raise StopAsyncIteration
        number = inbox.taken + inbox.dropped - 1
        return Frame(pcm, self.sample_rate, round(self._began + number * self._duration, 6))

    def begin(self) -> None:
        """Listen from now on. Another sample rate needs ``load_conversion`` before."""
        if self._inbox is None:
            most = max(2, round(KEPT / self._duration))
            self._inbox = inbox = Inbox(self._octets, most, self._conversion())
            self._began = self._heard.attach(inbox)
            heard = self._heard
            inbox.holder = weakref.ref(self, lambda _: heard.detach(inbox))

    def stop(self) -> None:
        """Listen no more: the iteration ends."""
        if self._inbox is not None:
            self._heard.detach(self._inbox)
            self._inbox.end()

    def _conversion(self) -> Callable[[bytes], bytes] | None:
        if self.sample_rate == self._heard.sample_rate:
            return None
        from sipstack.media.conversion import Resampler

        return Resampler(self._heard.sample_rate, self.sample_rate).push
