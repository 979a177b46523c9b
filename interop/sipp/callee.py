"""A handler for the calls of sipp, which remembers them."""

from __future__ import annotations

import asyncio

import attrs

from sipstack import Invitation


@attrs.define
class Callee:
    """A handler that sends nothing for ``think`` seconds, rings for ``ring``, and talks for ``talk`` at most.

    ``ended`` is the side that ended each established call, ``invitations`` the Call-ID of each INVITE.
    """

    think: float = 0.0
    ring: float = 0.0
    talk: float = 10.0
    invitations: list[str] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)
    cancelled: int = 0
    _busy: int = 0
    _idle: asyncio.Event = attrs.field(factory=asyncio.Event, repr=False)

    async def __call__(self, invitation: Invitation) -> None:
        """The handler to serve with."""
        self.invitations.append(invitation.call_id)
        self._busy += 1
        self._idle.clear()
        try:
            await asyncio.sleep(self.think)
            if self.ring:
                await invitation.progress(180)
                await asyncio.sleep(self.ring)
            await self._talk(invitation)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until every call has been handled: sipp may end before we have noticed the end of its call."""
        async with asyncio.timeout(5.0):
            await self._idle.wait()

    async def _talk(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            ended = asyncio.ensure_future(call.ended())
            await asyncio.wait([ended], timeout=self.talk)
            if not ended.done():
                await call.hang_up()
            self.ended.append((await ended).by)
