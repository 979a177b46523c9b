"""A network namespace of Linux: a network of its own, that can be cut."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import attrs

CLONE_NEWNET = 0x40000000
DROP_ALL = "add table inet cut; add chain inet cut input { type filter hook input priority 0; policy drop; }"


class Unavailable(Exception):
    """None can be made. The text is the reason."""


@attrs.frozen
class Namespace:
    """One that has a loopback interface and nothing else."""

    name: str

    @property
    def entering(self) -> list[str]:
        """What stands before a command that is to run in it."""
        return ["ip", "netns", "exec", self.name]

    async def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run it in an event loop of its own, in a thread whose sockets belong to the namespace."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            await asyncio.get_running_loop().run_in_executor(thread, self._run, main)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Every packet is lost."""
        subprocess.run([*self.entering, "nft", DROP_ALL], check=True)
        try:
            yield
        finally:
            subprocess.run([*self.entering, "nft", "delete table inet cut"], check=True)

    def _run(self, main: Callable[[], Awaitable[None]]) -> None:
        self.enter()

        async def awaited() -> None:
            await main()

        asyncio.run(awaited())

    def enter(self) -> None:
        """From now on the sockets of this thread, and of those that it starts, belong to the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{self.name}", "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def namespace(name: str = "") -> Iterator[Namespace]:
    """Make one; it is gone afterwards. Several at a time have names. Raises Unavailable with the reason."""
    missing = [each for each in ("ip", "nft") if not shutil.which(each)]
    if missing:
        raise Unavailable(
            f"there is no {' and no '.join(missing)} (Debian: apt-get install iproute2 nftables)"
        )
    made = Namespace(f"sipstack-{os.getpid()}{name}")
    done = subprocess.run(["ip", "netns", "add", made.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"no network namespace: {done.stderr.strip()}")
    try:
        subprocess.run([*made.entering, "ip", "link", "set", "lo", "up"], check=True)
        yield made
    finally:
        subprocess.run(["ip", "netns", "delete", made.name], check=True)
