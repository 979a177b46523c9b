"""A virtual environment for each Python peer: made once with pip, kept in the user's cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from interop.bench.server import ROOT, Recipe, StartError

RELEASES = {
    "aiosipua": "aiosipua==0.7.1",
    "sippy": "sippy==2.5.0",
    "sipua": "sipua==0.5.7",
    "aiortp": "aiortp==0.8.0",
}
"""The releases measured, so that figures of two runs compare."""


def recipe(peer: str) -> Recipe:
    """How to start the peer's server; raises `StartError` where pip cannot install it."""
    return Recipe(RELEASES[peer], [*command(peer, "uas"), "{port}"], {"PYTHONPATH": str(ROOT)})


def command(peer: str, what: str) -> list[str]:
    """What of the peer is to be run, by the interpreter that has it; raises as `recipe` does."""
    return [str(_interpreter(peer)), "-m", f"interop.bench.peers.{peer}_{what}"]


def _interpreter(peer: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "sipstack-bench" / RELEASES[peer]
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.is_file():
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", RELEASES[peer])
        done.touch()
    return python


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines() or ["no output"]
        raise StartError(f"cannot be installed: {lines[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise StartError("cannot be installed: pip took more than 300 s") from error
