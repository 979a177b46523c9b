"""Sessions in Redis: the store of many nodes, from which any of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sipstack.errors import StoreError
from sipstack.log import TRANSPORT
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import TOMBSTONE, Listed, Taken
from sipstack.store.redis_command import Command, Refusal
from sipstack.store.redis_lists import Lists
from sipstack.store.redis_pipeline import PATIENCE, Pipeline
from sipstack.store.redis_scripts import (
    DONE,
    FORGET,
    PUT,
    PUT_AGAIN,
    READ,
    RENEW,
    TAKE_OVER,
    UNKNOWN,
    digest,
    index_prefix,
    lease_name,
    owners_name,
    record_name,
    shard_of,
)

if TYPE_CHECKING:
    from sipstack.store.redis_connection import Connection

LEASE = 10.0
LOOK = 1.0
"""Seconds after which the sentinels are asked again."""
LONGEST = 10 * 365 * 86400.0
"""Seconds that a record is kept at the most."""
LONGEST_NODE = 255


class RedisStore:
    """Keeps sessions in Redis 7 or later, by redis-py (the extra ``redis``).

    ``url``: "redis://host:6379/0", "rediss://user:password@host/0" over TLS. With ``sentinels``, such as
    ["redis://one:26379", "redis://two:26379"], its host is the name under which they know the primary.
    ``wait_replicas``: how many replicas must have a write before it is DONE. ``lease``: seconds without a
    sign of life after which others may take over what a node owned; all nodes have the same.

    Its promise: what is DONE is there for every node while the primary lives. What of it is lost then:

    - Redis is killed and comes back: everything, without ``appendonly yes``; with it nothing. When the
      machine fails: up to a second (``appendfsync everysec``), nothing (``always``).
    - The primary is killed, a replica promoted by sentinels, 1,500 writes acknowledged in the 3 s before:
      0 lost on one machine; 27 with 50 ms of lag (what the lag takes), 0 of them with ``wait_replicas=1``.
    - The same as an operator plans it (SENTINEL FAILOVER): the old primary goes on for 1 to 2 s, and what it
      acknowledges then is lost, 177 to 374 writes at 200 a second; 0 with ``wait_replicas=1``, which refuses
      meanwhile. ``min-replicas-to-write 1`` in Redis does the same for all its clients.

    With ``wait_replicas=1`` and two servers nothing is DONE while one of them is away: have three.

    An answer comes within 1.5 s: FAILED while Redis is away, and what was told to have failed is not done
    later, not even by a server that had been stopped. (Not so with FAILED for want of a replica: the primary
    has that write.) A full Redis refuses what is new and goes on with what it has, where its
    ``maxmemory-policy`` is ``noeviction``. It is the clock of Redis that counts, so those of nodes do not
    matter; while Redis itself was away no node counts as dead.

    Keys begin with what they are of ("session ...", "registration ..."): all are kept alike. The keys in
    Redis begin with ``sipstack:``; those that one step touches share a hash tag, as a cluster needs it.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        wait_replicas: int = 0,
        sentinels: Sequence[str] = (),
        lease: float = LEASE,
    ) -> None:
        if wait_replicas < 0 or lease <= 0:
            raise ValueError("wait_replicas is a number of replicas, lease a number of seconds")
        self._url = url
        self._sentinels = tuple(sentinels)
        self._lease = lease
        self._replicas = wait_replicas
        self._pipeline = self._new_pipeline()
        self._node = b""
        self._lists: Lists | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._complaints: set[str] = set()
        self._open = False

    # -- begin and end -------------------------------------------------------------------------------------

    async def open(self, node: str) -> None:
        self._node = _octets(node)
        if not 0 < len(self._node) <= LONGEST_NODE:
            raise StoreError(f"the name of a node has 1 to {LONGEST_NODE} octets")
        line = await self._connect()
        self._pipeline = self._new_pipeline()
        if line.evicts:
            TRANSPORT.warning(
                "%s: when it is full it drops sessions: set maxmemory-policy to noeviction", _shown(self._url)
            )
        self._lists = Lists(self._pipeline, self._node, self._lease)
        self._open = True
        await self._pipeline.open(line)
        self._renew_again()
        if self._sentinels:
            self._watch = asyncio.create_task(self._watch_the_sentinels(), name="sentinels of Redis")

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._renewal is not None:
            self._renewal.cancel()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=2 * PATIENCE)
            for task in late:
                task.cancel()
        await self._pipeline.close()

    def _new_pipeline(self) -> Pipeline:
        return Pipeline(self._connect, self._renew, self._replicas, _shown(self._url))

    async def _connect(self) -> Connection:
        from sipstack.store.redis_connection import Connection, Place

        return await Connection.connect(Place(self._url, self._sentinels), PATIENCE)

    # -- the store -----------------------------------------------------------------------------------------

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        left = max(1, int(min(lifetime, LONGEST) * 1000))
        told = partial(self._put, key, (epoch, left, record), answer)
        self._run(PUT, key, (epoch, left, record), told, answer, Outcome.FAILED)

    def _put(
        self, key: str, arguments: tuple[bytes | int, ...], answer: Callable[[Outcome], None], reply: Any
    ) -> None:
        if isinstance(reply, Refusal) and reply.code == "OOM":
            self._complain(reply)
            told = partial(self._told, answer)
            self._run(PUT_AGAIN, key, arguments, told, answer, Outcome.FAILED)
        else:
            self._told(answer, reply)

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        told = partial(self._told, answer)
        self._run(FORGET, key, (epoch, int(TOMBSTONE * 1000)), told, answer, Outcome.FAILED)

    def _told(self, answer: Callable[[Outcome], None], reply: Any) -> None:
        self._complain(reply)
        if isinstance(reply, int):
            answer(Outcome.DONE if reply == DONE else Outcome.CONFLICT)
        else:
            answer(Outcome.FAILED)

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        wanted = -1 if epoch is None else epoch
        self._run(TAKE_OVER, key, (wanted,), partial(self._taken, answer), answer, Absent.FAILED)

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        self._run(READ, key, (), partial(self._taken, answer), answer, Absent.FAILED)

    def _taken(self, answer: Callable[[Taken | Absent], None], reply: Any) -> None:
        self._complain(reply)
        match reply:
            case [bytes(record), int(epoch), int(age)]:
                answer(Taken(record, epoch, max(0, age) / 1000))
            case int() if reply == UNKNOWN:
                answer(Absent.UNKNOWN)
            case _:
                answer(Absent.FAILED)

    def _run(
        self,
        script: str,
        key: str,
        arguments: tuple[bytes | int, ...],
        told: Callable[[Any], None],
        answer: Callable[[Any], None],
        failed: Outcome | Absent,
    ) -> None:
        if not self._open:
            answer(failed)
            return
        name = _octets(key)
        shard = shard_of(name)
        keys = (record_name(name), owners_name(shard))
        parts = (b"EVALSHA", digest(script), 2, *keys, name, self._node, index_prefix(shard), *arguments)
        octets = sum(len(part) for part in parts if isinstance(part, bytes))
        self._pipeline.submit(Command(parts, told, octets, fenced=True, kept=True))

    # -- lists ---------------------------------------------------------------------------------------------

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        self._listed(answer, lambda lists: lists.owned())

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        self._listed(answer, lambda lists: lists.orphaned(most, kind))

    def _listed(
        self,
        answer: Callable[[list[Listed] | Absent], None],
        ask: Callable[[Lists], Awaitable[list[Listed] | Absent]],
    ) -> None:
        if not self._open or self._lists is None:
            answer(Absent.FAILED)
            return
        lists = self._lists

        async def run() -> None:
            found: list[Listed] | Absent = Absent.FAILED
            try:
                found = await ask(lists)
            finally:
                answer(found)

        self._spawn(run())

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- signs of life -------------------------------------------------------------------------------------

    def _renew_again(self) -> None:
        if self._open:
            self._renewal = asyncio.get_running_loop().call_later(self._lease / 5, self._renew_again)
            self._renew()

    def _renew(self) -> None:
        """Also at once when Redis is back: others wait as long before they judge us."""
        parts = (b"EVALSHA", digest(RENEW), 1, lease_name(self._node), max(1, int(self._lease * 1000)))
        self._pipeline.submit(Command(parts, self._renewed))

    def _renewed(self, reply: Any) -> None:
        self._complain(reply)
        if isinstance(reply, int) and self._pipeline.line is not None:
            self._pipeline.line.clock.told(reply, asyncio.get_running_loop().time())

    async def _watch_the_sentinels(self) -> None:
        """A primary that is none any more still takes our writes, and forgets them when it learns of it."""
        from sipstack.store.redis_connection import Place

        place = Place(self._url, self._sentinels)
        while True:
            await asyncio.sleep(LOOK)
            line = self._pipeline.line
            try:
                primary = await place.primary()
            except StoreError as error:
                TRANSPORT.debug("%s: %s", _shown(self._url), error)
                continue
            if line is not None and line is self._pipeline.line and line.primary != primary:
                await self._pipeline.drop("the sentinels name another primary")

    def _complain(self, reply: Any) -> None:
        """Each kind of refusal is told once."""
        if isinstance(reply, Refusal) and reply.code not in self._complaints and len(self._complaints) < 20:
            self._complaints.add(reply.code)
            TRANSPORT.warning("%s refuses: %s", _shown(self._url), reply.text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shown(url: str) -> str:
    """Without name and password."""
    parts = urlsplit(url)
    return f"Redis at {parts.netloc.rpartition('@')[2] or parts.path}"
