"""User agents and a stranger do anything at any time, and so does the network: nothing is left of it.

Random re-INVITEs, holds, cancels, closes, task cancellations, lost links, ICMP errors, and poison in every
field. SIPSTACK_CHAOS_SEEDS sets how many seeds are tried (200 unless told).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sipstack import (
    Call,
    Invitation,
    LocalProtocolError,
    Request,
    Response,
    SipError,
    TransportError,
    UserAgent,
)
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Address
from tests.simulation.poison import NAMES, VALUES, Poison

pytestmark = pytest.mark.virtual_time

SEEDS = int(os.environ.get("SIPSTACK_CHAOS_SEEDS", "200"))
SDP = b"v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
STATUSES = (100, 180, 183, 183, 200, 200, 200, 302, 401, 407, 408, 481, 486, 491, 500, 503)
METHODS = ("INVITE", "INVITE", "BYE", "CANCEL", "ACK", "OPTIONS", "MESSAGE", "UPDATE", "MOO")
NOWHERE = ("sip:x@nowhere.invalid", "sips:x@10.9.9.9")
REALM = 'Digest realm="\\\0", nonce="n", qop="auth"'


class Stranger(ScriptedPeer):
    """Answers with whatever the seed says, any number of times, and begins requests of its own."""

    def __init__(self, world: World, draw: random.Random) -> None:
        self._draw = draw
        super().__init__(world, "stranger", on_request=self._responses)

    def _arrived(self, data: bytes, source: Address) -> None:
        with contextlib.suppress(ValueError):  # it was spoiled on its way
            super()._arrived(data, source)

    def _responses(self, request: Request) -> Iterator[Response]:
        draw = self._draw
        for _ in range(draw.randrange(4)):
            status = draw.choice(STATUSES)
            fields: list[tuple[str, object]] = [("Retry-After", 0), ("WWW-Authenticate", REALM)]
            contact = draw.choice([self.uri, f"{self.uri};transport=tcp", *NOWHERE])
            fields += [("Contact", f'"\\\0" <{contact}>'), ("Content-Type", "application/sdp")]
            body = draw.choice([b"", SDP, SDP, SDP + b"a=sendonly\r\n"])
            yield request.response(status, to_tag=draw.choice(["a", "b"]), headers=fields, body=body)

    def bother(self, whom: Address) -> None:
        """An INVITE, a BYE, or something else, in or out of what it has heard of."""
        draw = self._draw
        method = draw.choice(METHODS)
        headers = [(draw.choice(NAMES).decode(), draw.choice(VALUES).decode("utf-8", "surrogateescape"))]
        try:
            message = self.write(method, f"sip:x@{whom[0]}", cseq=draw.randrange(9), body=SDP)
            self.send(whom, _with(message, headers))
            if self.responses and draw.random() < 0.5:
                self.send(whom, self.inside(draw.choice(self.responses), method, draw.randrange(9), body=SDP))
        except (SipError, ValueError, IndexError):
            pass  # it has nothing to go on


def _with(message: Request, headers: list[tuple[str, str]]) -> bytes:
    head, _, body = bytes(message).partition(b"\r\n\r\n")
    lines = [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in headers]
    return b"\r\n".join([head, *lines]) + b"\r\n\r\n" + body


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
        self.world = World(seed=seed, link=link, icmp=draw.random() < 0.5)
        self.poison = Poison(random.Random(f"poison {seed}"), draw.choice([0, 0.02, 0.2]))
        self._transmit = self.world.simulated.transmit
        self.world.simulated.transmit = self._spoiled  # type: ignore[method-assign]
        self.stranger = Stranger(self.world, draw)
        self.mistakes: list[Any] = []
        """What nobody should see: exceptions in callbacks and tasks, and errors that blame the caller."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.mistakes.append(context))

    def _spoiled(self, source: Address, destination: Address, data: bytes) -> None:
        self._transmit(source, destination, self.poison.spoil(data))

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
            acts: list[Callable[[], Awaitable[None]]] = [call.hold, call.resume, call.hang_up]
            act = self.draw.choice([*acts, *acts[:2]])
            try:
                async with asyncio.timeout(self.draw.choice([None, None, self.draw.random()])):
                    await act()
            except LocalProtocolError as error:
                self.mistakes.append(error)
            except (SipError, TimeoutError):
                pass

    async def disturb(self, agents: list[UserAgent]) -> None:
        """The network and the stranger, until cancelled."""
        network, draw = self.world.network, self.draw
        hosts = [agent.listening[0][1] for agent in agents]
        while True:
            await self.pause(0.5, 5, 20)
            match draw.randrange(5):
                case 0:
                    network.partition([hosts[0]], [hosts[1]])
                    await self.pause(0.7, 5, 40)
                    network.heal()
                case 1:
                    network.down(hosts[0])
                    await self.pause(0.7, 5)
                    network.up(hosts[0])
                case 2:
                    driver = agents[0]._runtime.driver
                    other = draw.choice([(hosts[1], 5060), self.stranger.address])
                    driver.failed(driver.endpoints[0].flow_to(other), TransportError("forged"))
                case _:
                    for _ in range(draw.randrange(4)):
                        self.stranger.bother((draw.choice(hosts), 5060))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_they_do_nothing_is_left(seed: int) -> None:
    chaos = Chaos(seed)
    world, draw = chaos.world, chaos.draw
    account = {"password": "secret"} if draw.random() < 0.5 else {}
    async with world.user_agent("alice", **account) as alice, world.user_agent("bob") as bob:
        disturbing = asyncio.create_task(chaos.disturb([alice, bob]))
        async with alice.serving(chaos.answer), bob.serving(chaos.answer):
            callers = []
            for _ in range(draw.randrange(1, 5)):
                caller, target = draw.choice(
                    [(alice, "sip:bob.test"), (bob, "sip:alice.test"), (alice, "sip:stranger.test")]
                )
                callers.append(asyncio.create_task(chaos.call(caller, target)))
                if draw.random() < 0.4:
                    asyncio.get_running_loop().call_later(draw.random() * 10, callers[-1].cancel)
                await chaos.pause(1)
            if draw.random() < 0.8:
                await asyncio.wait(callers, timeout=100)
        disturbing.cancel()
        await asyncio.wait([disturbing])
        world.network.heal()
        for agent in (alice, bob):
            world.network.up(agent.listening[0][1])
        if draw.random() < 0.5:
            for caller_task in callers:
                caller_task.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await asyncio.sleep(300)
            assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
            assert (alice.calls, bob.calls) == ([], [])
        faults = alice._runtime.core.counters.faults + bob._runtime.core.counters.faults
    await asyncio.gather(*callers, return_exceptions=True)
    assert world.leftovers == []
    gc.collect()  # exceptions that no task was asked for come to light
    assert (chaos.mistakes, faults) == ([], 0)
