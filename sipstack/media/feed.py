"""Audio that an application or a library produces piece by piece, as a source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable

from sipstack.errors import MediaError
from sipstack.media.io import Frame, frame_octets, whole_samples
from sipstack.media.wav import load_conversion

AHEAD = 10
"""Frames (200 ms) that are asked for before they are played: then the producer waits."""


class Pumped:
    """What a source shares whose task fills a buffer ahead of playing: ``_task`` ends when all is there."""

    _task: asyncio.Task[None]

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._octets = frame_octets(sample_rate)
        self._buffer = bytearray()
        self._room = asyncio.Event()
        self._error: Exception | None = None

    def read(self) -> bytes | None:
        if len(self._buffer) < self._octets and not self._task.done():
            return None
        if not self._buffer and self._error is not None:
            raise self._error
        frame = bytes(self._buffer[: self._octets])
        del self._buffer[: self._octets]
        self._room.set()
        return frame


class Feed(Pumped):
    """Plays what an async iterator gives: frames, or PCM at ``given_rate``, in pieces of any length.

    A task of its own asks for the next piece as long as less than 200 ms wait to be played. Needs a running
    event loop. ``close`` cancels what the iterator waits for.
    """

    def __init__(
        self, pieces: AsyncIterable[bytes | Frame], sample_rate: int = 8000, given_rate: int | None = None
    ) -> None:
        super().__init__(sample_rate)
        self._given_rate = given_rate or sample_rate
        self._converted: tuple[int, Callable[[bytes], bytes], Callable[[], bytes]] | None = None
        self._task = asyncio.get_running_loop().create_task(self._pump(aiter(pieces)), name="sipstack feed")

    def rewind(self) -> None:
        raise MediaError("what is produced piece by piece cannot be played again")

    def close(self) -> None:
        self._task.cancel()

    async def _pump(self, pieces: AsyncIterator[bytes | Frame]) -> None:
        """The producer may wait for anything: that must not be the media clock."""
        try:
            async for piece in pieces:
                self._buffer += await self._pcm(piece)
                while len(self._buffer) >= AHEAD * self._octets:
                    self._room.clear()
                    await self._room.wait()
            self._flush()
        except Exception as error:  # raised to whoever plays it
            self._error = error
        finally:
            if close := getattr(pieces, "aclose", None):  # a generator that was cut off
                await close()

    async def _pcm(self, piece: bytes | Frame) -> bytes:
        pcm, rate = (piece.pcm, piece.sample_rate) if isinstance(piece, Frame) else (piece, self._given_rate)
        whole_samples(pcm)
        if self._converted is not None and self._converted[0] != rate:
            self._flush()
        if rate == self.sample_rate:
            return pcm
        if self._converted is None:
            await load_conversion()
            from sipstack.media.conversion import Resampler

            resampler = Resampler(rate, self.sample_rate)
            self._converted = rate, resampler.push, resampler.flush
        return self._converted[1](pcm)

    def _flush(self) -> None:
        """The last of what comes at another sample rate is still in the resampler."""
        if self._converted is not None:
            self._buffer += self._converted[2]()
            self._converted = None
