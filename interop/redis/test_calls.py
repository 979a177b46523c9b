"""Calls that are kept in Redis, over real sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import attrs
import pytest

from interop.bench.no_media import NoMedia
from interop.bounded import bounded
from interop.ports import HOST, free_port
from interop.processes import ended_with_us
from interop.redis.node import answer, node
from interop.redis.server import Redis
from sipstack import CallRejected, SipError, UserAgent

PACE = 0.02
"""Seconds between calls."""


@pytest.fixture
async def alice() -> AsyncIterator[UserAgent]:
    with bounded(80):
        async with UserAgent(
            "sip:alice@127.0.0.1", listen=f"udp:{HOST}:0", media=lambda host: NoMedia()
        ) as agent:
            yield agent


@asynccontextmanager
async def answering(port: int, redis: Redis, name: str) -> AsyncIterator[UserAgent]:
    agent = node(port, redis.url, name)
    async with agent, agent.serving(answer):
        yield agent


@contextmanager
def process(port: int, redis: Redis, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node that can be killed."""
    command = [*ended_with_us(), sys.executable, "-m", "interop.redis.node", str(port), redis.url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == b"ready\n"
            yield started
        finally:
            started.kill()


def kept(redis: Redis) -> int:
    """Sessions that are not over: tombstones are no longer than what names their owner."""
    names = redis.command("EVAL", "return #redis.call('KEYS', '*}:record:*')", "0")
    over = redis.command(
        "EVAL",
        "local n = 0 for _, k in ipairs(redis.call('KEYS', '*}:record:*')) do"
        " if redis.call('GETRANGE', k, 0, 0) == 'T' then n = n + 1 end end return n",
        "0",
    )
    return int(names[1:]) - int(over[1:])


async def test_a_call_is_in_redis_while_it_lasts(redis: Redis, alice: UserAgent) -> None:
    async with answering(0, redis, "node-1") as bob:
        async with alice.call(bob.contact):
            assert kept(redis) == 1
        assert kept(redis) == 0


async def test_another_node_answers_for_one_that_was_killed(redis: Redis, alice: UserAgent) -> None:
    """kill -9 with fifty calls up: the BYE of each is answered by a process that never saw it."""
    port = free_port()
    async with AsyncExitStack() as stack:
        with process(port, redis, "node-1") as first:
            calls = [await stack.enter_async_context(alice.call(f"sip:bob@{HOST}:{port}")) for _ in range(50)]
            first.kill()
            first.wait()
        assert kept(redis) == 50
        async with answering(port, redis, "node-2"):
            for call in calls:
                await call.hang_up()
                assert (await call.ended()).by == "local"
            assert kept(redis) == 0


async def test_redis_stops_for_ten_seconds_under_load(redis: Redis, alice: UserAgent) -> None:
    """New calls are refused for now, a dialog that nobody knows is put off, and those that are up go on."""
    async with answering(0, redis, "node-1") as bob, alice.call(bob.contact) as owned:
        load = CallLoad(alice, bob.contact)
        async with load.running():
            await asyncio.sleep(2)
            redis.freeze()
            stopped = load.now()
            await asyncio.sleep(4)
            await owned.hold()
            assert await stranger_hangs_up(bob) == (503, True)
            await asyncio.sleep(4)
            await owned.resume()
            redis.go_on()
            went_on = load.now()
            await asyncio.sleep(6)
        assert load.between(0, stopped - 0.2) == {200}
        assert load.between(stopped + 0.2, went_on - 2) == {503}
        assert load.without_retry_after == 0
        assert load.between(went_on + 3, float("inf")) == {200}
        assert await stranger_hangs_up(bob) == (481, False)
        await owned.hang_up()
    assert kept(redis) == 0


@attrs.define
class CallLoad:
    """A call each ``PACE``, which is hung up at once."""

    agent: UserAgent
    callee: str
    statuses: list[tuple[float, int]] = attrs.field(factory=list)
    without_retry_after: int = 0

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as calls:
            placing = calls.create_task(self._place(calls))
            try:
                yield
            finally:
                placing.cancel()

    async def _place(self, calls: asyncio.TaskGroup) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                calls.create_task(self._call())
                await asyncio.sleep(PACE)

    async def _call(self) -> None:
        asked = self.now()
        try:
            async with self.agent.call(self.callee):
                status = 200
        except CallRejected as refused:
            status = refused.status
            if refused.response.headers.get("Retry-After") is None:
                self.without_retry_after += 1
        except SipError:
            status = 0
        self.statuses.append((asked, status))

    def between(self, begin: float, end: float) -> set[int]:
        return {status for asked, status in self.statuses if begin <= asked < end}


async def stranger_hangs_up(agent: UserAgent) -> tuple[int, bool]:
    """The status that a BYE in a dialog that was never there gets, and whether that says when to retry."""
    port = int(agent.contact.rpartition(":")[2].partition(";")[0].rstrip(">"))
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()

    class Stranger(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            if not answered.done():
                answered.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Stranger, (HOST, 0), (HOST, port))
    try:
        here = transport.get_extra_info("sockname")[1]
        transport.sendto(
            f"BYE sip:bob@{HOST}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{here};branch=z9hG4bK{here}\r\n"
            f"From: <sip:mallory@{HOST}>;tag=m{here}\r\nTo: <sip:bob@{HOST}>;tag=b{here}\r\n"
            f"Call-ID: {here}\r\nCSeq: 7 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
        )
        async with asyncio.timeout(10):
            text = await answered
    finally:
        transport.close()
    return int(text.split()[1]), b"Retry-After:" in text
