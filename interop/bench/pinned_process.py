"""Run a module of the benchmark as a process on the core under measurement, until it ends by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from interop.bench.server import ROOT
from interop.bench.uas_load import SERVER_CORE


def outcome(module: str, *arguments: object, limit: float) -> dict[str, Any]:
    """Its output, parsed as JSON. It is killed after ``limit`` seconds; raises subprocess.SubprocessError."""
    process = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=limit,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    printed: dict[str, Any] = json.loads(process.stdout)
    return printed
