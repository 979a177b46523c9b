"""A redis-server on the loopback interface, which can be stopped, killed, started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from interop.ports import HOST, free_port
from interop.processes import STOP_TIMEOUT, ended_with_us, tail, wait_until_ready


def program() -> str | None:
    return shutil.which("redis-server")


@attrs.define
class Redis:
    """``options``: of the command line, such as ("--appendonly", "yes")."""

    folder: Path
    options: Sequence[str] = ()
    port: int = attrs.field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    password: str = ""

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}{HOST}:{self.port}/0"

    @property
    def log(self) -> Path:
        return self.folder / f"redis-{self.port}.log"

    def start(self) -> None:
        """It takes commands when this returns."""
        settings = ("--port", str(self.port), "--bind", HOST, "--dir", str(self.folder), "--save", "")
        files = ("--dbfilename", f"{self.port}.rdb", "--appenddirname", f"aof-{self.port}")
        secret = ("--requirepass", self.password) if self.password else ()
        command = [*ended_with_us(), "redis-server", *settings, *files, *secret, *self.options]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        wait_until_ready("redis-server", self.process, self.log, self._ready)

    def _ready(self) -> bool:
        try:
            return self.command("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def command(self, *parts: str) -> bytes:
        """One command, and what comes first of the answer: enough for what tests ask."""
        with socket.create_connection((HOST, self.port), timeout=5) as connection:
            if self.password:
                connection.sendall(_packed("AUTH", self.password))
                connection.recv(100)
            connection.sendall(_packed(*parts))
            return connection.recv(1_000_000)

    def kill(self) -> None:
        """As the machine's end would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)

    def freeze(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def last_words(self) -> str:
        return tail(self.log)


def _packed(*parts: str) -> bytes:
    texts = [part.encode() for part in parts]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(text), text) for text in texts)


def wait_until(what: str, holds: Callable[[], bool], patience: float = 20.0) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience} s")
        time.sleep(0.05)


@contextmanager
def running(*options: str, password: str = "") -> Iterator[Redis]:
    with TemporaryDirectory() as folder:
        redis = Redis(Path(folder), options, password=password)
        try:
            redis.start()
            yield redis
        finally:
            redis.end()
