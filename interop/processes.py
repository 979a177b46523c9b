"""Processes of the tests: they end with the test run, whatever happens to it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_TIMEOUT = 5.0  # seconds


def ended_with_us(signal: str = "KILL") -> list[str]:
    """A prefix for a command, which ends it by a signal when the test run is killed."""
    return ["setpriv", "--pdeathsig", signal] if shutil.which("setpriv") else []


def tail(path: Path, lines: int = 40) -> str:
    """The last lines of a log, or nothing where there is none."""
    return (
        "".join(path.read_text(errors="replace").splitlines(keepends=True)[-lines:]) if path.exists() else ""
    )


def wait_until_ready(
    name: str, process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool], patience: float = 10.0
) -> None:
    """Raises RuntimeError with its last words when it ends, or is not ready for ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not start:\n{tail(log)}")
        time.sleep(0.05)


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, ready: Callable[[], bool], *, entering: Sequence[str] = ()
) -> Iterator[None]:
    """Start it in the folder of its log, and wait until it is ready; stop it afterwards. ``entering`` stands
    before all. Raises RuntimeError with its last words when it does not start.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*entering, *ended_with_us(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        ) as process,
    ):
        try:
            wait_until_ready(name, process, log, ready)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
