"""A recording while it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, Protocol, Self

from sipstack.errors import MediaError
from sipstack.log import MEDIA
from sipstack.media.io import FRAMES_PER_SECOND, AudioSink
from sipstack.media.listening import Tap
from sipstack.media.pcm import Lanes, side_by_side

Sides = Literal["heard", "said", "mixed", "stereo"]
"""Which sides of a call: stereo has what is heard on the left."""


class Recorded(Protocol):
    """What can be recorded: taps get what is heard, and before it, of the same 20 ms, what is said."""

    def attach(self, tap: Tap) -> float:
        """Hand it what is heard from now on."""

    def detach(self, tap: Tap) -> None:
        """Hand it no more."""

    def attach_said(self, recording: Recording) -> None:
        """Hand its ``said`` what is said from now on."""

    def detach_said(self, recording: Recording) -> None:
        """Hand it no more."""

    def recording_failed(self, error: MediaError) -> None:
        """A recording has stopped."""


class Recording:
    """``async with``: what is heard, or said, or both, goes to the sink meanwhile. Made by
    ``Audio.recording``.

    A recording that fails stops without disturbing the call; ``error`` tells why, and leaving raises it.
    """

    def __init__(
        self, recorded: Recorded, create: Callable[[], Awaitable[AudioSink]], sides: Sides = "heard"
    ) -> None:
        self._recorded = recorded
        self._create = create
        self._combine = COMBINED[sides]
        self._said: bytes | None = None
        self._frames = 0
        self.error: MediaError | None = None

    @property
    def duration(self) -> float:
        """Seconds recorded."""
        return self._frames / FRAMES_PER_SECOND

    async def __aenter__(self) -> Self:
        self._sink = await self._create()
        self._recorded.attach(self)
        if self._combine is not None:
            self._recorded.attach_said(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        try:
            self._sink.close()
        except MediaError as failure:
            self._fail(failure)
        if error is None and self.error is not None:
            raise self.error

    def said(self, pcm: bytes | None) -> None:
        """What is said in the next 20 ms; None for silence, as when nothing is told."""
        self._said = pcm

    def write(self, pcm: bytes) -> None:
        """What is heard in the next 20 ms: time passes here."""
        if self._combine is not None:
            said, self._said = self._said, None
            pcm = self._combine(pcm, said or bytes(len(pcm)))
        try:
            self._sink.write(pcm)
            self._frames += 1
        except MediaError as error:
            self._leave()
            self._fail(error)

    def end(self) -> None:
        """The call is over: whoever records closes the file."""

    def _leave(self) -> None:
        self._recorded.detach(self)
        if self._combine is not None:
            self._recorded.detach_said(self)

    def _fail(self, error: MediaError) -> None:
        if self.error is None:
            self.error = error
            MEDIA.warning("a recording stops: %s", error)
            self._recorded.recording_failed(error)


def _said(heard: bytes, said: bytes) -> bytes:
    return said


def _mixed(heard: bytes, said: bytes) -> bytes:
    return Lanes(len(heard)).mixed(heard, said)


COMBINED: dict[Sides, Callable[[bytes, bytes], bytes] | None] = {
    "heard": None,
    "said": _said,
    "mixed": _mixed,
    "stereo": side_by_side,
}
"""How a frame of the recording comes from what is heard and what is said."""
