"""What a store holds is looked at, and taken over one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sipstack.core.events import SessionResumed
from sipstack.core.outputs import DialogKey
from sipstack.errors import LocalProtocolError, SipError, StoreError
from sipstack.outcome import Absent
from sipstack.store.port import Listed, SessionStore, Taken
from sipstack.ua.call import Call
from sipstack.ua.claims import Claims
from sipstack.ua.keeping import Keeper, dialog_of
from sipstack.ua.kept_call import KeptCall
from sipstack.ua.occupancy import Occupancy
from sipstack.ua.result import Result
from sipstack.ua.resumed_sessions import ResumedSessions, ResumeHandler, Wanted
from sipstack.ua.runtime import MediaFactory, Runtime

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that who asks for a call waits for the store: a little longer than the core does."""
AT_A_TIME = 32
"""Records that are read, and sessions that are taken over, in one turn of the loop."""


class Resuming(ResumedSessions):
    """Those of a store: they can be listed, and taken over before the peer asks for anything."""

    def __init__(
        self,
        runtime: Runtime,
        keeper: Keeper,
        store: SessionStore,
        handler: ResumeHandler | None,
        calls: Occupancy,
    ) -> None:
        super().__init__(runtime, handler, calls)
        self._keeper = keeper
        self._store = store
        self._wanted: dict[DialogKey, Wanted] = {}
        self._aside = runtime.aside = Claims(self.claim)
        keeper.missed = self._missed

    def close_nowait(self) -> None:
        self._aside.close()
        super().close_nowait()

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

    def _wanted_by(self, key: DialogKey) -> Wanted | None:
        return self._wanted.pop(key, None)

    def _resumed(self, event: SessionResumed) -> None:
        self._aside.drop(event.record.dialog.key)
        super()._resumed(event)


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
