"""What the called side does in these tests."""

from __future__ import annotations

import asyncio

from sipstack import Call, CallEnded, Invitation

CLEARED = 'Q.850;cause=16;text="Normal call clearing"'
HUNG_UP = ("remote", CLEARED)
"""How a call ends whose other side hangs up."""


async def echo(invitation: Invitation) -> None:
    """Accept and send back what is heard, as in the README."""
    async with invitation.accept() as call:
        async for frame in call.audio:
            await call.audio.send(frame)


async def busy(invitation: Invitation) -> None:
    """Refuse."""
    await invitation.reject(486)


class Answering:
    """Rings for a while, accepts, keeps the calls, and waits for their end."""

    def __init__(self, ring: float = 0.0) -> None:
        self.ring = ring
        self.calls: list[Call] = []
        self.ends: list[tuple[str, str]] = []
        self.cancelled = 0

    async def __call__(self, invitation: Invitation) -> None:
        try:
            if self.ring:
                await invitation.progress(180)
                await asyncio.sleep(self.ring)
            async with invitation.accept() as call:
                self.calls.append(call)
                end: CallEnded = await call.ended()
                self.ends.append((end.by, end.reason))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
