"""The phone behind the NAT, and the registrar in front of it, which calls where the phone is registered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from interop.asterisk.listening import hear_tone
from interop.nat.networks import SERVER
from sipstack import AudioSession, Call, IncomingRequest, Invitation, Registration, UserAgent
from sipstack.media.tones import sine
from sipstack.message.uri import SipUri
from sipstack.ua.runtime import MediaFactory

EXPIRES = 10
"""Seconds, where a change has to be noticed soon."""
SERVER_TONE, CLIENT_TONE = 400.0, 600.0  # Hz
SECOND = 50  # packets
PATIENCE = 20.0  # seconds until the sound has to be there again


def plain(host: str) -> AudioSession:
    return AudioSession(host)


def dtls(host: str) -> AudioSession:
    """DTLS-SRTP over ICE."""
    return AudioSession(host, security="dtls")


class Registrar:
    """A user agent that takes any REGISTER, and calls."""

    def __init__(self) -> None:
        self.contacts: list[str] = []
        """Of every REGISTER that left one, in order."""
        self.by_user: dict[str, str] = {}
        """The latest, by user."""
        self.agent = UserAgent("sip:pbx@example.test", listen=f"udp:{SERVER}:5060")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Registrar]:
        async with self.agent, self.agent.serving(requests={"REGISTER": self._register}):
            yield self

    async def _register(self, request: IncomingRequest) -> None:
        address = request.request.to.uri
        user = address.user or "" if isinstance(address, SipUri) else ""
        kept = [each for each in request.request.contacts if each.parameters.get("expires") != "0"]
        written = [each.parameters.get("expires") for each in kept] + [str(request.request.expires or 3600)]
        if kept:
            self.by_user[user] = str(kept[-1].uri)
            self.contacts.append(self.by_user[user])
        granted = next(each for each in written if each)
        headers = [("Contact", f"<{each.uri}>;expires={granted}") for each in kept]
        await request.respond(200, headers=headers)

    def place(self, user: str, media: MediaFactory) -> contextlib.AbstractAsyncContextManager[Call]:
        """A call to where the user is registered."""
        return self.agent.call(self.by_user[user], media=media)


class Phone:
    """Registers through the NAT, and answers every call with a tone."""

    def __init__(
        self, user: str, keep_alive: float | None, expires: int = 3600, media: MediaFactory = plain
    ) -> None:
        self.user = user
        self.media = media
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.registration: Registration | None = None
        self._expires = expires
        self.agent = UserAgent(
            f"sip:{user}@example.test",
            registrar=f"sip:{SERVER}",
            advertise="auto",
            keep_alive=keep_alive,
            media=media,
        )

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Phone]:
        async with (
            self.agent,
            self.agent.serving(self._answer),
            self.agent.register(expires=self._expires) as self.registration,
        ):
            yield self

    async def _answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as call, call.playing(sine(CLIENT_TONE, 1.0), loop=True):
            self.calls.put_nowait(call)
            await call.ended()


async def hears(call: Call, frequency: float) -> None:
    """The tone comes: a second of packets, and what is in them. Raises TimeoutError when it does not."""
    before = call.statistics.packets_received
    async with asyncio.timeout(PATIENCE):
        while True:
            await asyncio.sleep(0.1)
            if call.statistics.packets_received >= before + SECOND:
                break
    await hear_tone(call.audio, frequency)
