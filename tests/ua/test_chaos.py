"""Two user agents that do anything at any time over a bad network: afterwards nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import Any

import pytest

from sipstack import Call, Invitation, LocalProtocolError, SipError, UserAgent
from sipstack.testing.link import Link
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time


class Chaos:
    """What the agents do, drawn from one seed."""

    def __init__(self, seed: int) -> None:
        draw = self.draw = random.Random(seed)
        link = Link(
            delay=draw.choice([0, 0.02, 0.3]),
            jitter=draw.choice([0, 0.05, 0.5]),
            loss=draw.choice([0, 0.1, 0.3]),
            duplicate=draw.choice([0, 0.1, 0.5]),
            reorder=draw.choice([0, 0.2]),
        )
        self.world = World(seed=seed, link=link)
        self.mistakes: list[Any] = []
        """What nobody should see: exceptions in callbacks and tasks, and errors that blame the caller."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.mistakes.append(context))

    async def pause(self, *longest: float) -> None:
        await asyncio.sleep(self.draw.random() * self.draw.choice(longest))

    async def answer(self, invitation: Invitation) -> None:
        """The callee."""
        for _ in range(self.draw.randrange(3)):
            await invitation.progress(self.draw.choice([180, 183]), early_media=self.draw.random() < 0.5)
            await self.pause(0.1, 1, 10)
        if self.draw.random() < 0.2:
            await invitation.reject(self.draw.choice([302, 486, 603]))
        elif self.draw.random() < 0.9:
            async with invitation.accept() as call:
                await self.talk(call)

    async def call(self, agent: UserAgent, target: str) -> None:
        """The caller."""
        try:
            async with agent.invite(target, offer=self.draw.random() < 0.7) as outgoing:
                await self.pause(0, 1, 5)
                if self.draw.random() < 0.2:
                    await outgoing.cancel()
                else:
                    await self.talk(await outgoing.answered())
        except LocalProtocolError as error:
            self.mistakes.append(error)
        except SipError:
            pass

    async def talk(self, call: Call) -> None:
        """Hold, resume and hang up, with and without patience."""
        for _ in range(self.draw.randrange(5)):
            await self.pause(0.1, 1, 5)
            act = self.draw.choice([call.hold, call.resume, call.hold, call.resume, call.hang_up])
            try:
                async with asyncio.timeout(self.draw.choice([None, None, self.draw.random()])):
                    await act()
            except LocalProtocolError as error:
                self.mistakes.append(error)
            except (SipError, TimeoutError):
                pass


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_they_do_nothing_is_left(seed: int) -> None:
    chaos = Chaos(seed)
    world, draw = chaos.world, chaos.draw
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with alice.serving(chaos.answer), bob.serving(chaos.answer):
            callers = []
            for _ in range(draw.randrange(1, 5)):
                caller, target = draw.choice([(alice, "sip:bob.test"), (bob, "sip:alice.test")])
                callers.append(asyncio.create_task(chaos.call(caller, target)))
                if draw.random() < 0.4:
                    asyncio.get_running_loop().call_later(draw.random() * 10, callers[-1].cancel)
                await chaos.pause(1)
            if draw.random() < 0.8:
                await asyncio.gather(*callers, return_exceptions=True)
        if draw.random() < 0.5:
            await asyncio.sleep(200)
            assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
            assert (alice.calls, bob.calls) == ([], [])
    await asyncio.gather(*callers, return_exceptions=True)
    assert world.leftovers == []
    gc.collect()  # exceptions that no task was asked for come to light
    assert chaos.mistakes == []
