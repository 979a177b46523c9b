"""Who floods a TCP port with connections: bounded memory, and others are served."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import socket
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from sipstack.core.outputs import Target
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import StreamLimits
from tests.net.streams import MESSAGE, PATIENCE, Told, dialling, listening

ATTEMPTS = int(os.environ.get("SIPSTACK_ATTEMPTS", "3000"))
"""Connections of a flood: 100,000 take a minute."""
AT_ONCE = 200
HELD = 100
"""Connections of one source that are allowed here: half of those that come at once are turned away."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(0.01)


async def attempt(address: tuple[str, int], connected: Counter[str]) -> None:
    """Connect, say nothing, and be gone."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        with suppress(ConnectionError):
            await loop.sock_connect(sock, address)
            connected["there"] += 1
            await asyncio.sleep(0)


async def test_a_flood_of_connections_costs_no_memory_and_others_are_served() -> None:
    settings = Settings(streams=StreamLimits(per_source=HELD))
    async with listening(settings=settings) as (server, told), dialling() as (dialler, friend):
        dialler.open(Target("TCP", server.local))
        await friend.wait(there=1)
        flow, connected, asked = friend.there[0][1], Counter[str](), 0
        sizes: list[int] = []
        tracemalloc.start()
        try:
            for _ in range(0, ATTEMPTS, AT_ONCE):
                dialler.send(flow, MESSAGE)
                asked += 1
                await asyncio.gather(*(attempt(server.local, connected) for _ in range(AT_ONCE)))
                await told.wait(messages=asked)
                told.visitors.clear()
                told.failures.clear()
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert connected["there"] > 0.9 * ATTEMPTS
        await until(lambda: len(server.connections) == 1)
        assert sizes[-1] < sizes[1] + 500_000


async def test_connections_that_are_held_open_are_no_more_than_allowed() -> None:
    settings = Settings(streams=StreamLimits(per_source=HELD))
    async with listening(settings=settings) as (server, told):
        with ExitStack() as stack:
            for _ in range(2 * HELD):
                stack.enter_context(socket.create_connection(server.local))
            await until(lambda: server.turned_away == HELD)
            assert (len(server.connections), len(told.visitors)) == (HELD, HELD)
        await told.wait(failures=HELD)
        await serves(server.local, told)


@contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    """This process may open so many files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def serves(address: tuple[str, int], told: Told) -> None:
    """A stranger is served."""
    messages = len(told.messages)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(MESSAGE)
    await told.wait(messages=messages + 1)
    writer.close()
    await writer.wait_closed()
    del reader


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the open files are counted in /proc")
async def test_a_server_without_descriptors_goes_on_when_there_are_some_again() -> None:
    """EMFILE on accept: asyncio tells, and accepts no more for a second."""
    told_by_loop: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, it: told_by_loop.append(it.get("exception")))
    async with listening() as (server, told):
        with ExitStack() as stack:
            waiting = [stack.enter_context(socket.socket()) for _ in range(40)]
            with few_descriptors(3):
                for each in waiting:
                    each.connect(server.local)
                await until(lambda: bool(told_by_loop))
                assert len(told.visitors) < 40
                tries = len(told_by_loop)
                await asyncio.sleep(0.3)
                assert len(told_by_loop) == tries
            await told.wait(visitors=40)
        await serves(server.local, told)
    assert {getattr(error, "errno", None) for error in told_by_loop} == {errno.EMFILE}


async def test_a_client_that_never_reads_costs_no_more_than_is_allowed() -> None:
    """It asks and asks, and takes no answer: it is heard no more once the answers wait."""
    unsent = 200_000
    async with listening(settings=Settings(streams=StreamLimits(unsent=unsent))) as (server, told):
        answered = 0

        def answer(flow: object, data: bytes) -> None:
            nonlocal answered
            answered += 1
            server.send(told.visitors[0], MESSAGE * 100)

        server.received = answer
        loop = asyncio.get_running_loop()
        with socket.create_connection(server.local) as deaf:
            deaf.setblocking(False)
            await told.wait(visitors=1)
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(1):
                    while not told.failures:
                        await loop.sock_sendall(deaf, MESSAGE * 100)
                        connection = server.connections.get(1)
                        if connection is not None and connection.transport is not None:
                            waits = connection.transport.get_write_buffer_size()
                            assert waits <= unsent + len(MESSAGE) * 100
            handled = answered
            await asyncio.sleep(0.1)
            assert answered == handled
            await serves_another(server.local)


async def serves_another(address: tuple[str, int]) -> None:
    """A connection is accepted still."""
    _, writer = await asyncio.open_connection(*address)
    writer.close()
    await writer.wait_closed()
