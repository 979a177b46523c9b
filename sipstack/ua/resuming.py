"""Sessions of other processes, and of ours before it was started again, become calls of this user agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs

from sipstack.core.events import SessionResumed
from sipstack.core.outputs import DialogKey
from sipstack.errors import CallEnded, LocalProtocolError, SipError, StoreError
from sipstack.log import CALL
from sipstack.outcome import Absent
from sipstack.store.port import Listed, SessionStore, Taken
from sipstack.ua.call import Call
from sipstack.ua.call_data import MEDIA
from sipstack.ua.keeping import Keeper, dialog_of
from sipstack.ua.kept_call import KeptCall
from sipstack.ua.result import Result
from sipstack.ua.resumed_call import ResumedCall
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.ua.way_to import flow_towards

T = TypeVar("T")
ResumeHandler = Callable[[Call], Awaitable[None]]

PATIENCE = 5.0
"""Seconds that who asks for a call waits for the store: a little longer than the core does."""
AT_A_TIME = 32
"""Records that are read, and sessions that are taken over, in one turn of the loop."""


@attrs.frozen
class Wanted:
    """Somebody waits for a call, to have it or to end it."""

    result: Result[ResumedCall]
    media: MediaFactory | None
    ends: bool


class Resuming:
    """Makes calls of sessions, for who has asked for one or else for ``handler``. None: it is kept."""

    def __init__(
        self, runtime: Runtime, keeper: Keeper, store: SessionStore, handler: ResumeHandler | None
    ) -> None:
        self.handler = handler
        self._runtime = runtime
        self._keeper = keeper
        self._store = store
        self._wanted: dict[DialogKey, Wanted] = {}
        self._handling: set[asyncio.Task[Any]] = set()
        keeper.missed = self._missed
        runtime.resumed = self._resumed

    def close_nowait(self) -> None:
        """Hand no more calls out; their handlers end."""
        self.handler = None
        for task in self._handling:
            task.cancel()

    # -- the store's side ----------------------------------------------------------------------------------

    async def listed(self) -> list[KeptCall]:
        """What the store holds for this node. Raises StoreError."""
        found = _told(await ask(self._store.owned))
        kept: list[KeptCall] = []
        for at in range(0, len(found), AT_A_TIME):
            some = await asyncio.gather(*[self._read(each) for each in found[at : at + AT_A_TIME]])
            kept += [each for each in some if each is not None]
        return kept

    async def _read(self, listed: Listed) -> KeptCall | None:
        key = dialog_of(listed.key)
        if key is None:
            return None
        taken = await ask(self._store.read, listed.key)
        if taken is Absent.UNKNOWN:  # it has ended meanwhile
            return None
        found = self._keeper.read(key, _told(taken))
        if isinstance(found, Absent):
            return None
        return KeptCall.of(found.record, found.epoch, listed.left, self._runtime.now())

    async def epochs_of(self, found: list[Listed]) -> list[int | None]:
        """How often each was taken over until now; None when nobody knows."""
        epochs: list[int | None] = []
        for at in range(0, len(found), AT_A_TIME):
            some = [ask(self._store.read, each.key) for each in found[at : at + AT_A_TIME]]
            taken = await asyncio.gather(*some)
            epochs += [each.epoch if isinstance(each, Taken) else None for each in taken]
        return epochs

    # -- taking over ---------------------------------------------------------------------------------------

    def claim(self, key: DialogKey, epoch: int | None = None) -> bool:
        """Take a session over, unless it is here, or on its way. It comes to ``handler``."""
        runtime = self._runtime
        if not runtime.running or runtime.core.session_of(key) is not None:
            return False
        takeovers = runtime.core.takeovers
        return takeovers is not None and runtime.command(takeovers.claim, key, runtime.now(), epoch)

    async def want(self, kept: KeptCall, media: MediaFactory | None, *, ends: bool) -> Call:
        """The call, once it is here. Raises LocalProtocolError or StoreError."""
        key, here = kept._key, self._runtime.core.session_of(kept._key)
        if here is not None:
            if isinstance(here.user, Call):
                return here.user
            raise LocalProtocolError("the call is here, and belongs to the policy")
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = Wanted(Result(), media, ends)
            self.claim(key, kept._epoch)
        try:
            async with asyncio.timeout(PATIENCE):
                return await wanted.result
        except TimeoutError:
            raise _gone(Absent.FAILED) from None
        finally:
            if self._wanted.get(key) is wanted:
                del self._wanted[key]

    def _missed(self, key: DialogKey, absent: Absent) -> None:
        wanted = self._wanted.pop(key, None)
        if wanted is not None:
            wanted.result.fail(_gone(absent))

    def _resumed(self, event: SessionResumed) -> None:
        session, record, runtime = event.session, event.record, self._runtime
        if runtime.aside is not None:
            runtime.aside.drop(record.dialog.key)
        wanted = self._wanted.pop(record.dialog.key, None)
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
        call = ResumedCall(runtime, session, media, record)
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


def _gone(absent: Absent) -> SipError:
    if absent is Absent.FAILED:
        return StoreError("the store does not say what is kept of the call")
    return LocalProtocolError("the call is over, or another process has it")


def _told(found: T | Absent) -> T:
    """What the store has told. Raises StoreError."""
    if isinstance(found, Absent):
        raise StoreError("the store does not answer: what it holds is not known now")
    return found


async def ask(method: Callable[..., None], *arguments: object) -> Any:
    """What ``method`` of a store answers."""
    answer = asyncio.get_running_loop().create_future()

    def answered(found: object) -> None:
        if not answer.done():
            answer.set_result(found)

    method(*arguments, answered)
    return await answer
