"""The media of a call as its user has them, before it is answered or after."""

from __future__ import annotations

from pathlib import Path

from sipstack.errors import LocalProtocolError
from sipstack.media.audio import Audio, MediaStatistics, Playable
from sipstack.media.dtmf import Dtmf, DtmfMedia, dtmf_of
from sipstack.media.io import AudioSink
from sipstack.media.playing import Playing
from sipstack.media.port import MediaPort, SecuredMedia, audio_of
from sipstack.media.recording import Recording, Sides


class Leg:
    """What calls share with outgoing calls and invitations that are not answered yet: whose media are early
    ones, and go on in the call.
    """

    _media: MediaPort | None = None

    @property
    def _port(self) -> MediaPort:
        """Its media. Raises LocalProtocolError when there is none."""
        if self._media is None:
            raise LocalProtocolError(
                "an invitation has media from progress(early_media=True) on, until its call has it"
            )
        return self._media

    @property
    def audio(self) -> Audio:
        """The audio in both directions: iterate for frames, ``send`` them, ``play`` and record."""
        return audio_of(self._port)

    @property
    def dtmf(self) -> Dtmf:
        """The digits that the other side presses, and ours to it."""
        return dtmf_of(self._port)

    @property
    def security(self) -> str | None:
        """What protects the media now, such as "DTLS-SRTP"; None when nothing does."""
        port = self._port
        return port.security if isinstance(port, SecuredMedia) else None

    @property
    def codec(self) -> str | None:
        """The name of the codec that we send with, such as "PCMU"."""
        audio = self._port.audio
        return None if audio is None else audio.codec

    @property
    def statistics(self) -> MediaStatistics:
        """The counters of everything that went over the wire so far; final once the call has ended."""
        return self.audio.statistics

    async def play(
        self,
        source: Playable,
        *,
        loop: bool = False,
        queue: bool = False,
        gain: float = 0.0,
        sample_rate: int | None = None,
    ) -> None:
        """Play a file, PCM or another source to its end, as ``Audio.play`` does. Raises MediaError when it
        cannot be read, CallEnded when the call ends.
        """
        await self.audio.play(source, loop=loop, queue=queue, gain=gain, sample_rate=sample_rate)

    def playing(
        self,
        source: Playable,
        *,
        loop: bool = False,
        queue: bool = False,
        gain: float = 0.0,
        sample_rate: int | None = None,
    ) -> Playing:
        """Play while the ``async with`` block runs; what it gives tells how much was ``heard``, and can be
        stopped within 20 ms: see ``Audio.playing``.
        """
        return self.audio.playing(source, loop=loop, queue=queue, gain=gain, sample_rate=sample_rate)

    def recording(self, sink: str | Path | AudioSink, *, sides: Sides = "heard") -> Recording:
        """Record while the ``async with`` block runs what the other side says, or what we say, or both, to a
        file of any format or another sink: see ``Audio.recording``.
        """
        return self.audio.recording(sink, sides=sides)

    def _informed(self, key: str, began: float, duration: float) -> None:
        """The other side has pressed a key, and says so by INFO."""
        media: object = self._media
        if isinstance(media, DtmfMedia):
            media.dtmf.informed(key, began, duration)
