"""The audio of one call, as the application sees it: frames in and out, files to play and to record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import Self

import attrs

from sipstack.errors import CallEnded, LocalProtocolError, MediaError
from sipstack.media.feed import Feed
from sipstack.media.io import AudioSink, AudioSource, PcmSource, whole_samples
from sipstack.media.io import Frame as Frame
from sipstack.media.listening import Listening, Tap
from sipstack.media.playing import Player, Playing
from sipstack.media.recording import COMBINED, Recording, Sides
from sipstack.media.sending import SendQueue
from sipstack.media.wav import create_sink, load_conversion, open_off_loop
from sipstack.rtp.quality import impairment_of, mean_opinion_score

Playable = str | Path | bytes | AudioSource | AsyncIterable[bytes | Frame]
"""What can be played: a file, PCM, a source, or what yields PCM or frames piece by piece."""


@attrs.frozen
class PeerReport:
    """What the peer says of the audio that it gets from us, in its last RTCP report."""

    loss: float
    """Of the packets since the report before, 0 to 1."""
    packets_lost: int
    """In all; negative when the network duplicates packets."""
    jitter: float
    """Seconds."""
    mos: float | None = None
    """How good it sounds, delay included, 1 to 5: None unless it sends VoIP metrics (RFC 3611 §4.7)."""
    discarded: float | None = None
    """Of all packets those that came too late to be played, 0 to 1; likewise."""


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
    playout_delay: float = 0.06
    """Seconds that packets should wait before they are played, for those that come late."""
    codec_heard: str | None = None
    """That of the last packet, by its name in SDP."""
    peer: PeerReport | None = None
    """None until the peer has reported on what we sent."""

    @property
    def mos(self) -> float | None:
        """How good what we hear sounds, 1 to 4.4: an estimate by the E-model (ITU-T G.107), simplified.

        From loss, the playout delay, half the round trip and the codec (``rtp.quality.IMPAIRMENTS``); None
        before anything has come.
        """
        if not self.packets_received:
            return None
        lost = self.packets_lost + self.packets_late
        delay = self.playout_delay + (self.round_trip or 0.0) / 2
        loss = lost / max(self.packets_received + self.packets_lost, 1)
        return mean_opinion_score(loss, delay, impairment_of(self.codec_heard))


class Audio:
    """Iterate for what is heard, ``send`` or ``play`` what is to be said, ``recording`` keeps either.

    Iterating gives one ``Frame`` each 20 ms, silence included, and ends with the call. One task at a time may
    iterate; ``frames`` is for others, and for other sample rates and lengths. What is not taken within half a
    second is dropped, oldest first. When the call ends, ``send`` and ``play`` raise CallEnded.
    """

    def __init__(
        self, statistics: Callable[[], MediaStatistics] = MediaStatistics, sample_rate: int = 8000
    ) -> None:
        self.codec: str | None = None
        """The codec that we send, by its name in SDP; None before there is one."""
        self.sample_rate = sample_rate
        """Of the frames received by iterating."""
        self.muted = False
        """Say nothing: silence goes out, and what is played or sent runs on unheard."""
        self.error: MediaError | None = None
        """The last thing that went wrong with a recording."""
        self._statistics = statistics
        self._players: list[Player] = []  # the last one is heard
        self._queue: SendQueue | None = None
        self._background: AudioSource | None = None
        self._resampled: tuple[int, Callable[[bytes], bytes]] | None = None  # the last other rate sent
        self._taps: list[Tap] = []
        self._said: list[Recording] = []
        self._listening: Listening | None = None  # None: nobody iterates
        self._listened_since: float | None = None
        self._endings: list[Callable[[], None]] = []
        self._ended: CallEnded | None = None

    @property
    def statistics(self) -> MediaStatistics:
        """A snapshot; once the call is over, the last one."""
        return self._statistics()

    @property
    def ended(self) -> CallEnded | None:
        """How the call ended; None while it goes on."""
        return self._ended

    # -- what is heard -------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        """Begin to listen: what was said before is not given."""
        if self._listening is None or not self._listening.is_awaited:
            if self._listening is not None:
                self._listening.stop()
            self._listening = Listening(self)
            self._listening.begin()
        return self  # to be told, when somebody waits for a frame already

    async def __anext__(self) -> Frame:
        if self._listening is None:
            raise LocalProtocolError("audio is for one `async for` at a time")
        return await anext(self._listening)

    def frames(self, *, sample_rate: int | None = None, duration: float = 0.02) -> Listening:
        """Iterate over it for frames of this sample rate (as it is, if none is given) and length in seconds,
        beside whoever else listens.

        Another sample rate needs the ``media`` extra (MediaError from the iteration).
        """
        return Listening(self, sample_rate, duration)

    def recording(self, sink: str | Path | AudioSink, *, sides: Sides = "heard") -> Recording:
        """``async with``: record what is "heard", what is "said", or both, "mixed" or in "stereo" (heard on
        the left), to a file or another sink, which is closed at the end.

        The name of the file tells the format: WAV where it ends in .wav or has no ending, else what PyAV of
        the ``media`` extra makes of it (.ogg, .opus, .mp3, .flac, ...). Entering raises MediaError when the
        file cannot be written, leaving when the end is missing.
        """
        if sides not in COMBINED:
            raise MediaError(f"no such sides: {sides!r} (there are {', '.join(COMBINED)})")
        return Recording(self, lambda: create_sink(sink, self.sample_rate, 1 + (sides == "stereo")), sides)

    # -- what is said --------------------------------------------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Say this after what was sent before it, of any length. Waits while 60 ms are yet to be said.

        Not heard while something is played. Another sample rate needs the ``media`` extra (MediaError).
        """
        self._check_ended()
        pcm = whole_samples(frame.pcm)
        if frame.sample_rate != self.sample_rate:
            await load_conversion()
            pcm = self._resample(frame)
        if self._queue is None:
            self._queue = SendQueue(self.sample_rate)
        await self._queue.put(pcm)

    def clear(self) -> None:
        """Be silent within 20 ms: what plays, waits to be played or was sent and not said yet, is dropped.

        Who waits in ``send`` or ``play`` goes on as if it had been said.
        """
        for player in self._players:
            player.stop()
        self._players.clear()
        self._resampled = None
        if self._queue is not None:
            self._queue.clear()

    async def play(
        self,
        source: Playable,
        *,
        loop: bool = False,
        queue: bool = False,
        gain: float = 0.0,
        sample_rate: int | None = None,
    ) -> None:
        """Play a file, PCM or another source to its end; looped, until cancelled.

        Playing during ``playing`` interrupts that one; with ``queue`` it waits for the end of what plays.
        ``gain`` is in dB, 24 at the most. ``sample_rate`` is that of PCM, whole or from an async iterator,
        where it is not the call's. Raises MediaError when it cannot be read, CallEnded when the call ends
        first, and what an iterator raises. A source that you made yourself is yours to close.
        """
        async with self.playing(source, loop=loop, queue=queue, gain=gain, sample_rate=sample_rate) as player:
            await player.finished()

    def playing(
        self,
        source: Playable,
        *,
        loop: bool = False,
        queue: bool = False,
        gain: float = 0.0,
        sample_rate: int | None = None,
    ) -> Playing:
        """``async with``: play meanwhile, as ``play`` does. What it gives tells how much was ``heard``, and
        ``stop`` cuts it short within 20 ms. Leaving stops it; it raises MediaError when the source failed.
        """
        return Playing(
            self._players,
            lambda: self._open(source, sample_rate),
            loop=loop,
            owned=isinstance(source, str | Path | bytes | AsyncIterable),
            queued=queue,
            gain=gain,
        )

    # -- what the media session calls ----------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._ended is not None

    @property
    def wanted(self) -> bool:
        """Whether anyone listens; if not, what is received need not be decoded."""
        return bool(self._taps)

    @property
    def gives_way(self) -> bool:
        """Whether there is nothing to say but silence."""
        speaks = self._players or (self._queue is not None and not self._queue.is_empty)
        return not speaks and self._background is None

    @property
    def takes_packets(self) -> bool:
        """Whether packets from elsewhere can go out in its place: nobody mutes or records what is said."""
        return not self.muted and not self._said

    def read(self) -> bytes | None:
        """The frame to send now, None for silence."""
        pcm = self._next()
        if self.muted:
            pcm = None
        for recording in self._said:
            recording.said(pcm)
        return pcm

    def write(self, pcm: bytes) -> None:
        """The frame that is heard now."""
        for tap in tuple(self._taps):
            tap.write(pcm)

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
        for tap in tuple(self._taps):
            tap.end()
        endings, self._endings = self._endings, []
        for ending in endings:
            ending()

    # -- what listens and speaks for longer ----------------------------------------------------------------

    def attach(self, tap: Tap) -> float:
        """Hand it what is heard from now on, and tell it the end of the call; the time, as frames have it."""
        now = _time()
        if self._listened_since is None:
            self._listened_since = now
        if self._ended is None:
            self._taps.append(tap)
        else:
            tap.end()
        return now - self._listened_since

    def detach(self, tap: Tap) -> None:
        """Hand it no more. Does nothing when it gets nothing."""
        if tap in self._taps:
            self._taps.remove(tap)

    def attach_said(self, recording: Recording) -> None:
        """Hand it what is said from now on."""
        self._said.append(recording)

    def detach_said(self, recording: Recording) -> None:
        """Hand it no more. Does nothing when it gets nothing."""
        if recording in self._said:
            self._said.remove(recording)

    def recording_failed(self, error: MediaError) -> None:
        """A recording has stopped."""
        self.error = error

    def use_background(self, source: AudioSource | None) -> None:
        """Say this while nothing else is said. Raises LocalProtocolError when there is another one."""
        if source is not None and self._background is not None:
            raise LocalProtocolError("this call is in a conference already")
        self._background = source

    def when_ended(self, ending: Callable[[], None]) -> Callable[[], None]:
        """Call this at the end, at once if that is past. What it gives takes that back."""
        if self._ended is not None:
            ending()
            return lambda: None
        self._endings.append(ending)
        return lambda: self._endings.remove(ending) if ending in self._endings else None

    def _next(self) -> bytes | None:
        while self._players:
            player = self._players[-1]
            pcm = player.read()
            if pcm != b"":
                return pcm
            self._players.remove(player)
        pcm = self._queue.read() if self._queue is not None else None
        if pcm is None and self._background is not None:
            pcm = self._background.read()
        return pcm

    def _check_ended(self) -> None:
        if self._ended is not None:
            raise CallEnded(self._ended.by, self._ended.reason)

    async def _open(self, source: Playable, sample_rate: int | None) -> AudioSource:
        self._check_ended()
        if isinstance(source, str | Path):
            opened = await open_off_loop(source, self.sample_rate)
            if self._ended is not None:  # meanwhile
                opened.close()
                self._check_ended()
            return opened
        if isinstance(source, AsyncIterable):
            return Feed(source, self.sample_rate, sample_rate)
        if isinstance(source, bytes):
            source = PcmSource(source, sample_rate or self.sample_rate)
        if source.sample_rate == self.sample_rate:
            return source
        await load_conversion()
        self._check_ended()
        from sipstack.media.conversion import ResampledSource

        return ResampledSource(source, self.sample_rate)

    def _resample(self, frame: Frame) -> bytes:
        rate = frame.sample_rate
        if self._resampled is None or self._resampled[0] != rate:
            from sipstack.media.conversion import Resampler

            self._resampled = rate, Resampler(rate, self.sample_rate).push
        return self._resampled[1](frame.pcm)


def _time() -> float:
    """That of the event loop; it stands still where there is none."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
