"""A source while it is played into a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from sipstack.errors import CallEnded, MediaError
from sipstack.media.io import AudioSource, frame_octets
from sipstack.media.pcm import Lanes, factor_of


class Player:
    """Plays one source, once or again and again, ``gain`` dB louder or (below 0) softer than it is."""

    def __init__(self, source: AudioSource, *, loop: bool, gain: float = 0.0) -> None:
        self._source = source
        self._loop = loop
        self._octets = frame_octets(source.sample_rate)
        self._octets_a_second = 2 * source.sample_rate
        self._factor = factor_of(gain)
        self._lanes = Lanes(self._octets) if gain else None
        self._sent = 0
        self._done = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether it has come to its end, was stopped, or failed."""
        return self._done.done()

    @property
    def heard(self) -> float:
        """Seconds of it that went out to the network. What was muted counts: the source ran on."""
        return self._sent / self._octets_a_second

    def stop(self) -> None:
        """Play no more: what is not sent yet is not said. ``finished`` returns."""
        self.end()

    async def finished(self) -> None:
        """Wait for the end of the source. Raises what ended it before that."""
        await self._done
        if self.error is not None:
            raise self.error

    def read(self) -> bytes | None:
        """The next frame, None when there is nothing yet; empty once it is done."""
        if self.done:
            return b""
        try:
            pcm = self._source.read()
            if pcm == b"" and self._loop:
                self._source.rewind()
                pcm = self._source.read()
        except Exception as error:  # a source may be the application's own: it must not stop the media clock
            self.end(error)
            return b""
        return pcm if pcm is None else self._frame(pcm)

    def end(self, error: Exception | None = None) -> None:
        """Play no more, for the reason given. Only the first one counts."""
        if not self._done.done():
            self.error = error
            self._done.set_result(None)

    def _frame(self, pcm: bytes) -> bytes:
        if not pcm:
            self.end()
            return b""
        if len(pcm) > self._octets:
            self.end(
                MediaError(f"the source gave {len(pcm)} octets, more than the {self._octets} of a frame")
            )
            return b""
        self._sent += len(pcm)
        if len(pcm) < self._octets:
            pcm += bytes(self._octets - len(pcm))
        return pcm if self._lanes is None else self._lanes.gained(pcm, self._factor)


class Playing:
    """``async with``: the source plays meanwhile. Made by ``Audio.playing``.

    ``queued``: when all that plays before it has come to its end; else at once, and what was playing waits.
    """

    def __init__(
        self,
        players: list[Player],
        open_source: Callable[[], Awaitable[AudioSource]],
        *,
        loop: bool,
        owned: bool,
        queued: bool = False,
        gain: float = 0.0,
    ) -> None:
        self._players = players
        self._open_source = open_source
        self._loop = loop
        self._owned = owned
        self._queued = queued
        self._gain = gain

    async def __aenter__(self) -> Player:
        self._source = await self._open_source()
        self._player = Player(self._source, loop=self._loop, gain=self._gain)
        self._players.insert(0 if self._queued else len(self._players), self._player)
        return self._player

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._player in self._players:
            self._players.remove(self._player)
        self._player.stop()
        if self._owned:
            self._source.close()
        failure = self._player.error
        if error is None and failure is not None and not isinstance(failure, CallEnded):
            raise failure
