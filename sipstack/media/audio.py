"""The audio of one call, as the application sees it: frames in and out, files to play and to record."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

import attrs

from sipstack.errors import CallEnded, LocalProtocolError, MediaError
from sipstack.media.io import AudioSink, AudioSource
from sipstack.media.playing import Player, Playing, SendQueue
from sipstack.media.recording import Recording
from sipstack.media.wav import WavSink, load_conversion, open_off_loop

HEARD = 25
"""Frames (half a second) kept for an application that is slow to take them."""


@attrs.frozen
class Frame:
    """A piece of audio: signed 16-bit little-endian mono PCM. Those received last 20 ms."""

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} octets>")
    sample_rate: int = 8000


@attrs.frozen
class MediaStatistics:
    """Counters up to now. Octets are payload; ``jitter`` and ``round_trip`` are seconds."""

    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    """By the sequence numbers; negative when the network duplicates packets."""
    octets_sent: int = 0
    octets_received: int = 0
    jitter: float = 0.0
    """Interarrival jitter of RFC 3550 §6.4.1."""
    round_trip: float | None = None
    """None until the peer has reported on what we sent."""
    packets_late: int = 0
    """Received after their time to be played, or twice. Counted only while someone listens."""
    packets_invalid: int = 0
    """Refused: not RTP or RTCP, not from the peer, or of a payload type that was not agreed."""
    packets_replayed: int = 0
    """Of SRTP: refused as repeated, by the network or by an attacker."""
    packets_unproved: int = 0
    """Of SRTP: refused as not protected with the key that was agreed on."""
    frames_concealed: int = 0
    """Played in place of lost packets."""
    send_errors: int = 0
    """Packets that the network refused to take."""


class Audio:
    """Iterate for what is heard, ``send`` or ``play`` what is to be said, ``recording`` keeps what is heard.

    Iterating gives one ``Frame`` each 20 ms, silence included, and ends with the call. One task at a time may
    iterate. What is not taken within half a second is dropped, oldest first.
    When the call ends, ``send`` and ``play`` raise CallEnded.
    """

    def __init__(
        self, statistics: Callable[[], MediaStatistics] = MediaStatistics, sample_rate: int = 8000
    ) -> None:
        self.codec: str | None = None
        """The codec that we send, by its name in SDP; None before there is one."""
        self.sample_rate = sample_rate
        """Of the frames received."""
        self.error: MediaError | None = None
        """The last thing that went wrong with a recording."""
        self._statistics = statistics
        self._players: list[Player] = []  # the last one is heard
        self._queue: SendQueue | None = None
        self._resampled: tuple[int, Callable[[bytes], bytes]] | None = None  # the last other rate sent
        self._recordings: list[Recording] = []
        self._heard: deque[bytes] | None = None  # None: nobody iterates
        self._waiter: asyncio.Future[None] | None = None
        self._ended: CallEnded | None = None

    @property
    def statistics(self) -> MediaStatistics:
        """A snapshot; once the call is over, the last one."""
        return self._statistics()

    def __aiter__(self) -> Self:
        """Begin to listen: what was said before is not given."""
        self._heard = deque(maxlen=HEARD)
        return self

    async def __anext__(self) -> Frame:
        heard = self._heard
        if heard is None or self._waiter is not None:
            raise LocalProtocolError("audio is for one `async for` at a time")
        while not heard:
            if self._ended is not None:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return Frame(heard.popleft(), self.sample_rate)

    async def send(self, frame: Frame) -> None:
        """Say this after what was sent before it, of any length. Waits while 60 ms are yet to be said.

        Not heard while something is played. Another sample rate needs the ``media`` extra (MediaError).
        """
        self._check_ended()
        pcm = frame.pcm
        if len(pcm) % 2:
            raise MediaError("PCM must be whole samples of two octets")
        if frame.sample_rate != self.sample_rate:
            await load_conversion()
            pcm = self._resample(frame)
        if self._queue is None:
            self._queue = SendQueue(self.sample_rate)
        await self._queue.put(pcm)

    async def play(self, source: str | Path | AudioSource, *, loop: bool = False) -> None:
        """Play a file or another source to its end; looped, until cancelled.

        Playing during ``playing`` interrupts that one. Raises MediaError when it cannot be read, CallEnded
        when the call ends first. A source that you made yourself is yours to close.
        """
        async with self.playing(source, loop=loop) as player:
            await player.finished()

    def playing(self, source: str | Path | AudioSource, *, loop: bool = False) -> Playing:
        """``async with``: play meanwhile. Leaving it stops; it raises MediaError when the source failed."""
        owned = isinstance(source, str | Path)
        return Playing(self._players, lambda: self._open(source), loop=loop, owned=owned)

    def recording(self, sink: str | Path | AudioSink) -> Recording:
        """``async with``: record what is heard, to a WAV file or another sink, which is closed at the end.

        Entering raises MediaError when the file cannot be written, leaving when the end is missing.
        """
        return Recording(self._recordings, lambda: self._create(sink), self._recording_failed)

    # What the media session calls

    @property
    def wanted(self) -> bool:
        """Whether anyone listens; if not, what is received need not be decoded."""
        return self._heard is not None or bool(self._recordings)

    def read(self) -> bytes | None:
        """The frame to send now, None for silence."""
        while self._players:
            player = self._players[-1]
            pcm = player.read()
            if pcm != b"":
                return pcm
            self._players.remove(player)
        return self._queue.read() if self._queue is not None else None

    def write(self, pcm: bytes) -> None:
        """The frame that is heard now."""
        for recording in tuple(self._recordings):
            recording.write(pcm)
        if self._heard is not None:
            self._heard.append(pcm)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def end(self, ended: CallEnded) -> None:
        """The call is over: ``send`` and ``play`` raise like ``ended``, iterations end. The first counts."""
        if self._ended is not None:
            return
        self._ended = ended
        final = self._statistics()  # and with it goes our reference to the session, which has one to us
        self._statistics = lambda: final
        for player in self._players:
            player.end(CallEnded(ended.by, ended.reason))
        self._players.clear()
        if self._queue is not None:
            self._queue.end(ended)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_ended(self) -> None:
        if self._ended is not None:
            raise CallEnded(self._ended.by, self._ended.reason)

    async def _open(self, source: str | Path | AudioSource) -> AudioSource:
        self._check_ended()
        if isinstance(source, str | Path):
            opened = await open_off_loop(source, self.sample_rate)
            if self._ended is not None:  # meanwhile
                opened.close()
                self._check_ended()
            return opened
        if source.sample_rate == self.sample_rate:
            return source
        await load_conversion()
        from sipstack.media.conversion import ResampledSource

        return ResampledSource(source, self.sample_rate)

    def _create(self, sink: str | Path | AudioSink) -> AudioSink:
        return WavSink(sink, self.sample_rate) if isinstance(sink, str | Path) else sink

    def _recording_failed(self, error: MediaError) -> None:
        self.error = error

    def _resample(self, frame: Frame) -> bytes:
        rate = frame.sample_rate
        if self._resampled is None or self._resampled[0] != rate:
            from sipstack.media.conversion import Resampler

            self._resampled = rate, Resampler(rate, self.sample_rate).push
        return self._resampled[1](frame.pcm)
