"""Digits as tones in the audio of a call: looked for in what is heard, and played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipstack.errors import LocalProtocolError
from sipstack.media.audio import Audio
from sipstack.media.io import PcmSource
from sipstack.rtp.dtmf_tones import ToneDetector, dtmf_tone
from sipstack.rtp.telephone_event import Press


class InbandDetection:
    """Tells the keys whose tones are heard, from now on until it is closed."""

    def __init__(self, audio: Audio, pressed: Callable[[Press], None]) -> None:
        self._audio = audio
        self._pressed = pressed
        self._detector = ToneDetector(audio.sample_rate)
        audio.attach(self)

    def write(self, pcm: bytes) -> None:
        for press in self._detector.hear(pcm, asyncio.get_running_loop().time()):
            self._pressed(press)

    def end(self) -> None:
        """Whoever made it closes it."""

    def close(self) -> None:
        """Look no more."""
        self._audio.detach(self)


async def play_tones(audio: Audio, keys: str, duration: float, gap: float) -> None:
    """Play the tones of ``keys``, each with the gap behind it. Raises LocalProtocolError for flash."""
    rate = audio.sample_rate
    silence = bytes(2 * round(gap * rate))
    try:
        pcm = b"".join(dtmf_tone(key, duration, rate) + silence for key in keys)
    except ValueError as error:
        raise LocalProtocolError(f"in-band {error}") from None
    await audio.play(PcmSource(pcm, rate))
