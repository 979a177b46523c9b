"""A recording while it is made."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from sipstack.errors import MediaError
from sipstack.log import MEDIA
from sipstack.media.io import FRAMES_PER_SECOND, AudioSink


class Recording:
    """``async with``: what is heard goes to the sink meanwhile. Made by ``Audio.recording``.

    A recording that fails stops without disturbing the call; ``error`` tells why, and leaving raises it.
    """

    def __init__(
        self,
        recordings: list[Recording],
        create: Callable[[], AudioSink],
        failed: Callable[[MediaError], None],
    ) -> None:
        self._recordings = recordings
        self._create = create
        self._failed = failed
        self._frames = 0
        self.error: MediaError | None = None

    @property
    def duration(self) -> float:
        """Seconds recorded."""
        return self._frames / FRAMES_PER_SECOND

    async def __aenter__(self) -> Self:
        self._sink = self._create()
        self._recordings.append(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in self._recordings:
            self._recordings.remove(self)
        try:
            self._sink.close()
        except MediaError as failure:
            self._fail(failure)
        if error is None and self.error is not None:
            raise self.error

    def write(self, pcm: bytes) -> None:
        """The next frame."""
        try:
            self._sink.write(pcm)
            self._frames += 1
        except MediaError as error:
            self._recordings.remove(self)
            self._fail(error)

    def _fail(self, error: MediaError) -> None:
        if self.error is None:
            self.error = error
            MEDIA.warning("a recording stops: %s", error)
            self._failed(error)
