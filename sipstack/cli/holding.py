"""Hold in the middle of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import sipstack
from sipstack.cli.report import Event, Reporting
from sipstack.until_first import until_first


async def hold_beside(
    run: Reporting,
    call: sipstack.Call,
    after: float,
    work: Awaitable[None],
    number: int | None,
    *,
    to_come: bool,
) -> None:
    """Put the other side on hold in ``after`` seconds, beside ``work``, and return when this has ended; with
    ``to_come`` not before the hold. Raises RequestFailed when it is refused, and what ``work`` raises.
    """
    held = asyncio.Event()

    async def hold() -> None:
        await asyncio.sleep(after)
        await call.hold()
        run.report(
            Event("held", call_id=call.id, number=number, local=str(call.local), remote=str(call.remote))
        )
        held.set()
        await call.ended()

    async def until_done() -> None:
        await work
        if to_come:
            await held.wait()

    await until_first(hold(), until_done())
