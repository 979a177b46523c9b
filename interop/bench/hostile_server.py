"""Whom the hostile sender is after: ``python -m interop.bench.hostile_server PORT``.

It has a handler a call, with real RTP, takes messages, and asks everybody for credentials.
"""

from __future__ import annotations

import asyncio
import sys

from interop.bench.garbage import print_pauses
from sipstack import Authentication, IncomingRequest, Invitation, UserAgent

REALM, USER, PASSWORD = "bench", "alice", "a password that nobody guesses"


async def handle(invitation: Invitation) -> None:
    """Answers, and says back what it hears until the caller hangs up."""
    async with invitation.accept() as call:
        async for frame in call.audio:
            await call.audio.send(frame)


async def take(request: IncomingRequest) -> None:
    """Takes a message."""
    await request.respond(200)


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    users = Authentication(REALM, {USER: PASSWORD}, ("SHA-512-256", "SHA-256", "MD5"))
    async with UserAgent("sip:bob@127.0.0.1", listen=f"udp:127.0.0.1:{port}") as ua:
        await asyncio.gather(ua.serve(handle, {"MESSAGE": take}, authenticate=users), print_pauses())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
