"""Registrations that stay: through a restart of Asterisk, and through ten seconds without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from interop.asterisk.installation import Installation
from interop.asterisk.listening import answering
from interop.asterisk.server import Asterisk, booted, rendered
from interop.asterisk.wires import ALL, Wire
from interop.namespace import Unavailable, namespace
from sipstack import Backoff, Call

OUTAGE = 10.0  # seconds
RETURN = 75.0  # a REGISTER that an Asterisk swallows while it boots is given up after 32 s (Timer F)
EXPIRES = 10  # a refresh falls into the outage


async def test_a_restart_of_asterisk(installation: Installation) -> None:
    """It forgets the connections, and the bindings on them."""
    with rendered(installation) as asterisk, ExitStack() as life:
        await asyncio.to_thread(life.enter_context, booted(asterisk))

        async def restart() -> None:
            await asyncio.to_thread(life.close)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(life.enter_context, booted(asterisk))

        await all_stay_through(restart, asterisk)


async def test_ten_seconds_without_a_network(installation: Installation) -> None:
    try:
        with namespace() as net, rendered(installation) as asterisk, booted(asterisk, net.entering):

            async def outage() -> None:
                with net.cut():
                    await asyncio.sleep(OUTAGE)

            await net.run(lambda: all_stay_through(outage, asterisk))
    except Unavailable as reason:
        pytest.skip(str(reason))


async def all_stay_through(event: Callable[[], Awaitable[None]], asterisk: Asterisk) -> None:
    """Registered over every transport, at the same time: calls come again after it."""
    registered: asyncio.Queue[Wire] = asyncio.Queue()
    over = asyncio.Event()

    async def stays(wire: Wire) -> None:
        async with (
            wire.agent(asterisk) as ua,
            ua.register(expires=EXPIRES, retry=Backoff(first=0.5, longest=2.0)) as registration,
            answering(ua) as calls,
        ):
            registered.put_nowait(wire)
            await over.wait()
            async with asyncio.timeout(RETURN):
                while not await call_comes(asterisk, wire, calls):
                    pass
            assert registration.active

    async def happens() -> None:
        for _ in ALL:
            await registered.get()
        await event()
        over.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(happens())
        for wire in ALL:
            tasks.create_task(stays(wire))


async def call_comes(asterisk: Asterisk, wire: Wire, calls: asyncio.Queue[Call]) -> bool:
    """Whether Asterisk reaches us at one of the bindings."""
    for contact in await asterisk.contacts(wire.user):
        await asterisk.originate(wire.user, "milliwatt", contact)
    try:
        call = await asyncio.wait_for(calls.get(), 2.0)
    except TimeoutError:
        return False
    await call.hang_up()
    return True
