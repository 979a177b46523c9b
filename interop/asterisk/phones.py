"""Two of our user agents connected through Asterisk, and user agents of which all is known that they said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from interop.asterisk.listening import answering, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from interop.asterisk.wires import Wire
from sipstack import AudioSession, Call, Tls, TracedMessage, UserAgent, sdp

OUR_TONE, THEIR_TONE = 440, 620  # Hz


@attrs.frozen
class Phone:
    """A user agent with the account of an endpoint, the media of its calls, and its messages."""

    agent: UserAgent
    media: list[AudioSession]
    trace: list[TracedMessage]

    def described(self, *, sent: bool) -> list[sdp.MediaDescription]:
        """The m-lines of the descriptions that we have sent, or those that came."""
        bodies = [
            message.data.partition(b"\r\n\r\n")[2]
            for message in self.trace
            if message.sent is sent and b"application/sdp" in message.data
        ]
        return [sdp.parse(body).media[0] for body in bodies if body]


def phone(asterisk: Asterisk, name: str, wire: Wire, **settings: Any) -> Phone:
    """One that reaches Asterisk over ``wire``; ``settings`` are those of AudioSession."""
    media: list[AudioSession] = []
    trace: list[TracedMessage] = []

    def make(host: str) -> AudioSession:
        media.append(AudioSession(host, **settings))
        return media[-1]

    agent = UserAgent(
        f"sip:{name}@{wire.host}:{wire.port(asterisk)}",
        password="secret",
        registrar=wire.uri(asterisk),
        proxy=wire.proxy(asterisk),
        listen=f"udp:{wire.host}:0",
        tls=Tls(authority=asterisk.authority),
        media=make,
        trace=trace.append,
    )
    return Phone(agent, media, trace)


@asynccontextmanager
async def connected(
    here: UserAgent, there: UserAgent, uri: str, folder: Path
) -> AsyncIterator[tuple[Call, Call]]:
    """``here`` calls ``there``, which registers, at a number of Asterisk's. Each sends a tone, and hears the
    other's.
    """
    ours = write_wav(folder / "ours.wav", tone(OUR_TONE, 1.0))
    theirs = write_wav(folder / "theirs.wav", tone(THEIR_TONE, 1.0))
    async with there, there.register(), answering(there) as calls, here, here.call(uri) as our_call:
        their_call = await next_call(calls)
        async with our_call.playing(ours, loop=True), their_call.playing(theirs, loop=True):
            await hear_tone(our_call.audio, THEIR_TONE)
            await hear_tone(their_call.audio, OUR_TONE)
            yield our_call, their_call
