"""The sound card as microphone and loudspeaker of a call, by sounddevice of the ``sound`` extra.

No other file imports it. PortAudio calls back in a thread of its own, which must not wait: frames of 20 ms
pass between it and the event loop through a ``FrameRing`` for each direction.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sipstack.errors import MediaError
from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.media.wav import load_conversion

PRIMED = 2
"""Frames (40 ms) that wait in a ring before the first is taken: the two clocks do not tick together."""
LIMIT = 6
"""Frames (120 ms) in a ring; one more, and the oldest go until ``PRIMED`` are left."""
RATES = (48000, 44100, 16000, 8000)
"""Samples a second to try with a device that takes neither the call's rate nor has a good one of its own."""

_PORTAUDIO = threading.Lock()  # opens and closes one stream at a time: it is not made for several threads


class FrameRing:
    """Frames on their way from one thread to another. Nobody waits: both ends of a deque are atomic."""

    def __init__(self) -> None:
        self.dropped = 0
        """Frames that came faster than they were taken: the oldest were given up."""
        self.gaps = 0
        """How often there was no frame to take, after there had been one."""
        self._frames: deque[bytes] = deque()
        self._primed = False

    def put(self, frame: bytes) -> None:
        """Append a frame. Called by one thread."""
        self._frames.append(frame)
        if len(self._frames) > LIMIT:
            while len(self._frames) > PRIMED and self._pop() is not None:
                self.dropped += 1

    def take(self) -> bytes | None:
        """The oldest frame; None until enough of them are there. Called by the other thread."""
        if not self._primed and len(self._frames) < PRIMED:
            return None
        frame = self._pop()
        if frame is None:
            self.gaps += 1
        self._primed = frame is not None
        return frame

    def _pop(self) -> bytes | None:
        try:
            return self._frames.popleft()
        except IndexError:  # the other thread was faster
            return None


