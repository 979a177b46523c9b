"""The user agent under attack: ``python -m interop.bench.attack_server policy|media PORT``.

``policy`` answers each call at once, without media; ``media`` has a handler a call, with real RTP ports and
the 1,024 descriptors that a process has by default. The garbage collector is as Python has it.
"""

from __future__ import annotations

import asyncio
import resource
import sys

from interop.bench.floor import ANSWER
from interop.bench.garbage import print_pauses
from sipstack import Accept, Invitation, UserAgent

DESCRIPTORS = 1024
ACCEPT = Accept(ANSWER)


async def handle(invitation: Invitation) -> None:
    """Answers, and stays until the caller hangs up."""
    async with invitation.accept() as call:
        await call.ended()


async def main(mode: str, port: int) -> None:
    """Serves until the process is stopped."""
    policy = (lambda received: ACCEPT) if mode == "policy" else None
    async with UserAgent("sip:bench@127.0.0.1", listen=f"udp:127.0.0.1:{port}", policy=policy) as ua:
        await asyncio.gather(ua.serve(handle), print_pauses())


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
