"""Conferences: each call hears all the others."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from sipstack.errors import LocalProtocolError
from sipstack.media.audio import Audio
from sipstack.media.clock import MediaClock
from sipstack.media.inbox import Inbox
from sipstack.media.io import frame_octets
from sipstack.media.pcm import Lanes, Voice
from sipstack.media.wav import load_conversion

WAITING = 3
"""Frames (60 ms) of a party that may wait for the next mix, or a mix for the party: enough for a stall."""
HANGOVER = 10
"""Frames (200 ms) for which a party is mixed after it was loud: words end softly."""


class HasAudio(Protocol):
    """A call, or another one that has the audio of one."""

    @property
    def audio(self) -> Audio:
        """What it says and hears."""


class Mixer:
    """``async with Mixer() as mixer: await mixer.add(call)``: a conference of any number of calls.

    Each party hears the sum of all others, cut off where it goes beyond 16 bits; who is silent is not mixed.
    ``sample_rate`` is that of the mix: calls of another rate are converted, by the ``media`` extra. Playing
    into one of the calls is heard by that one alone, and in place of the conference. It costs by the talkers,
    not by the listeners. The calls stay yours; leaving ends the conference.
    """

    def __init__(self, sample_rate: int = 8000, *, clock: MediaClock | None = None) -> None:
        self.sample_rate = sample_rate
        """Of the mix."""
        self._clock = clock
        self._octets = frame_octets(sample_rate)
        self._lanes = Lanes(self._octets)
        self._parties: dict[Audio, Party] = {}
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._clock = self._clock or MediaClock.shared()
        self._clock.join(self._tick)
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        if self._clock is not None:
            self._clock.leave(self._tick)
        for audio in tuple(self._parties):
            self.remove(audio)

    def __len__(self) -> int:
        """The number of parties."""
        return len(self._parties)

    async def add(self, party: HasAudio | Audio) -> None:
        """Let it hear the others, and them hear it, until ``remove``, its end or that of the conference.

        Raises LocalProtocolError when it is in a conference already, or this one is over; MediaError when its
        sample rate needs the ``media`` extra.
        """
        audio = _audio_of(party)
        if audio.sample_rate != self.sample_rate:
            await load_conversion()
        if not self._is_open:
            raise LocalProtocolError("the conference is not open: use `async with Mixer()`")
        joined = Party(audio, self.sample_rate)
        audio.use_background(joined)
        self._parties[audio] = joined
        audio.attach(joined)

    def remove(self, party: HasAudio | Audio) -> None:
        """Take it out. Does nothing when it is not in this conference."""
        audio = _audio_of(party)
        joined = self._parties.pop(audio, None)
        if joined is not None:
            audio.detach(joined)
            audio.use_background(None)

    def _tick(self, now: float, periods: int) -> None:
        talkers: list[Party] = []
        even = odd = 0
        for audio, party in tuple(self._parties.items()):
            if party.is_over:
                self.remove(audio)
            elif party.listen(self._lanes):
                talkers.append(party)
                even, odd = even + party.voice[0], odd + party.voice[1]
        if not talkers:
            return
        count = len(talkers)
        everybody = self._lanes.pcm((even, odd), count)
        for party in self._parties.values():
            if not party.is_talking:
                party.to_say.write(everybody)
            elif count > 1:
                others = even - party.voice[0], odd - party.voice[1]
                party.to_say.write(self._lanes.pcm(others, count - 1))


class Party:
    """One call in the conference: gets what it hears, and is the source of what it says."""

    def __init__(self, audio: Audio, mixed_rate: int) -> None:
        self.sample_rate = audio.sample_rate
        to_mix, from_mix = (
            _conversion(audio.sample_rate, mixed_rate),
            _conversion(mixed_rate, audio.sample_rate),
        )
        self._heard = Inbox(frame_octets(mixed_rate), WAITING, to_mix)
        self.to_say = Inbox(frame_octets(audio.sample_rate), WAITING, from_mix)
        """What the others say."""
        self.voice: Voice = (0, 0)
        """Its frame of this mix, when it is talking."""
        self.is_talking = False
        self._loud = 0  # frames for which it is mixed yet
        self.is_over = False

    def listen(self, lanes: Lanes) -> bool:
        """Take its next frame; whether it is talking."""
        pcm = self._heard.take()
        self.is_talking = False
        if pcm is not None:
            self.voice = lanes.voice(pcm)
            self._loud = self._loud - 1 if lanes.is_silent(self.voice) else HANGOVER
            self.is_talking = self._loud > 0
        return self.is_talking

    # As a tap of the call

    def write(self, pcm: bytes) -> None:
        self._heard.write(pcm)

    def end(self) -> None:
        self.is_over = True

    # As a source for the call

    def read(self) -> bytes | None:
        return self.to_say.take()

    def rewind(self) -> None:
        """It never ends."""

    def close(self) -> None:
        """There is nothing to let go of."""


def _conversion(source_rate: int, sample_rate: int) -> Callable[[bytes], bytes] | None:
    if source_rate == sample_rate:
        return None
    from sipstack.media.conversion import Resampler

    return Resampler(source_rate, sample_rate).push


def _audio_of(party: HasAudio | Audio) -> Audio:
    return party if isinstance(party, Audio) else party.audio
