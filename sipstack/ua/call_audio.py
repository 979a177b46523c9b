"""A call's audio, and what there is to know of it."""

from __future__ import annotations

from pathlib import Path

from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.io import AudioSink, AudioSource
from sipstack.media.playing import Playing
from sipstack.media.port import SecuredMedia, audio_of
from sipstack.media.recording import Recording
from sipstack.ua.call_base import CallBase
from sipstack.ua.digits import Dtmf, digits_of


class CallAudio(CallBase):
    """Audio and digits in both directions."""

    @property
    def audio(self) -> Audio:
        """The audio in both directions: iterate for frames, ``send`` them, ``play`` and record."""
        return audio_of(self._media)

    @property
    def security(self) -> str | None:
        """What protects the media now, such as "DTLS-SRTP"; None when nothing does."""
        return self._media.security if isinstance(self._media, SecuredMedia) else None

    @property
    def dtmf(self) -> Dtmf:
        """The digits that the other side presses, and ours to it."""
        return digits_of(self._media, self._runtime, self._session)

    @property
    def codec(self) -> str | None:
        """The name of the codec that we send with, such as "PCMU"."""
        audio = self._media.audio
        return None if audio is None else audio.codec

    @property
    def statistics(self) -> MediaStatistics:
        """The counters of everything that went over the wire so far; final once the call has ended."""
        return self.audio.statistics

    async def play(self, source: str | Path | AudioSource, *, loop: bool = False) -> None:
        """Play a file to its end. Raises MediaError when it cannot be read, CallEnded when the call ends."""
        await self.audio.play(source, loop=loop)

    def playing(self, source: str | Path | AudioSource, *, loop: bool = False) -> Playing:
        """Play while the ``async with`` block runs."""
        return self.audio.playing(source, loop=loop)

    def recording(self, sink: str | Path | AudioSink) -> Recording:
        """Record what the other side says into a WAV file (or another sink) while the ``async with`` block
        runs.
        """
        return self.audio.recording(sink)
