"""Send one request outside of a call and report its response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import sipstack
from sipstack import errors
from sipstack.cli.options import Identity
from sipstack.cli.report import Event
from sipstack.cli.run import Run

Send = Callable[[sipstack.UserAgent], Awaitable[sipstack.Response]]


async def send_request(run: Run, identity: Identity, target: str, send: Send) -> sipstack.Response:
    """Call ``send`` with a user agent and report the response. Raises ``RequestFailed`` for any but a 2xx."""
    async with run.agent(identity) as agent:
        clock = asyncio.get_running_loop().time
        began = clock()
        response = await send(agent)
        took = round(clock() - began, 4)
    if response.status in (401, 407):
        raise errors.AuthenticationFailed(response)
    if response.status >= 300:
        raise errors.RequestFailed(response)
    run.report(
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
