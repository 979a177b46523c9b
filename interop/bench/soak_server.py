"""The user agent of the soak: ``python -m interop.bench.soak_server PORT``. A line on standard input asks for
figures.
"""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
from pathlib import Path

from interop.bench.floor import ANSWER
from interop.bench.no_media import NoMedia
from sipstack import Accept, Invitation, InvitationReceived, Redirect, Reject, UserAgent
from sipstack.message import SipUri

Decision = Accept | Reject | Redirect


def decide(received: InvitationReceived) -> Decision | None:
    """By the user that is called; ``ring`` is left to the handler."""
    uri = received.request.uri
    user = uri.user if isinstance(uri, SipUri) else None
    if user == "busy":
        return Reject(486)
    return None if user == "ring" else Accept(ANSWER)


async def ring(invitation: Invitation) -> None:
    """Rings until the caller gives up."""
    await invitation.progress(180)
    await asyncio.sleep(3600)


def resident() -> int:
    """KB of memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def main(port: int) -> None:
    """Serves until it is terminated."""
    no_media = NoMedia()
    async with UserAgent(
        "sip:soak@127.0.0.1", listen=f"udp:127.0.0.1:{port}", media=lambda host: no_media, policy=decide
    ) as ua:
        tracemalloc.start()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        async with ua.serving(ring):
            while await reader.readline():
                traced = tracemalloc.get_traced_memory()[0] // 1024
                alive = len(ua._runtime.core.leftovers())
                sys.stdout.write(f"{resident()} {traced} {alive}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
