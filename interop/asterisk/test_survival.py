"""A call with audio survives the death of our process (kill -9), with Asterisk at the other end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from interop.asterisk.server import Asterisk
from interop.ports import free_port
from interop.processes import ended_with_us

PATIENCE = 15.0
AUDIO_BACK = 2.0
"""Seconds from the start until the tone is heard again, Python's own start not counted."""


@asynccontextmanager
async def phone(port: int, folder: Path, target: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (*ended_with_us(), sys.executable, "-m", "interop.asterisk.survivor")
    process = await asyncio.create_subprocess_exec(
        *command, str(port), str(folder), target, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def says(process: asyncio.subprocess.Process, expected: str) -> float:
    """Wait until it says so; returns when that was."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while (line := (await process.stdout.readline()).decode().strip()) != expected:
            assert line, f"it ended before it said {expected!r}"
    return asyncio.get_running_loop().time()


async def test_a_call_with_audio_survives_kill_9(asterisk: Asterisk, tmp_path: Path) -> None:
    port, target = free_port(), asterisk.uri("milliwatt")
    async with phone(port, tmp_path, target) as first:
        await says(first, "hears the tone")
        first.kill()
        await first.wait()
    assert len(await asterisk.channels()) == 1  # it has noticed nothing
    async with phone(port, tmp_path, target) as second:
        began = await says(second, "ready")
        assert await says(second, "hears the tone again") - began < AUDIO_BACK
        await says(second, "hears the tone")  # after hold and resume: its CSeq is one that Asterisk takes
        (channel,) = await asterisk.channels()
        await asterisk.cli(f"channel request hangup {channel}")
        await says(second, "ended by remote")
        async with asyncio.timeout(PATIENCE):
            assert await second.wait() == 0
    await asterisk.idle()
    listing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipstack", "calls", "list", str(tmp_path / "calls.jsonl")),
        stdout=subprocess.PIPE,
    )
    listed, _ = await listing.communicate()
    assert listed.count(b"\n") == 1
    assert b"ended by the other side" in listed
