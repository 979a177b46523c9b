"""Our end of a call with baresip, which sends back what it hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from interop.asterisk.listening import hear_tone
from interop.asterisk.sound import RATE, tone, write_wav
from interop.baresip.phone import Baresip
from interop.ports import addresses
from sipstack import AudioSession, Call, Tls, TracedMessage, UserAgent

FREQUENCY = 440  # Hz
HAS_ADDRESS = pytest.mark.skipif(
    not addresses(), reason="baresip's ICE needs an address beside that of the loopback"
)


class Ours:
    """Our user agent, its media and its messages."""

    def __init__(self, phone: Baresip, security: str | Sequence[str], **media: Any) -> None:
        self.media: list[AudioSession] = []
        self.trace: list[TracedMessage] = []
        self._settings = {"security": security, "sample_rate": RATE, **media}
        folder = phone.folder
        tls = Tls(
            certificate=folder / "server.crt", key=folder / "server.key", authority=folder / "authority.crt"
        )
        self.agent = UserAgent(
            "sip:alice@127.0.0.1",
            listen="tls:127.0.0.1:0",
            tls=tls,
            media=self._make,
            trace=self.trace.append,
        )

    def _make(self, host: str) -> AudioSession:
        self.media.append(AudioSession(host, **self._settings))
        return self.media[-1]

    @property
    def protocol(self) -> str:
        """Of the last description of baresip's."""
        lines = (line for message in self.trace if not message.sent for line in message.data.split(b"\r\n"))
        return [line.decode() for line in lines if line.startswith(b"m=audio")][-1].split()[2]


@asynccontextmanager
async def sounding(call: Call, folder: Path) -> AsyncIterator[None]:
    """Our tone comes back while the block runs."""
    beep = write_wav(folder / "beep.wav", tone(FREQUENCY, 1.0))
    async with call.playing(beep, loop=True):
        await hear_tone(call.audio, FREQUENCY)
        yield
        await hear_tone(call.audio, FREQUENCY)
