"""Keys pressed in one call, pressed in another where its packets do not carry them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from sipstack.errors import SipError
from sipstack.log import MEDIA
from sipstack.media.dtmf import KEPT, LONGEST, Digit, Dtmf

SHORTEST = 0.04
"""Seconds that a key must be pressed to be known (ITU-T Q.24)."""


class DigitRelay:
    """One direction; ``with`` it, keys of ``source`` are pressed in ``sink`` once they are released.

    ``events_pass`` tells whether packets of RFC 4733 have passed on their own. INFO never does. Tones are
    heard in the audio; but where the sink's peer has agreed on RFC 4733 and the source's has not, they are
    looked for, and told so.
    """

    def __init__(self, source: Dtmf, sink: Dtmf, events_pass: Callable[[], bool]) -> None:
        self._source, self._sink = source, sink
        self._events_pass = events_pass
        self._digits: deque[Digit] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None  # while there is something to press

    def __enter__(self) -> Self:
        self._forget = self._source.when_pressed(self._pressed)
        self.follow()
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        if self._task is not None:
            self._task.cancel()

    def follow(self) -> None:
        """Something else may be agreed on."""
        if self._source.rtp is None and self._sink.rtp is not None:
            self._source.detect()

    def _pressed(self, digit: Digit) -> None:
        match digit.way:
            case "rtp":
                passes = self._events_pass()
            case "info":
                passes = False
            case "inband":
                passes = self._sink.rtp is None
        if passes:
            return
        self._digits.append(digit)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._press(), name="sipstack digit relay")

    async def _press(self) -> None:
        while self._digits:
            digit = self._digits.popleft()
            duration = min(max(digit.duration, SHORTEST), LONGEST)
            try:
                await self._sink.send(digit.value, duration=duration)
            except SipError as error:
                MEDIA.info("a key is not passed on: %s", error)
