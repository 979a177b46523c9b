"""The calls that a store holds for a user agent which was started again."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError
from sipstack.ua.agent_base import NOT_RUNNING, AgentBase
from sipstack.ua.call import Call
from sipstack.ua.kept_call import KeptCall
from sipstack.ua.resumed_call import ResumedCall
from sipstack.ua.resumed_sessions import ResumedSessions
from sipstack.ua.resuming import Resuming
from sipstack.ua.runtime import MediaFactory


class KeptCalls(AgentBase):
    """Looks at them, and takes them over one by one."""

    _resuming: ResumedSessions | None = None

    async def sessions(self) -> list[KeptCall]:
        """The calls that the store holds for this node, without taking any over: those of before it was
        started, and those that it has now. Raises StoreError.
        """
        return await self._of_store.listed()

    async def resume(self, kept: KeptCall, *, media: MediaFactory | None = None) -> Call:
        """Go on with ``kept``: take it over, and have its media back. ``on_resume`` does not hear of it. One
        that is here already, since its peer has asked for something perhaps, is given as it is.

        Raises LocalProtocolError when it is over or another process has it, StoreError when the store does
        not answer, MediaError when there is no media for it: it is ended by BYE then.
        """
        call = await self._of_store.want(kept, media, ends=False)
        if isinstance(call, ResumedCall):
            await call._restored
        return call

    async def hang_up(self, kept: KeptCall) -> None:
        """Take ``kept`` over and say BYE at once, without media. Raises as ``resume`` does."""
        call = await self._of_store.want(kept, None, ends=True)
        await call.hang_up()

    @property
    def _of_store(self) -> Resuming:
        if isinstance(self._resuming, Resuming):
            return self._resuming
        if self._resuming is not None:
            raise LocalProtocolError("no store has the calls, but their peers: each comes back with its own")
        reason = "no calls are kept: give UserAgent(sessions=...)"
        raise LocalProtocolError(reason if self.running else NOT_RUNNING)
