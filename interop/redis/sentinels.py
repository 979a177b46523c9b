"""A primary with a replica, and three sentinels that promote it when the primary is gone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.ports import HOST, free_port
from interop.processes import STOP_TIMEOUT, ended_with_us, wait_until_ready
from interop.redis.server import Redis, wait_until

NAME = "sessions"
DOWN_AFTER = 1000
"""Milliseconds without an answer after which a sentinel holds the primary for dead."""


@attrs.define
class Sentinels:
    """Two of three must agree. ``ports``: theirs."""

    folder: Path
    ports: list[int] = attrs.field(factory=lambda: [free_port() for _ in range(3)])
    processes: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    @property
    def urls(self) -> list[str]:
        return [f"redis://{HOST}:{port}" for port in self.ports]

    def start(self, primary: Redis) -> None:
        for port in self.ports:
            settings = (
                f"port {port}",
                f"bind {HOST}",
                f"dir {self.folder}",
                f"sentinel monitor {NAME} {HOST} {primary.port} 2",
                f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
                f"sentinel failover-timeout {NAME} 6000",
            )
            written = self.folder / f"sentinel-{port}.conf"
            written.write_text("\n".join(settings) + "\n")
            log = self.folder / f"sentinel-{port}.log"
            with log.open("ab") as output:
                command = [*ended_with_us(), "redis-server", str(written), "--sentinel"]
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
                )
            self.processes.append(process)
            told = Redis(self.folder, port=port)
            wait_until_ready("redis-sentinel", process, log, partial(_answers, told))
        for port in self.ports:
            wait_until("sentinels know all", partial(self._knows, port))

    def _knows(self, port: int) -> bool:
        said = Redis(self.folder, port=port).command("INFO", "sentinel")
        return b"status=ok" in said and b"slaves=1,sentinels=3" in said

    def fail_over(self) -> None:
        """As an operator does for maintenance."""
        assert Redis(self.folder, port=self.ports[0]).command("SENTINEL", "FAILOVER", NAME).startswith(b"+OK")

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(STOP_TIMEOUT)


@attrs.define
class Replicated:
    primary: Redis
    replica: Redis
    sentinels: Sentinels

    @property
    def url(self) -> str:
        """With the name under which the sentinels know it."""
        return f"redis://{NAME}/0"


def _answers(redis: Redis) -> bool:
    try:
        return redis.command("PING").startswith(b"+PONG")
    except OSError:
        return False


def follows(replica: Redis) -> bool:
    """Whether it has all that its primary had."""
    return b"master_link_status:up" in replica.command("INFO", "replication")


def confirms(primary: Redis) -> bool:
    """Whether it counts its replica: that has told for the first time how far it is."""
    primary.command("SET", "something", "1", "PX", "1")
    return re.search(rb"state=online,offset=[1-9]", primary.command("INFO", "replication")) is not None


@contextmanager
def replicated() -> Iterator[tuple[Redis, Redis]]:
    """A primary and its replica."""
    with TemporaryDirectory() as folder:
        primary = Redis(Path(folder), ("--repl-diskless-sync-delay", "0"))
        replica = Redis(
            Path(folder), ("--repl-diskless-sync-delay", "0", "--replicaof", HOST, str(primary.port))
        )
        try:
            primary.start()
            replica.start()
            wait_until("the replica follows", lambda: follows(replica) and confirms(primary))
            yield primary, replica
        finally:
            replica.end()
            primary.end()


@contextmanager
def watched() -> Iterator[Replicated]:
    """The same with sentinels."""
    with replicated() as (primary, replica):
        sentinels = Sentinels(primary.folder)
        try:
            sentinels.start(primary)
            yield Replicated(primary, replica, sentinels)
        finally:
            sentinels.end()
