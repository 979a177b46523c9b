"""What nodes own in Redis: lists that are put together of the indexes of all shards."""

from __future__ import annotations

import asyncio
import zlib
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
        first = zlib.crc32(node) % SHARDS
        self._shards = [(first + i) % SHARDS for i in range(SHARDS)]
        """In another order for each node, so that they do not all begin with the same orphans."""

    async def owned(self) -> list[Listed] | Absent:
        return await self._told(self._of_node(self._node, self._shards, MOST))

    async def orphaned(self, most: int) -> list[Listed] | Absent:
        """While nobody could give a sign of life, nobody is dead: Redis itself was away."""
        if asyncio.get_running_loop().time() < self._pipeline.since + self._lease:
            return []
        return await self._told(self._orphaned(most))

    async def _told(self, listing: Any) -> list[Listed] | Absent:
        try:
            found: list[Listed] = await listing
        except Unknown:
            return Absent.FAILED
        return found

    async def _orphaned(self, most: int) -> list[Listed]:
        asked = [self._ask(b"SMEMBERS", owners_name(shard)) for shard in self._shards]
        owners = dict(zip(self._shards, await asyncio.gather(*asked), strict=True))
        nodes = sorted({node for found in owners.values() for node in found} - {self._node})
        if not nodes:
            return []
        leases = await self._ask(b"MGET", *map(lease_name, nodes))
        orphans: list[Listed] = []
        for node, lease in zip(nodes, leases, strict=True):
            if lease is None and len(orphans) < most:
                shards = [shard for shard in self._shards if node in owners[shard]]
                orphans += await self._of_node(node, shards, most - len(orphans))
        return orphans

    async def _of_node(self, node: bytes, shards: list[int], most: int) -> list[Listed]:
        found: list[Listed] = []
        asked = [self._ask_page(shard, node, b"-inf", 0, min(most, PAGE_LENGTH)) for shard in shards]
        for shard, page in zip(shards, await asyncio.gather(*asked), strict=True):
            found += _read(page, node)
            begin, after = b"-inf", 0
            while len(page) == 1 + 2 * PAGE_LENGTH and len(found) < most:
                scores = page[2::2]  # many may expire in the same millisecond
                after = scores.count(scores[-1]) + (after if scores[-1] == begin else 0)
                begin = scores[-1]
                page = await self._ask_page(shard, node, begin, after, PAGE_LENGTH)
                found += _read(page, node)
        return found[:most]

    async def _ask_page(self, shard: int, node: bytes, begin: bytes, after: int, most: int) -> Any:
        keys = index_name(shard, node), owners_name(shard)
        return await self._ask(b"EVALSHA", digest(PAGE), 2, *keys, node, begin, after, most)

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
