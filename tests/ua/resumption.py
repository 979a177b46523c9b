"""A call whose callee is killed, and comes back as another user agent with the same store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from sipstack import Call, Invitation, UserAgent
from sipstack.store.memory import MemoryStore
from sipstack.testing.killing import kill
from sipstack.testing.world import World


class Resumption:
    """Alice calls Bob, who is killed and started again. ``options`` are those of Bob, in both lives;
    ``audio`` those of everybody's media.
    """

    def __init__(self, *, audio: dict[str, Any] | None = None, **options: Any) -> None:
        self.world = World(audio=audio is not None)
        self.store = MemoryStore()
        self.options = options
        self.notes: dict[str, Any] = {}
        """What Bob notes with the call when it is answered."""
        self._media = {"media": self.media} if audio else {}
        self._audio = audio or {}
        self.alice: UserAgent | None = None
        self.first: Call | None = None
        self.resumed: list[Call] = []
        """Those that the handler of the second life was given."""

    def media(self, host: str) -> Any:
        return self.world.audio_session(host, **self._audio)

    def bob(self, **options: Any) -> UserAgent:
        chosen = {"sessions": self.store, "node": "bob", **self._media, **self.options, **options}
        return self.world.user_agent("bob", **chosen)

    async def take(self, call: Call) -> None:
        """The handler of the second life: it keeps the call until its end."""
        self.resumed.append(call)
        await call.ended()

    async def _answer(self, invitation: Invitation) -> None:
        invitation.data.update(self.notes)
        async with invitation.accept() as call:
            self.first = call
            await call.ended()

    @contextlib.asynccontextmanager
    async def killed(self, **options: Any) -> AsyncIterator[tuple[Call, UserAgent]]:
        """Alice's call, and Bob, who was killed and is not running yet: his ``options``."""
        world = self.world
        self.alice = alice = world.user_agent("alice", **self._media)
        async with alice:
            bob = self.bob()
            async with bob, bob.serving(self._answer), alice.call("sip:bob@bob.test") as call:
                await asyncio.sleep(0.5)
                await kill(bob)
                world.ladder()
                yield call, self.bob(**options)
        assert world.leftovers == []

    @contextlib.asynccontextmanager
    async def again(self, **options: Any) -> AsyncIterator[tuple[Call, UserAgent]]:
        """Alice's call, and Bob, who is running again."""
        async with self.killed(**options) as (call, bob), bob:
            yield call, bob
