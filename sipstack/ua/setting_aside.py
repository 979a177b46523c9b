"""Calls that take no room here: their store has them, and at most the time when they come back is noted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from sipstack.core.keeping import Keeping
from sipstack.errors import LocalProtocolError
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.session import Session

LOOK = 0.1
"""Seconds between two looks whether what was under way is done."""


async def set_aside(
    runtime: Runtime, session: Session, check_alive: Callable[[], None], idle: float | None
) -> None:
    """See ``Call.set_aside``. ``idle``: seconds that the call may go on without a sign of its peer."""
    keeper, aside = runtime.core.keeper, runtime.aside
    check_alive()
    if not isinstance(keeper, Keeping) or aside is None:
        raise LocalProtocolError("only a call that a store has can be set aside: UserAgent(sessions=...)")
    while not session.is_kept_whole or _due(session) <= runtime.now():
        await asyncio.sleep(LOOK)
        check_alive()
    due = min(_due(session) - runtime.now(), math.inf if idle is None else idle)
    key = session.dialog.key
    epoch = keeper.epoch_of(key)
    runtime.command(session.hand_over, runtime.now(), "it was set aside")
    if due < math.inf:
        aside.plan(key, epoch, due)


def _due(session: Session) -> float:
    return math.inf if session.extensions is None else session.extensions.needed_at
