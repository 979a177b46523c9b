"""Leaving a cluster so that nobody notices: nothing new is taken, what is here goes on or is handed over."""

from __future__ import annotations

import asyncio
import contextlib

from sipstack.log import CALL
from sipstack.ua.call import Call
from sipstack.ua.incoming import Incoming
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.runtime import Runtime

LOOK = 0.1
"""Seconds between two looks at what is left."""


async def drain(runtime: Runtime, timeout: float | None, *, hand_over: bool) -> int:
    """See ``UserAgent.drain``."""
    core = runtime.core
    core.leave()
    CALL.info("draining: nothing new is taken, %s calls are under way", _calls(runtime))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while True:
                if hand_over:
                    runtime.command(core.hand_over, runtime.now())
                if not _is_busy(runtime):
                    break
                await asyncio.sleep(LOOK)
    left = _calls(runtime)
    if left and hand_over:
        CALL.warning("draining: %s calls cannot be handed over: nobody has their state as it is", left)
    return left


def _is_busy(runtime: Runtime) -> bool:
    """Whether there is a call, with or without a handler, or a request that is being answered."""
    things = Call | Incoming | OutgoingInvite
    return runtime.core.has_sessions() or any(isinstance(thing, things) for thing in runtime.live)


def _calls(runtime: Runtime) -> int:
    return sum(isinstance(thing, Call) for thing in runtime.live)
