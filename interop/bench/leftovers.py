"""What a process holds: so that two looks at it tell what was left behind between them."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import _lru_cache_wrapper
from pathlib import Path

import attrs

OURS = ("sipstack.", "aiortc.", "aioice.", "av.", "pylibsrtp", "OpenSSL.")
"""The modules whose objects belong to calls."""
FEW = 8
"""Objects of one type that may have come to stay, however many calls there were."""


@attrs.frozen
class Holdings:
    """Descriptors (and how many of them are sockets), UDP ports that are bound, tasks, threads, objects of
    ``OURS`` by type."""

    descriptors: int
    sockets: int
    ports: int
    tasks: int
    threads: int
    objects: Mapping[str, int]

    @classmethod
    def now(cls) -> Holdings:
        """Those of this process, after the garbage is collected and caches are emptied."""
        for each in gc.get_objects():
            if isinstance(each, _lru_cache_wrapper) and str(each.__module__).startswith(OURS):
                each.cache_clear()
        gc.collect()
        links = list(_descriptors())
        inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        return cls(
            descriptors=len(links),
            sockets=len(inodes),
            ports=len(_udp_ports(inodes)),
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            objects=_objects(),
        )

    def beyond(self, before: Holdings) -> dict[str, int]:
        """What there is now and was not then, by its name."""
        counts = ("descriptors", "sockets", "ports", "tasks", "threads")
        more = {name: getattr(self, name) - getattr(before, name) for name in counts}
        grown = {name: count - before.objects.get(name, 0) for name, count in self.objects.items()}
        return {name: count for name, count in more.items() if count > 0} | {
            name: count for name, count in grown.items() if count > FEW
        }


def resident() -> int:
    """KB of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _descriptors() -> Iterator[str]:
    folder = Path("/proc/self/fd")
    for name in os.listdir(folder):
        try:
            yield os.readlink(folder / name)
        except FileNotFoundError:  # that of the listing itself
            continue


def _udp_ports(inodes: set[str]) -> set[str]:
    """The local addresses of those sockets that are UDP."""
    lines: list[list[str]] = []
    for name in ("udp", "udp6"):
        table = Path("/proc/net") / name
        if table.exists():
            lines += [line.split() for line in table.read_text().splitlines()[1:]]
    return {fields[1] for fields in lines if fields[9] in inodes}


def _objects() -> dict[str, int]:
    kinds = Counter(type(each) for each in gc.get_objects())
    names: Counter[str] = Counter()
    for kind, count in kinds.items():
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name.startswith(OURS):
            names[name] += count
    return dict(names)
