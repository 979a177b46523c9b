"""One node of a cluster: ``python -m interop.cluster.node PORT NAME STORE WHERE [NODE=HOST:PORT...]``.

It answers each call and keeps it in the store; where others are named, what is theirs is passed on to them.
At SIGTERM it is drained: what it has is handed over. It says of each call that it has answered it or taken it
over.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from interop.bench.no_media import NoMedia
from sipstack import Call, Invitation, SqliteStore, UserAgent
from sipstack.sdp import SessionDescription
from sipstack.store.port import SessionStore
from sipstack.store.redis import RedisStore
from sipstack.store.sealed import Sealed

NAME = "cluster.test"
"""The host of each Contact: no node's."""
ANSWERED, TOOK_OVER = "answered a call", "took a call over"
PATIENCE = 5.0
"""Seconds that calls which cannot be handed over have, once the node is to leave."""


class Description(NoMedia):
    """Media that are a description alone, and need no new offer to go on elsewhere."""

    async def restore(self, local: SessionDescription, remote: SessionDescription) -> bool:
        return True


def store(kind: str, where: str, name: str) -> SessionStore | Sealed:
    """``redis`` and its URL, ``sqlite`` and its file, or ``sealed`` and the file of the keys."""
    if kind == "sealed":
        return Sealed(where, int(name.removeprefix("node")) - 1)
    return RedisStore(where, lease=2.0) if kind == "redis" else SqliteStore(where)


async def answer(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        print(ANSWERED, flush=True)  # noqa: T201 - who started it reads this
        await call.ended()


async def go_on(call: Call) -> None:
    print(TOOK_OVER, flush=True)  # noqa: T201
    await call.ended()


async def main(port: str, name: str, kind: str, where: str, *others: str) -> None:
    """Says when it is ready."""
    agent = UserAgent(
        "sip:service@127.0.0.1",
        listen=f"udp:127.0.0.1:{port}",
        contact_host=f"{NAME};node={name}",
        media=lambda host: Description(),
        sessions=store(kind, where, name),
        node=name,
        nodes=dict(other.split("=", 1) for other in others),
        on_resume=go_on,
    )
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    async with agent, agent.serving(answer):
        print("ready", flush=True)  # noqa: T201
        await leave.wait()
        left = await agent.drain(PATIENCE, hand_over=kind != "sqlite")
        print(f"drained, {left} left", flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
