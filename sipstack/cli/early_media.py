"""Audio of a call before its answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import attrs

import sipstack
from sipstack.cli.call_audio import connected
from sipstack.cli.call_plan import CallPlan


class EarlyMedia:
    """What of a plan is under way before the answer. It goes on in the call; ``rest`` is what is left."""

    def __init__(self, outgoing: sipstack.OutgoingInvite, plan: CallPlan) -> None:
        self._outgoing = outgoing
        self._stack = contextlib.AsyncExitStack()
        self.rest = plan

    async def take(self, response: sipstack.Response) -> None:
        """A provisional response: once it describes a session, the other side hears what is played."""
        if response.body and self.rest.play is not None and self.rest.played is None:
            player = await self._stack.enter_async_context(self._outgoing.playing(self.rest.play))
            self.rest = attrs.evolve(self.rest, played=player.finished)

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[EarlyMedia]:
        """The handset and the recording begin at once."""
        plan = self.rest
        async with self._stack as stack:
            await stack.enter_async_context(connected(self._outgoing, plan.audio))
            if plan.record is not None:
                await stack.enter_async_context(self._outgoing.recording(plan.record))
            self.rest = attrs.evolve(plan, begun=True)
            yield self
