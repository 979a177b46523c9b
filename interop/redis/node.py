"""A process that answers calls and keeps them in Redis: ``python -m interop.redis.node PORT URL NAME``."""

from __future__ import annotations

import asyncio
import sys

from interop.bench.no_media import NoMedia
from sipstack import Invitation, UserAgent
from sipstack.store.redis import RedisStore


async def answer(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.ended()


def node(port: int, url: str, name: str) -> UserAgent:
    """Its media are a description alone."""
    return UserAgent(
        "sip:bob@127.0.0.1",
        listen=f"udp:127.0.0.1:{port}",
        media=lambda host: NoMedia(),
        sessions=RedisStore(url, lease=2.0),
        node=name,
    )


async def main(port: str, url: str, name: str) -> None:
    """Says when it is ready. It ends when it is killed."""
    agent = node(int(port), url, name)
    async with agent, agent.serving(answer):
        print("ready", flush=True)  # noqa: T201 - who started it reads this
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
