"""What nodes own in Redis: lists that are put together of the indexes of all shards."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Any

from sipstack.outcome import Absent
from sipstack.store.port import Listed
from sipstack.store.redis_pipeline import Pipeline
from sipstack.store.redis_scripts import PAGE, SHARDS, digest, index_name, lease_name, owners_name

PAGE_LENGTH = 1000
MOST = 1_000_000


class Unknown(Exception):
    """Redis does not tell."""


class Lists:
    """Asked by ``node``. Each step has the time of any other command; together they may take longer."""

    def __init__(self, pipeline: Pipeline, node: bytes, lease: float) -> None:
        self._pipeline = pipeline
        self._node = node
        self._lease = lease
        self._shards = sorted(range(SHARDS), key=lambda shard: blake2b(b"%d %b" % (shard, node)).digest())
        """Another order for each node: they neither begin nor go on with the same orphans."""

    async def owned(self) -> list[Listed] | Absent:
        return await self._told(self._owned())

    async def orphaned(self, most: int, kind: str) -> list[Listed] | Absent:
        """While nobody could give a sign of life, nobody is dead: Redis itself was away."""
        if asyncio.get_running_loop().time() < self._pipeline.since + self._lease:
            return []
        return await self._told(self._orphaned(most, kind))

    async def _told(self, listing: Any) -> list[Listed] | Absent:
        try:
            found: list[Listed] = await listing
        except Unknown:
            return Absent.FAILED
        return found

    async def _owned(self) -> list[Listed]:
        asked = [self._of_node(self._node, shard, MOST) for shard in self._shards]
        return [listed for found in await asyncio.gather(*asked) for listed in found][:MOST]

    async def _orphaned(self, most: int, kind: str) -> list[Listed]:
        """One shard after another, and no more of them than it takes: there may be a million."""
        asked = [self._ask(b"SMEMBERS", owners_name(shard)) for shard in self._shards]
        owners = dict(zip(self._shards, await asyncio.gather(*asked), strict=True))
        nodes = sorted({node for found in owners.values() for node in found} - {self._node})
        if not nodes:
            return []
        leases = await self._ask(b"MGET", *map(lease_name, nodes))
        orphans: list[Listed] = []
        dead = [node for node, lease in zip(nodes, leases, strict=True) if lease is None]
        for shard in self._shards:
            for node in dead:
                if node in owners[shard] and len(orphans) < most:
                    orphans += await self._of_node(node, shard, most - len(orphans), kind)
        return orphans

    async def _of_node(self, node: bytes, shard: int, most: int, kind: str = "") -> list[Listed]:
        found: list[Listed] = []
        begin, after = b"-inf", 0
        while True:
            page = await self._ask_page(shard, node, begin, after)
            found += [listed for listed in _read(page, node) if listed.key.startswith(kind)]
            if len(page) < 1 + 2 * PAGE_LENGTH or len(found) >= most:
                return found[:most]
            scores = page[2::2]  # many may expire in the same millisecond
            after = scores.count(scores[-1]) + (after if scores[-1] == begin else 0)
            begin = scores[-1]

    async def _ask_page(self, shard: int, node: bytes, begin: bytes, after: int) -> Any:
        keys = index_name(shard, node), owners_name(shard)
        return await self._ask(b"EVALSHA", digest(PAGE), 2, *keys, node, begin, after, PAGE_LENGTH)

    async def _ask(self, *parts: bytes | int) -> Any:
        reply = await self._pipeline.ask(*parts)
        if not isinstance(reply, list):
            raise Unknown
        return reply


def _read(page: list[Any], node: bytes) -> list[Listed]:
    """``page``: the time of the server, then keys and when they expire."""
    now, owner = page[0], node.decode("utf-8", "surrogatepass")
    return [
        Listed(key.decode("utf-8", "surrogatepass"), owner, (float(expires) - now) / 1000)
        for key, expires in zip(page[1::2], page[2::2], strict=True)
    ]
