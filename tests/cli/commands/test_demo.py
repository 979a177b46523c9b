"""``sipstack demo``: the first thing that people type."""

from __future__ import annotations

import asyncio
import re
import wave
from pathlib import Path

from sipstack.cli.status import ExitStatus
from tests.cli.running import command, process


async def test_the_demonstration_holds_in_less_than_ten_seconds() -> None:
    async with asyncio.timeout(10), process("demo") as running:
        status, _, errors = await _plain_outcome(running)
    assert status == ExitStatus.DONE
    assert "INVITE + SDP" in errors


async def _plain_outcome(running: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    output, errors = await running.communicate()
    return running.returncode, output.decode(), errors.decode()


async def test_the_figures_and_the_verdict(tmp_path: Path) -> None:
    record = tmp_path / "echo.wav"
    async with command("demo", "--json", "--record", str(record)) as run:
        assert await run.status() == ExitStatus.DONE
    assert run.story == ["calling", "answered", "ended", "compared"]
    _, answered, ended, compared = run.said
    assert 0 < answered["duration"] < 1
    assert ended["packets_sent"] >= 80
    assert ended["packets_received"] >= 80
    assert ended["packets_lost"] == 0
    verdict = re.fullmatch(r"similarity (\d\.\d{3}), delay (\d+) ms", compared["reason"])
    assert verdict is not None
    assert float(verdict[1]) >= 0.9
    assert int(verdict[2]) < 500
    assert run.stderr == ""
    with wave.open(str(record), "rb") as file:
        assert file.getnframes() > 8000


async def test_an_unwritable_recording(tmp_path: Path) -> None:
    async with command("demo", "--json", "--record", str(tmp_path / "missing" / "echo.wav")) as run:
        assert await run.status() == ExitStatus.MEDIA
    assert run.story == ["failed"]
