"""A server under measurement: pinned to a core, up once its port is bound, stopped by its pid."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from interop.bench import machine
from interop.ports import free_port
from interop.sipp.process import wait_bound

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Recipe:
    """The way to start a server: its environment and its command, with ``{port}`` in place of the port."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = attrs.field(factory=dict)
    patience: float = 10.0
    """Seconds it may take to bind its port."""
    settling: float = 0.0
    """Seconds from then until it answers."""
    prepare: Callable[[int], object] = lambda port: None
    """Called with the port before the server starts, for a server that reads it from a file."""
    protocol: str = "udp"
    """``udp``, or ``tcp`` for every transport above it."""


def python(name: str, module: str, *arguments: str) -> Recipe:
    """A module of this repository, run by the interpreter that we run on."""
    return Recipe(name, [sys.executable, "-m", module, *arguments], {"PYTHONPATH": str(ROOT)})


class StartError(Exception):
    """A server did not start; the text is the last line that it printed."""


class Server:
    """One run of a `Recipe`: its port is bound on entry to the context, its process gone on exit.

    Raises `StartError` on entry.
    """

    def __init__(self, recipe: Recipe, folder: Path, core: int | None = 1) -> None:
        self.port = free_port()
        self._recipe = recipe
        self._log = folder / f"{recipe.name.replace(' ', '-')}-{self.port}.log"
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> str:
        """``host:port``, as sipp wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def protocol(self) -> str:
        """``udp``, or ``tcp``."""
        return self._recipe.protocol

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the server is not running: enter the context first")
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return machine.cpu_seconds(self.pid)

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        return machine.resident_bytes(self.pid)

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Server:
        self._recipe.prepare(self.port)
        command = [part.replace("{port}", str(self.port)) for part in self._recipe.command]
        core = self._core
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | dict(self._recipe.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
            )
        process = self._process
        if not wait_bound(
            self.port, self._recipe.patience, lambda: process.poll() is None, self._recipe.protocol
        ):
            self._stop()
            raise StartError(self._last_line())
        time.sleep(self._recipe.settling)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _last_line(self) -> str:
        lines = self.output.split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
