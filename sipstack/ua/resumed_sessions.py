"""Sessions of other processes, and of ours before it was started again, become calls of this user agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs

from sipstack.core.events import SessionResumed
from sipstack.core.outputs import DialogKey
from sipstack.errors import CallEnded, SipError
from sipstack.log import CALL
from sipstack.ua.call import Call
from sipstack.ua.call_data import MEDIA
from sipstack.ua.occupancy import Occupancy
from sipstack.ua.result import Result
from sipstack.ua.resumed_call import ResumedCall, nothing
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.ua.way_to import flow_towards

ResumeHandler = Callable[[Call], Awaitable[None]]


@attrs.frozen
class Wanted:
    """Somebody waits for a call, to have it or to end it."""

    result: Result[ResumedCall]
    media: MediaFactory | None
    ends: bool


class ResumedSessions:
    """Makes calls of sessions, for who has asked for one or else for ``handler``. None: it is kept. Those
    that were answered are among ``calls``, as they were before, also where new ones had no room.
    """

    def __init__(self, runtime: Runtime, handler: ResumeHandler | None, calls: Occupancy) -> None:
        self._calls = calls
        self.handler = handler
        self._runtime = runtime
        self._handling: set[asyncio.Task[Any]] = set()
        runtime.resumed = self._resumed

    def close_nowait(self) -> None:
        """Hand no more calls out; their handlers end."""
        self.handler = None
        for task in self._handling:
            task.cancel()

    def _wanted_by(self, key: DialogKey) -> Wanted | None:
        """Who waits for this call, once."""
        return None

    def _resumed(self, event: SessionResumed) -> None:
        session, record, runtime = event.session, event.record, self._runtime
        wanted = self._wanted_by(record.dialog.key)
        CALL.info("%s: goes on here", record.dialog.call_id)
        if wanted is None and MEDIA not in record.application:
            return  # of somebody's policy, which had no media for it
        try:
            flow = session.usages.flow or flow_towards(runtime.driver.endpoints, record)
            media = runtime.new_media(None if wanted is None else wanted.media, flow)
        except Exception as error:
            CALL.warning("%s: there is no media to go on with: %s", record.dialog.call_id, error)
            runtime.command(session.hang_up, runtime.now())
            if wanted is not None:
                wanted.result.fail(error)
            if not isinstance(error, SipError):
                raise
            return
        leave: Callable[[], None] = nothing
        if not record.is_caller:
            self._calls.enter(flow)
            leave = partial(self._calls.leave, flow)
        call = ResumedCall(runtime, session, media, record, leave)
        if wanted is not None:
            if wanted.ends:
                call._hang_up_nowait()
            wanted.result.set(call)
        elif self.handler is not None:
            runtime.spawn(self._handle(call, self.handler))

    async def _handle(self, call: ResumedCall, handler: ResumeHandler) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            await call._restored
            if not call._is_over:  # as one that was taken over for its BYE
                await handler(call)
        except CallEnded:
            pass  # the other side left while the handler was busy: that is no fault of its
        finally:
            self._handling.discard(task)
            await call.hang_up()
