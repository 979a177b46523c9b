"""``sipstack demo``: the first thing that people type."""

from __future__ import annotations

import asyncio
import re
import wave
from pathlib import Path

import sipstack
from sipstack.cli.commands.demo import Demonstration
from sipstack.cli.options import Output
from sipstack.cli.run import run_command
from sipstack.cli.status import ExitStatus
from tests.cli.running import command, parsed, process
from tests.cli.streams import environment, text


async def test_the_demonstration_holds_in_less_than_ten_seconds() -> None:
    async with asyncio.timeout(10), process("demo") as running:
        output, errors = await running.communicate()
    assert running.returncode == ExitStatus.DONE
    names = [line.split()[0] for line in output.decode().splitlines()]
    assert names == ["calling", "answered", "ended", "compared"]
    arrows = [line.partition("  |")[2].strip("-<>| ") for line in errors.decode().splitlines()]
    assert arrows == ["", "INVITE + SDP", "200 OK (INVITE) + SDP", "ACK", "BYE", "200 OK (BYE)"]


async def test_the_figures_and_the_verdict(tmp_path: Path) -> None:
    record = tmp_path / "echo.wav"
    async with command("demo", "--json", "--record", str(record)) as run:
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended", "compared"]
    _, answered, ended, compared = run.events
    assert 0 < answered["answered_after"] < 1
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


def test_an_echo_that_is_none_is_not_taken_for_one(tmp_path: Path) -> None:
    async def answer_and_be_silent(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            await call.ended()

    env = environment()
    output = Output(json=True, trace=False, pcap=None, verbose=0)
    demonstration = Demonstration(tmp_path / "echo.wav", answer_and_be_silent)
    assert run_command(env, output, demonstration) is ExitStatus.MEDIA
    *_, failed = parsed(text(env.stdout))
    assert failed["event"] == "failed"
    assert failed["reason"].startswith("the echo is not what was played: similarity 0.0")


async def test_an_unwritable_recording(tmp_path: Path) -> None:
    async with command("demo", "--json", "--record", str(tmp_path / "missing" / "echo.wav")) as run:
        assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["failed"]
