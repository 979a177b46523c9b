"""The proxy dies and comes back with nothing that it knew: registrations return, calls go on or end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import attrs
import pytest

from interop.asterisk.listening import answering, eventually, next_call
from interop.kamailio.agents import TRANSPORTS, AgentFactory, uri
from interop.kamailio.server import Kamailio, running
from sipstack import Backoff, SipError, UserAgent

RETURN = 20.0  # seconds: a refresh, or a lost connection and the first waits of the back-off


@pytest.fixture
def mortal(kamailio: Kamailio) -> Iterator[Kamailio]:
    """A Kamailio for this test alone."""
    with running() as server:
        yield server


async def test_registrations_return_and_calls_go_on_or_end(mortal: Kamailio, agent: AgentFactory) -> None:
    """Over all transports at the same time: it takes as long as the slowest."""
    agents = attrs.evolve(agent, kamailio=mortal)
    died, returned = asyncio.Event(), asyncio.Event()
    up: set[str] = set()

    async def lives_through_it(transport: str) -> None:
        caller, callee = f"alice-{transport}", f"bob-{transport}"
        async with (
            agents(caller, transport) as alice,
            alice.register(expires=8, retry=Backoff(first=0.5, longest=2.0)),
            agents(callee, transport) as bob,
            bob.register(expires=8, retry=Backoff(first=0.5, longest=2.0)),
            answering(bob) as calls,
            alice.call(uri(callee)) as call,
        ):
            other = await next_call(calls)
            up.add(transport)
            await returned.wait()
            await eventually_reachable(alice, callee)
            await eventually_reachable(bob, caller)
            await call.hang_up()
            if transport == "udp":
                assert (
                    await other.ended()
                ).by == "remote"  # the way that its Record-Route says is still there
            else:
                await other.hang_up()  # the proxy has lost the connection to which its own URI led
            async with alice.call(uri(callee)):  # and a new one
                await next_call(calls)

    async def dies_and_returns() -> None:
        await eventually(lambda: len(up) == len(TRANSPORTS))
        await asyncio.to_thread(mortal.kill)
        died.set()
        await asyncio.sleep(2)
        await asyncio.to_thread(mortal.start)
        returned.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(dies_and_returns())
        for transport in TRANSPORTS:
            tasks.create_task(lives_through_it(transport))


async def eventually_reachable(ua: UserAgent, user: str) -> None:
    """Ask until the proxy finds the user again; it fails after RETURN seconds."""
    async with asyncio.timeout(RETURN):
        while True:
            try:
                if (await ua.options(uri(user))).status == 200:
                    return
            except SipError:
                pass  # the connection is still the old one, or is being made
            await asyncio.sleep(0.5)
