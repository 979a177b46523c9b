"""The frame of every process that ``media`` measures, without a package: peers have their own interpreters.

``... CALLS PORT...``: each call has its own RTP port, and sends to one of the load's ports in turn. Printed
are the ports of the calls, and once the standard input ends, how many packets of audio they were given.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections.abc import Callable, Sequence

HOST = "127.0.0.1"
SILENCE = b"\xff"
"""A sample, in PCMU."""


def destinations(arguments: Sequence[str]) -> list[int]:
    """The load's port of each call."""
    calls, *ports = map(int, arguments)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return [ports[call % len(ports)] for call in range(calls)]


async def serve(ports: Sequence[int], heard: Callable[[], int]) -> None:
    """Tell the ports, work until the standard input ends, then tell what was heard."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    gc.collect()
    gc.freeze()
    _print(ports)
    await over.wait()
    _print(heard())


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
