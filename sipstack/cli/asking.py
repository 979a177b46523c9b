"""One request outside of a call, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import sipstack
from sipstack import errors
from sipstack.cli.options import Identity
from sipstack.cli.report import Event
from sipstack.cli.session import Session

Ask = Callable[[sipstack.UserAgent], Awaitable[sipstack.Response]]


async def ask(session: Session, identity: Identity, target: str, request: Ask) -> sipstack.Response:
    """Send a request and report its response. Raises ``RequestFailed`` for any but a 2xx."""
    async with session.agent(identity) as agent:
        clock = asyncio.get_running_loop().time
        began = clock()
        response = await request(agent)
        took = round(clock() - began, 4)
    if response.status in (401, 407):
        raise errors.AuthenticationFailed(response)
    if response.status >= 300:
        raise errors.RequestFailed(response)
    session.report(
        Event(
            "responded",
            call_id=response.call_id,
            local=identity.aor,
            remote=target,
            status=response.status,
            reason=response.reason,
            duration=took,
        )
    )
    return response
