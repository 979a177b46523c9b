"""The calls of ``interop.bench.churn``: each says a tone both ways and presses keys, some are held, some are
protected, and either side hangs up. The number of a call decides which: so every run has the same mixture.
"""

from __future__ import annotations

import asyncio
import contextlib

import attrs

from sipstack import Call, Invitation, UserAgent
from sipstack.errors import CallEnded, SipError
from sipstack.media.io import PcmSource
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine

RATE = 8000
LOUD = 1000
"""A sample of a frame in which the tone is heard."""
ENOUGH = 10
"""Frames of tone (200 ms) that each side has to hear; callers again after a hold."""
PRESS = 0.06
"""Seconds of a key, and between two."""
MOMENT = 0.3
"""Seconds of talk after the keys."""
PATIENCE = 20.0
"""Seconds in which audio has to come, and the end of a call: plenty, for machines with other work."""


class Ear:
    """Counts the frames in which something is heard."""

    def __init__(self) -> None:
        self.heard = 0
        self._wanted = 0
        self._enough = asyncio.Event()

    def write(self, pcm: bytes) -> None:
        self.heard += max(memoryview(pcm).cast("h"), default=0) >= LOUD
        if self.heard >= self._wanted:
            self._enough.set()

    def close(self) -> None:
        """Nothing is kept."""

    async def hear(self, frames: int) -> None:
        """Wait until there were so many. Raises TimeoutError."""
        if self.heard < frames:
            self._wanted = frames
            self._enough.clear()
            async with asyncio.timeout(PATIENCE):
                await self._enough.wait()


@attrs.frozen
class Kind:
    """How a call is protected, and with which codec."""

    name: str
    codec: str = "PCMU"
    offered: str = "none"
    security: str = "None"
    """How what the call says of it begins."""

    def media(self, host: str) -> AudioSession:
        """That of its caller."""
        codecs, security = (self.codec,), self.offered
        return AudioSession(host, codecs=codecs, sample_rate=RATE, security=security, insecure_keys=True)


PLAIN = Kind("plain")
SDES = Kind("SDES", offered="sdes", security="SDES-SRTP")
DTLS = Kind("DTLS", offered="dtls", security="DTLS-SRTP")
OPUS = Kind("Opus", codec="opus")
KINDS = (PLAIN, SDES, PLAIN, SDES, DTLS, PLAIN, SDES, PLAIN, SDES, OPUS)
"""Ten calls."""


def answering_media(host: str) -> AudioSession:
    """That of a callee, which takes whatever comes."""
    return AudioSession(host, codecs=("PCMU", "opus"), sample_rate=RATE, insecure_keys=True)


class Callee:
    """Answers calls, and tells what it heard in each."""

    def __init__(self) -> None:
        self.ears: dict[str, Ear] = {}
        """By Call-ID, until the caller has looked."""
        self._keys: dict[str, asyncio.Future[str]] = {}
        self._tone = tone()

    async def answer(self, invitation: Invitation) -> None:
        """Until the call ends; a star is the caller's wish that we hang up."""
        keys = ""
        async with invitation.accept() as call:
            ear = self.ears[call.id] = Ear()
            async with call.recording(ear), call.playing(PcmSource(self._tone), loop=True):
                async for digit in call.dtmf:
                    keys += digit
                    if digit == "*":
                        await ear.hear(ENOUGH)
                        await asyncio.sleep(MOMENT)
                        break
            self._of(call.id).set_result(keys)

    async def keys(self, call_id: str) -> str:
        """What was pressed in a call that is over. Raises TimeoutError."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._of(call_id)
        finally:
            self._keys.pop(call_id, None)
            self.ears.pop(call_id, None)

    def _of(self, call_id: str) -> asyncio.Future[str]:
        return self._keys.setdefault(call_id, asyncio.get_running_loop().create_future())


class Caller:
    """Places calls, one after the other or many at once, and judges each."""

    def __init__(self, ua: UserAgent, target: str, callee: Callee) -> None:
        self._ua = ua
        self._target = target
        self._callee = callee
        self._tone = tone()

    async def call(self, number: int) -> str:
        """One call; returns what was wrong with it, in words: nothing, if all is well."""
        kind = KINDS[number % len(KINDS)]
        keys = f"{number % 1000:03}{'*' if number % 7 < 3 else '#'}"
        try:
            async with self._ua.call(self._target, media=kind.media) as call:
                await self._talk(call, keys, is_held=number % 3 == 0)
                security, codec = str(call.security), call.codec
            pressed = await self._callee.keys(call.id)
        except TimeoutError:
            return f"{kind.name}: nothing heard, or no end"
        except SipError as error:
            return f"{kind.name}: {error!r}"
        if codec != kind.codec or not security.startswith(kind.security):
            return f"{kind.name}: {codec} and {security} were agreed on"
        return "" if pressed == keys else f"{kind.name}: keys {keys} came as {pressed}"

    async def _talk(self, call: Call, keys: str, *, is_held: bool) -> None:
        ear = Ear()
        async with call.recording(ear), call.playing(PcmSource(self._tone), loop=True):
            await ear.hear(ENOUGH)
            if is_held:
                await call.hold()
                await call.resume()
                await ear.hear(ear.heard + ENOUGH)
            if keys.endswith("*"):  # the callee hangs up, as soon as it has heard that
                with contextlib.suppress(CallEnded):
                    await call.dtmf.send(keys, duration=PRESS, gap=PRESS, way="rtp")
                async with asyncio.timeout(PATIENCE):
                    await call.ended()
            else:
                await call.dtmf.send(keys, duration=PRESS, gap=PRESS, way="rtp")
                await self._callee.ears[call.id].hear(ENOUGH)
                await asyncio.sleep(MOMENT)


def tone() -> bytes:
    """What is said: a second of it, which can be looped."""
    source = sine(400.0, 1.0, level=-12.0)
    return b"".join(iter(lambda: source.read() or b"", b""))
