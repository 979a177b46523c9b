"""The sipstack UAS under measurement: ``python -m interop.bench.uas MODE PORT [OPTION...]``.

It uses the public API. ``policy`` answers at once from the synchronous hook; ``handler`` has a task a call;
``aside`` sets each call aside. None of them has media; ``media`` is ``handler`` with an audio session for
each call. ``--uvloop`` runs it on that event loop; ``--pauses`` tells when the loop stood still;
``--collect`` leaves the garbage collector as Python has it; ``--sessions=KIND[:WHERE]`` keeps calls: memory,
sealed, sqlite:FILE, redis:URL.
"""

from __future__ import annotations

import asyncio
import secrets
import sys

from interop.bench import garbage, loops
from interop.bench.floor import ANSWER
from interop.bench.no_media import NoMedia
from sipstack import (
    Accept,
    Invitation,
    MemoryStore,
    RedisStore,
    Sealed,
    SessionStore,
    SqliteStore,
    UserAgent,
)

ACCEPT = Accept(ANSWER)


async def handle(invitation: Invitation) -> None:
    """Answers, and stays until the caller hangs up."""
    async with invitation.accept() as call:
        await call.ended()


async def set_aside(invitation: Invitation) -> None:
    """Answers, and needs no memory until the caller asks for something."""
    async with invitation.accept() as call:
        await call.set_aside()


def store(options: set[str]) -> SessionStore | Sealed | None:
    """Where calls are kept."""
    for option in options:
        kind, _, where = option.removeprefix("--sessions=").partition(":")
        match kind:
            case "memory":
                return MemoryStore()
            case "sealed":
                return Sealed([secrets.token_bytes(32)])
            case "sqlite":
                return SqliteStore(where)
            case "redis":
                return RedisStore(where)
    return None


async def main(mode: str, port: int, options: set[str]) -> None:
    """Serves until the process is stopped."""
    no_media = NoMedia()
    policy = (lambda received: ACCEPT) if mode == "policy" else None
    listen = f"udp:127.0.0.1:{port}"
    media = None if mode == "media" else lambda host: no_media
    sessions = store(options)
    async with UserAgent(
        "sip:bench@127.0.0.1", listen=listen, media=media, policy=policy, sessions=sessions
    ) as ua:
        if "--collect" not in options:
            garbage.settle()
        watching = [garbage.print_pauses()] if "--pauses" in options else []
        await asyncio.gather(ua.serve(set_aside if mode == "aside" else handle), *watching)


if __name__ == "__main__":
    asked = set(sys.argv[3:])
    loops.run(main(sys.argv[1], int(sys.argv[2]), asked), asked)
