"""Calls over DTLS-SRTP on a wire in memory, in virtual time, and what can be asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sipstack import sdp
from sipstack.media.events import MediaEvent
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.sdp import IceDescription, SessionDescription
from tests.media.calls import Call, numbers
from tests.media.hearing import Ear, purity
from tests.media.wire import Wire

ALICE, BOB = "192.0.2.1", "192.0.2.2"
FOUND = 10.0
"""Seconds in which a path is found, on a wire that loses nothing."""


def session(wire: Wire, host: str, seed: int, security: str = "dtls", **settings: Any) -> AudioSession:
    return AudioSession(host, random=numbers(seed), bind=wire.bind, security=security, **settings)


def secured(wire: Wire, alice: dict[str, Any] | None = None, bob: dict[str, Any] | None = None) -> Call:
    """Alice offers DTLS-SRTP, Bob accepts it."""
    return Call(session(wire, ALICE, 1, **(alice or {})), session(wire, BOB, 2, **(bob or {})))


async def until(condition: Callable[[], object], within: float = FOUND) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def connected(call: Call) -> None:
    """Both sides have keys."""
    await until(lambda: is_secured(call.alice) and is_secured(call.bob))


def is_secured(session: AudioSession) -> bool:
    """Whether there are keys."""
    return (session.security or "").startswith("DTLS-SRTP A")


async def heard(speaker: AudioSession, listener: AudioSession, frequency: float) -> float:
    """The purity of a tone that goes from one to the other for half a second."""
    ear = Ear()
    async with listener.audio.recording(ear), speaker.audio.playing(sine(frequency, 0.5), loop=True):
        await asyncio.sleep(0.7)
    return purity(b"".join(ear.frames[15:30]), frequency)


def listening(session: AudioSession) -> list[MediaEvent]:
    """The events of a session from now on."""
    events: list[MediaEvent] = []
    session.attach(events.append)
    return events


def medium(description: str | SessionDescription) -> sdp.MediaDescription:
    parsed = sdp.parse(description) if isinstance(description, str) else description
    return parsed.media[0]


def credentials(description: str | SessionDescription) -> tuple[str, str]:
    """Those of ICE."""
    parsed = sdp.parse(description) if isinstance(description, str) else description
    found = IceDescription.of(parsed, parsed.media[0])
    assert found is not None
    return found.credentials


def port(session: AudioSession) -> int:
    return int(repr(session).partition("port=")[2].split()[0])
