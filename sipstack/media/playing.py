"""A source while it is played into a call, and the queue behind ``Audio.send``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from sipstack.errors import CallEnded, MediaError
from sipstack.media.io import AudioSource, frame_octets

QUEUED = 3
"""Frames (60 ms) that may wait to be sent: all that an echo adds."""


class Player:
    """Plays one source, once or again and again."""

    def __init__(self, source: AudioSource, *, loop: bool) -> None:
        self._source = source
        self._loop = loop
        self._octets = frame_octets(source.sample_rate)
        self._done = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether it has come to its end, or failed."""
        return self._done.done()

    async def finished(self) -> None:
        """Wait for the end of the source. Raises what ended it before that."""
        await self._done
        if self.error is not None:
            raise self.error

    def read(self) -> bytes | None:
        """The next frame, None when there is nothing yet; empty once it is done."""
        try:
            pcm = self._source.read()
            if pcm == b"" and self._loop:
                self._source.rewind()
                pcm = self._source.read()
        except Exception as error:  # a source may be the application's own: it must not stop the media clock
            self.end(error)
            return b""
        if pcm is None or len(pcm) == self._octets:
            return pcm
        if not pcm:
            self.end()
        elif len(pcm) > self._octets:
            self.end(
                MediaError(f"the source gave {len(pcm)} octets, more than the {self._octets} of a frame")
            )
        else:
            return pcm + bytes(self._octets - len(pcm))
        return b""

    def end(self, error: Exception | None = None) -> None:
        """Play no more, for the reason given. Only the first one counts."""
        if not self._done.done():
            self.error = error
            self._done.set_result(None)


class Playing:
    """``async with``: the source plays meanwhile. Made by ``Audio.playing``."""

    def __init__(
        self,
        players: list[Player],
        open_source: Callable[[], Awaitable[AudioSource]],
        *,
        loop: bool,
        owned: bool,
    ) -> None:
        self._players = players
        self._open_source = open_source
        self._loop = loop
        self._owned = owned

    async def __aenter__(self) -> Player:
        self._source = await self._open_source()
        self._player = Player(self._source, loop=self._loop)
        self._players.append(self._player)
        return self._player

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._player in self._players:
            self._players.remove(self._player)
        if self._owned:
            self._source.close()
        failure = self._player.error
        if error is None and failure is not None and not isinstance(failure, CallEnded):
            raise failure


class SendQueue:
    """A few frames on their way to the network."""

    def __init__(self, sample_rate: int) -> None:
        self._octets = frame_octets(sample_rate)
        self._buffer = bytearray()
        self._room = asyncio.Event()
        self._ended: CallEnded | None = None

    async def put(self, pcm: bytes) -> None:
        """Wait until all of ``pcm`` is in the queue."""
        for start in range(0, len(pcm), self._octets):
            piece = pcm[start : start + self._octets]
            while self._ended is None and len(self._buffer) + len(piece) > QUEUED * self._octets:
                self._room.clear()
                await self._room.wait()
            if self._ended is not None:
                raise CallEnded(self._ended.by, self._ended.reason)
            self._buffer += piece

    def read(self) -> bytes | None:
        """The next frame, None when no whole one is there."""
        if len(self._buffer) < self._octets:
            return None
        frame = bytes(self._buffer[: self._octets])
        del self._buffer[: self._octets]
        self._room.set()
        return frame

    def end(self, ended: CallEnded) -> None:
        """A task that waits in ``put``, or comes later, is told."""
        self._ended = ended
        self._buffer.clear()
        self._room.set()
