"""What take-overs and lists cost a node and Redis, and what a record takes there."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.bench.capacity.costs import OfRedis
from interop.bench.machine import cpu_seconds
from interop.cluster.cluster import Node
from interop.ports import HOST
from interop.redis import orphans
from interop.redis.measure import used_memory
from interop.redis.sentinels import replicated
from interop.redis.server import Redis, running
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import SessionStore
from sipstack.store.record import encode
from sipstack.store.redis import RedisStore
from sipstack.store.sqlite import SqliteStore
from tests.store.conformance import asking

DIALOGS = 3000
ORPHANS = 10_000
RATE = 300.0
LOOKS, LISTS = 300, 20
TOGETHER = 4
"""Commands that go out in one turn: one alone costs half as much again, for Redis has to wake up for it."""


@attrs.frozen
class Heirs:
    """Microseconds of the node for a call that it takes over: by request, and by its own search."""

    takeover: float
    orphan: float


def heirs() -> Heirs:
    """The same OPTIONS twice in many dialogs: the first one takes the call over."""
    with TemporaryDirectory() as name, running() as redis:
        asyncio.run(orphans.leave(redis.url, DIALOGS))
        redis.command("SET", "sipstack:{leases}:dead", "", "PX", "600000")  # nobody is to look for them
        node = Node(Path(name), "heir", "redis", redis.url)
        node.start()
        try:
            first, second = _asked(node), _asked(node)
        finally:
            node.kill()
    seen = list(orphans.watched(ORPHANS, 1, 120.0))[-1]
    orphan = 1e6 * seen.nodes / (ORPHANS - seen.left)
    return Heirs(first - second, orphan)


def _asked(node: Node) -> float:
    """Microseconds of the node for one OPTIONS in each dialog."""
    assert node.process is not None
    before = cpu_seconds(node.process.pid)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.connect((HOST, node.port))
        ours.settimeout(5.0)
        began = time.monotonic()
        for number in range(DIALOGS):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            ours.send(_options(number, ours.getsockname()[1]))
            while not (response := ours.recv(4096)).startswith(b"SIP/2.0 200"):
                if not response.startswith(b"SIP/2.0 1"):
                    raise RuntimeError(response.decode().partition("\r\n")[0])
    return 1e6 * (cpu_seconds(node.process.pid) - before) / DIALOGS


def _options(number: int, port: int) -> bytes:
    dialog, cseq = orphans.record(number, 0.0).dialog, time.monotonic_ns() // 10**6 % 2**30
    lines = (
        "OPTIONS sip:service@cluster.test SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{number}-{cseq}",
        f"From: {dialog.remote}",
        f"To: {dialog.local}",
        f"Call-ID: {dialog.call_id}",
        f"CSeq: {cseq} OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def of_redis(lonely: float) -> OfRedis:
    """What Redis spends, and takes, for what the store asks; ``lonely`` is measured with a node."""
    with running() as redis:
        read, refused, page, look, octets = asyncio.run(_lists(redis))
    with running() as redis:
        alone = asyncio.run(_written(redis, 0))
    with replicated() as (primary, _):
        waited = asyncio.run(_written(primary, 1))
    return OfRedis(
        call=alone.put + alone.forget,
        refresh=alone.again,
        takeover=alone.take_over + alone.again,
        read=read,
        refused=refused,
        page=page,
        look=look,
        waited=(waited.put + waited.forget) / (alone.put + alone.forget),
        octets=octets,
        sent=alone.sent,
        lonely=lonely,
    )


async def _lists(redis: Redis) -> tuple[float, float, float, float, float]:
    """A read, a take-over that is refused, a page, a look; and the octets of a record."""
    before = used_memory(redis)
    await orphans.leave(redis.url, ORPHANS)
    octets = (used_memory(redis) - before) / ORPHANS
    keys = [" ".join(("session", *orphans.record(number, 0.0).dialog.key)) for number in range(ORPHANS)]
    redis.command("SET", "sipstack:{leases}:dead", "", "PX", "600000")
    async with _opened(redis) as store:
        read = await _spent(redis, _each(keys, lambda key: asking(store.read, key)))
        refused = await _spent(redis, _each(keys, lambda key: asking(partial(store.take_over, epoch=7), key)))
        look = await _spent(redis, _looks(store, LOOKS)) / LOOKS
        redis.command("DEL", "sipstack:{leases}:dead")
        listed = await _spent(redis, _looks(store, LISTS)) / LISTS
    page = (listed - look) / (ORPHANS / 1000)
    return read / ORPHANS, refused / ORPHANS, page, look, octets


@attrs.frozen
class Written:
    """Microseconds of Redis for each command, and octets that go there for a record and its end."""

    put: float
    again: float
    take_over: float
    forget: float
    sent: float


async def _written(redis: Redis, replicas: int) -> Written:
    """On the primary."""
    record = encode(orphans.record(0, 1500.0).as_values())
    keys = [f"session {number:032x} {number:08x} {number:08x}" for number in range(ORPHANS)]
    async with _opened(redis, replicas) as store:
        put = partial(asking, partial(_put, store, record))
        before = _received(redis)
        first = await _spent(redis, _each(keys, put))
        sent = _received(redis) - before
        again = await _spent(redis, _each(keys, put))
        taken = await _spent(redis, _each(keys, lambda key: asking(store.take_over, key)))
        before = _received(redis)
        over = await _spent(redis, _each(keys, lambda key: asking(store.forget, key, 1)))
        sent += _received(redis) - before
    return Written(*[each / ORPHANS for each in (first, again, taken, over, sent)])


def _put(store: SessionStore, record: bytes, key: str, answer: Callable[[Outcome], None]) -> None:
    store.put(key, record, 0, 600.0, answer)


def _received(redis: Redis) -> int:
    found = re.search(rb"total_net_input_bytes:(\d+)", redis.command("INFO", "stats"))
    assert found is not None
    return int(found[1])


async def _spent(redis: Redis, work: Awaitable[None]) -> float:
    """Microseconds of CPU of Redis."""
    assert redis.process is not None
    before = cpu_seconds(redis.process.pid)
    await work
    return 1e6 * (cpu_seconds(redis.process.pid) - before)


async def _looks(store: SessionStore, times: int) -> None:
    for _ in range(times):
        assert await asking(store.orphaned, ORPHANS) is not Absent.FAILED


async def _each(keys: list[str], ask: Callable[[str], Awaitable[object]]) -> None:
    for first in range(0, len(keys), TOGETHER):
        for found in await asyncio.gather(*[ask(key) for key in keys[first : first + TOGETHER]]):
            assert found not in (Absent.FAILED, Outcome.FAILED)


@asynccontextmanager
async def _opened(redis: Redis, replicas: int = 0) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis.url, wait_replicas=replicas, lease=1.0)
    await store.open("node-1")
    await asyncio.sleep(1.1)  # before that nobody is dead
    yield store
    await store.close()


async def sqlite_octets(folder: Path) -> float:
    """Octets of the file for each call that is up."""
    path = folder / "octets.db"
    store = SqliteStore(path)
    await store.open("node-1")
    for number in range(ORPHANS):
        one = orphans.record(number, 1500.0)
        key = " ".join(("session", *one.dialog.key))
        asked = asking(store.put, key, encode(one.as_values()), 0, 1532.0)
        if number % 500 == 499:
            assert await asked is Outcome.DONE
    await store.close()
    return path.stat().st_size / ORPHANS
