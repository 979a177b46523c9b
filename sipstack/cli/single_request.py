"""Send one request outside of a call and report its response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import sipstack
from sipstack.cli.identity import Identity
from sipstack.cli.report import Event
from sipstack.cli.response_fields import telling_fields
from sipstack.cli.run import Run
from sipstack.cli.status import NoAnswer

Send = Callable[[sipstack.UserAgent], Awaitable[sipstack.Response]]


async def send_request(
    run: Run, identity: Identity, target: str, send: Send, timeout: float | None = None, *shown: str
) -> None:
    """Call ``send`` with a user agent and report the response, with the header fields ``shown``.

    Raises ``RequestFailed`` for any but a 2xx, and ``NoAnswer`` when none comes within ``timeout`` seconds.
    """
    async with run.agent(identity) as agent:
        clock = asyncio.get_running_loop().time
        began = clock()
        response = await _within(timeout, send(agent))
        took = round(clock() - began, 4)
    response.raise_for_status()
    run.report(
        Event(
            "responded",
            call_id=response.call_id,
            local=identity.aor,
            remote=target,
            status=response.status,
            reason=response.reason,
            round_trip=took,
            headers=telling_fields(response, *shown),
        )
    )


async def _within(timeout: float | None, answer: Awaitable[sipstack.Response]) -> sipstack.Response:
    try:
        async with asyncio.timeout(timeout) as limit:
            return await answer
    except TimeoutError:
        if limit.expired():
            raise NoAnswer(f"no answer in {timeout:g} s") from None
        raise
