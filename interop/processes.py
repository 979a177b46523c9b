"""Processes of the tests: they end with the test run, whatever happens to it."""

from __future__ import annotations

import shutil
from pathlib import Path


def ended_with_us(signal: str = "KILL") -> list[str]:
    """A prefix for a command, which ends it by a signal when the test run is killed."""
    return ["setpriv", "--pdeathsig", signal] if shutil.which("setpriv") else []


def tail(path: Path, lines: int = 40) -> str:
    """The last lines of a log, or nothing where there is none."""
    return (
        "".join(path.read_text(errors="replace").splitlines(keepends=True)[-lines:]) if path.exists() else ""
    )
