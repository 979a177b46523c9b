"""Two AudioSessions whose audio may be protected by keys in their descriptions, on a wire in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sipstack import sdp
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.sdp import SessionDescription
from sipstack.sdp.crypto import SUITES, Crypto
from tests.media.calls import Call, numbers
from tests.media.hearing import Ear, purity
from tests.media.wire import Wire

ALICE, BOB = "192.0.2.1", "192.0.2.2"
SHA1_80, GCM_256, GCM_128, SHA1_32 = SUITES
Security = str | Sequence[str]


def session(
    wire: Wire,
    host: str,
    seed: int,
    security: Security = "sdes",
    *,
    secure: bool = True,
    insecure: bool = False,
) -> AudioSession:
    made = AudioSession(
        host, random=numbers(seed), bind=wire.bind, security=security, insecure_keys=insecure, timeout=None
    )
    made.signalled("192.0.2.9", secure)
    return made


def secured(wire: Wire, alice: Security = "sdes", bob: Security = "sdes", *, secure: bool = True) -> Call:
    return Call(session(wire, ALICE, 1, alice, secure=secure), session(wire, BOB, 2, bob, secure=secure))


def keys_of(description: str | SessionDescription) -> list[Crypto]:
    parsed = sdp.parse(description) if isinstance(description, str) else description
    return [Crypto.parse(value) for value in parsed.media[0].attribute_values("crypto")]


def protocol_of(description: str) -> str:
    return sdp.parse(description).media[0].protocol


async def is_heard(speaker: AudioSession, listener: AudioSession, frequency: float = 1000.0) -> bool:
    """Whether a tone that the one plays is what the other hears."""
    ear = Ear()
    async with speaker.audio.playing(sine(frequency, 1.0), loop=True):
        await asyncio.sleep(0.5)
        async with listener.audio.recording(ear):
            await asyncio.sleep(0.5)
    return purity(b"".join(ear.frames[10:]), frequency) > 0.99  # behind the delay of the playout


async def both_hear(call: Call) -> bool:
    return await is_heard(call.alice, call.bob) and await is_heard(call.bob, call.alice, 500.0)
