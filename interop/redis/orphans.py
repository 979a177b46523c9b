"""How fast the calls of a dead node find another: ``python -m interop.redis.orphans --nodes 2``.

As many records as that lie in Redis, of a node that is dead; the nodes are processes of ours, which are told
nothing. It prints how many calls have an owner again as time goes by, and what that costs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.bench.floor import ANSWER
from interop.bench.machine import cpu_seconds
from interop.cluster.cluster import Node
from interop.ports import HOST
from interop.redis.server import Redis, running
from sipstack.dialog.dialog import Dialog
from sipstack.outcome import Outcome
from sipstack.store.record import encode
from sipstack.store.redis import RedisStore
from sipstack.store.redis_scripts import SHARDS, index_name
from sipstack.usage.invite.record import SessionRecord
from tests.store.conformance import asking
from tests.store.records import TIMER

TOGETHER = 500
STEP = 5.0
LEASE = 2.0


def record(number: int, left: float) -> SessionRecord:
    """One call of many, which a proxy brought; its session timer has ``left`` seconds."""
    return SessionRecord(
        Dialog(
            call_id=f"{number:032x}@192.0.2.1",
            local_tag=f"{number:016x}",
            remote_tag=f"{number:08x}",
            local=f"<sip:service@cluster.test>;tag={number:016x}",
            remote=f"<sip:caller@192.0.2.1>;tag={number:08x}",
            remote_target=f"sip:caller@{HOST}:9",
            route_set=(f"<sip:{HOST}:9;lr>",),
            local_cseq=1000,
            remote_cseq=1,
            early=False,
        ),
        False,
        ANSWER,
        ANSWER,
        {"timer": {**TIMER, "left": round(left)}},
        {"media": True, "lasted": 73},
    )


async def leave(url: str, calls: int, name: str = "dead") -> None:
    """What a node leaves that had so many calls up, at all ages."""
    draw = random.Random(1)
    store = RedisStore(url, lease=LEASE)
    await store.open(name)
    try:
        for first in range(0, calls, TOGETHER):
            puts = []
            for number in range(first, min(first + TOGETHER, calls)):
                left = draw.uniform(1200.0, 1790.0)
                one = record(number, left)
                key = " ".join(("session", *one.dialog.key))
                puts.append(asking(store.put, key, encode(one.as_values()), 0, left + 32.0))
            assert set(await asyncio.gather(*puts)) == {Outcome.DONE}
    finally:
        await store.close()


@attrs.frozen
class Seen:
    """``left``: calls that still belong to the dead. CPU in seconds so far: of Redis, and of the nodes."""

    at: float
    left: int
    redis: float
    nodes: float

    def __str__(self) -> str:
        return (
            f"{self.at:6.1f} s: {self.left:7} left; CPU: redis {self.redis:.2f} s, nodes {self.nodes:.2f} s"
        )


def watched(calls: int, nodes: int, limit: float) -> Iterator[Seen]:
    """Until all have an owner, or so many seconds are over."""
    with running() as redis, TemporaryDirectory() as name, ExitStack() as stack:
        asyncio.run(leave(redis.url, calls))
        assert left(redis) == calls
        assert redis.process is not None
        made = [Node(Path(name), f"node{number}", "redis", redis.url) for number in range(nodes)]
        for node in made:
            stack.callback(node.kill)
            node.start()
        pids = [node.process.pid for node in made if node.process is not None]
        spent = cpu_seconds(redis.process.pid), sum(map(cpu_seconds, pids))
        began = time.monotonic()
        rest = calls
        while rest and time.monotonic() - began < limit:
            time.sleep(STEP)
            rest = left(redis)
            yield Seen(
                time.monotonic() - began,
                rest,
                cpu_seconds(redis.process.pid) - spent[0],
                sum(map(cpu_seconds, pids)) - spent[1],
            )


def left(redis: Redis, name: bytes = b"dead") -> int:
    """How many records this node owns."""
    names = [index_name(shard, name) for shard in range(SHARDS)]
    asked = b"".join(b"*2\r\n$5\r\nZCARD\r\n$%d\r\n%b\r\n" % (len(each), each) for each in names)
    with socket.create_connection((HOST, redis.port), timeout=5) as connection:
        connection.sendall(asked)
        answers = connection.makefile("rb")
        return sum(int(answers.readline()[1:]) for _ in names)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which it gives up (120)")
    given = parser.parse_args()
    for seen in watched(given.calls, given.nodes, given.limit):
        print(seen, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
