"""Starts and stops what a cluster is made of; each process by its own id."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.cluster.node import NAME
from interop.kamailio.server import program
from interop.ports import HOST, free_port
from interop.processes import STOP_TIMEOUT, ended_with_us, tail, wait_until_ready
from interop.redis.server import Redis
from interop.sipp.process import bound

ROOT = Path(__file__).parents[2]
TEMPLATE = Path(__file__).parent / "etc" / "kamailio.cfg"


@attrs.define
class Node:
    """A process of ours. It may be started again: its name and port stay."""

    folder: Path
    name: str
    kind: str
    where: str
    port: int = attrs.field(factory=free_port)
    others: list[str] = attrs.field(factory=list)
    """Those that it passes on to, as NAME=HOST:PORT."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """It is ready when this returns."""
        command = [*ended_with_us(), sys.executable, "-m", "interop.cluster.node"]
        command += [str(self.port), self.name, self.kind, self.where, *self.others]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until_ready(self.name, self.process, self.log, lambda: "ready" in self.said)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def drain(self) -> None:
        """SIGTERM; returns when it is gone."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(4 * STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def dealt(nodes: int) -> list[int]:
    """The list of the dispatcher, by number: each node follows each other one once. What a dead node had goes
    to the entry after it: so to all others alike, and not to one of them.
    """
    after = [[other for other in range(nodes) if other != node] for node in range(nodes)]
    way, found = [0], []
    while way:  # a way through all pairs, which ends where it began
        if after[way[-1]]:
            way.append(after[way[-1]].pop())
        else:
            found.append(way.pop())
    return found[1:] or found


@attrs.define
class Front:
    """Kamailio, which deals what comes out to the nodes; ``manner``: how, by a name of its configuration."""

    folder: Path
    nodes: list[Node]
    manner: str = "BY_CALL_ID"
    megabytes: int = 64
    """Memory for transactions, which stay some seconds after their end."""
    port: int = attrs.field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        values = {"HOST": HOST, "PORT": self.port, "FOLDER": self.folder, "NAME": NAME}
        text = TEMPLATE.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "kamailio.cfg").write_text(text)
        lines = [f"1 sip:{HOST}:{self.nodes[number].port} 0\n" for number in dealt(len(self.nodes))]
        lines += [f"{11 + place} sip:{HOST}:{node.port} 0\n" for place, node in enumerate(self.nodes)]
        (self.folder / "dispatcher.list").write_text("".join(lines))
        command = [*ended_with_us("TERM"), program() or "kamailio", "-DD", "-E"]
        command += ["-m", str(self.megabytes), "-M", "16"]
        command += ["-A", self.manner, "-f", str(self.folder / "kamailio.cfg")]
        command += ["-Y", str(self.folder), "-w", str(self.folder)]
        command += ["-A", "ALONE"] if len(self.nodes) == 1 else []
        log = self.folder / "kamailio.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until_ready("Kamailio", self.process, log, lambda: bound(self.port))
        time.sleep(0.5)  # until its workers serve

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)


@attrs.define
class Cluster:
    """All of it."""

    folder: Path
    front: Front
    nodes: list[Node]
    redis: Redis | None

    @property
    def target(self) -> str:
        """As sipp wants it."""
        return f"{HOST}:{self.front.port}"

    def logs(self) -> str:
        """The last words of each."""
        return "\n".join(f"== {path.name}\n{tail(path)}" for path in sorted(self.folder.glob("*.log")))


@contextmanager
def running(
    kind: str = "redis",
    nodes: int = 2,
    started: int = 1,
    manner: str = "BY_CALL_ID",
    *,
    passing: bool = False,
) -> Iterator[Cluster]:
    """A cluster, of whose nodes the first ``started`` run already. ``kind``: redis, sealed or sqlite.
    ``manner``: how Kamailio deals; ``passing``: the nodes pass on to one another.
    """
    with TemporaryDirectory(prefix="cluster-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        redis = Redis(folder) if kind == "redis" else None
        if redis is not None:
            stack.callback(redis.end)
            redis.start()
        where = redis.url if redis is not None else str(folder / "calls.sqlite")
        if kind == "sealed":
            where = str(folder / "keys")
            Path(where).touch(0o600)
            Path(where).write_text(secrets.token_hex(32))
        made = [Node(folder, f"node{number + 1}", kind, where) for number in range(nodes)]
        for node in made:
            node.others = [f"{each.name}={HOST}:{each.port}" for each in made if passing]
            stack.callback(node.kill)
        for node in made[:started]:
            node.start()
        front = Front(folder, made, manner)
        stack.callback(front.stop)
        front.start()
        yield Cluster(folder, front, made, redis)