class SoundCard:
    """``async with``: a sound device is open for one call.

        async with SoundCard(call.audio.sample_rate) as card:
            async with call.playing(card.microphone), call.recording(card.speaker):
                await call.ended()

    ``device`` is the number or (part of) the name of a device that has both directions; None is the system's
    choice. It is asked for the call's sample rate; one that has others needs the ``media`` extra. Entering
    raises MediaError that says what is missing. A device that goes away ends what plays and records, with
    MediaError.
    """

    def __init__(self, sample_rate: int = 8000, device: str | int | None = None) -> None:
        self.glitches = 0
        """Blocks of which PortAudio says that they came too late, or were given to it too late."""
        self.microphone = Microphone(self, sample_rate)
        """An AudioSource, at the rate of the device."""
        self.speaker = Speaker(self, sample_rate)
        """An AudioSink, at the rate of the call."""
        self._device = device
        self._streams: list[Any] = []
        self._closing = False
        self._lost = False

    async def __aenter__(self) -> Self:
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            await asyncio.shield(opening)
            if self.speaker.device_rate != self.speaker.sample_rate:
                await load_conversion()
                self.speaker.convert()
        except BaseException:
            await asyncio.wait([opening])  # a thread cannot be cancelled
            await asyncio.to_thread(self._close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._close)

    def check(self) -> None:
        """Raise MediaError once the device has gone away."""
        if self._lost:
            raise MediaError("the sound device has stopped; was it unplugged?")

    def _open(self) -> None:
        with _PORTAUDIO:
            portaudio = _sounddevice()
            microphone, speaker = self.microphone, self.speaker
            try:
                if not portaudio.query_devices():
                    raise MediaError("there is no sound device on this machine")
                # Two streams: one for both is broken off by PortAudio, on ALSA over a sound server, when one
                # direction begins later than the other.
                microphone.sample_rate = _rate(
                    portaudio, self._device, "input", microphone.sample_rate, portaudio.check_input_settings
                )
                speaker.device_rate = _rate(
                    portaudio, self._device, "output", speaker.sample_rate, portaudio.check_output_settings
                )
                self._start(portaudio.RawInputStream, microphone.sample_rate, self._heard)
                self._start(portaudio.RawOutputStream, speaker.device_rate, self._wanted)
            except (portaudio.PortAudioError, ValueError) as error:
                raise MediaError(f"{_called(self._device)} cannot be opened: {error}") from error

    def _start(self, make: Callable[..., Any], sample_rate: int, callback: Callable[..., None]) -> None:
        stream = make(
            samplerate=sample_rate,
            blocksize=sample_rate // FRAMES_PER_SECOND,
            device=self._device,
            channels=1,
            dtype="int16",
            latency="low",
            callback=callback,
            finished_callback=self._finished,
        )
        self._streams.append(stream)
        stream.start()

    def _close(self) -> None:
        with _PORTAUDIO:
            self._closing = True
            while self._streams:
                self._streams.pop().close(ignore_errors=True)

    # -- in PortAudio's threads ----------------------------------------------------------------------------

    def _heard(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """20 ms are there."""
        self.glitches += bool(status)
        self.microphone.ring.put(bytes(block))

    def _wanted(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """20 ms are wanted, at once."""
        self.glitches += bool(status)
        block[:] = self.speaker.ring.take() or bytes(len(block))

    def _finished(self) -> None:
        self._lost = not self._closing


class Microphone:
    """What the device hears: an AudioSource. ``ring`` counts what was lost on the way."""

    def __init__(self, card: SoundCard, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        """Of the device, once it is open."""
        self.ring = FrameRing()
        self._card = card

    def read(self) -> bytes | None:
        self._card.check()
        return self.ring.take()

    def rewind(self) -> None:
        raise MediaError("a microphone cannot begin again")

    def close(self) -> None:
        """The card is closed by who opened it."""


class Speaker:
    """What the device says: an AudioSink. ``ring`` counts what was lost on the way."""

    def __init__(self, card: SoundCard, sample_rate: int) -> None:
        self.sample_rate = self.device_rate = sample_rate
        self.ring = FrameRing()
        self._card = card
        self._resampler: Any = None
        self._octets = 0
        self._buffer = bytearray()

    def convert(self) -> None:
        """From now on what is written has another rate than the device."""
        from sipstack.media.conversion import Resampler

        self._resampler = Resampler(self.sample_rate, self.device_rate)
        self._octets = frame_octets(self.device_rate)

    def write(self, pcm: bytes) -> None:
        self._card.check()
        if self._resampler is None:
            self.ring.put(pcm)
            return
        self._buffer += self._resampler.push(pcm)
        while len(self._buffer) >= self._octets:
            self.ring.put(bytes(self._buffer[: self._octets]))
            del self._buffer[: self._octets]

    def close(self) -> None:
        """The card is closed by who opened it."""


def _sounddevice() -> Any:
    """Importing it starts PortAudio, which looks at all devices."""
    try:
        import sounddevice
    except ImportError as error:
        raise MediaError("a sound card needs sounddevice: pip install 'sipstack[sound]'") from error
    except OSError as error:
        raise MediaError("sounddevice needs the PortAudio library: apt install libportaudio2") from error
    return sounddevice


def _rate(
    portaudio: Any, device: str | int | None, kind: str, wanted: int, check: Callable[..., None]
) -> int:
    """The call's rate if the device takes it, else another one that it takes."""
    own = int(portaudio.query_devices(device, kind)["default_samplerate"])
    refusal: Exception | None = None
    for rate in (wanted, own, *RATES):
        if rate % FRAMES_PER_SECOND:
            continue
        try:
            check(device, channels=1, dtype="int16", samplerate=rate)
        except portaudio.PortAudioError as error:
            refusal = refusal or error
        else:
            return rate
    raise MediaError(f"{_called(device)} has no mono {kind}: {refusal}")


def _called(device: str | int | None) -> str:
    return "the sound device" if device is None else f"the sound device {device!r}"
