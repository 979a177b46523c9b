"""A call with audio survives the death of our process (kill -9), with Asterisk at the other end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import answering, hear_tone, next_call
from interop.asterisk.phones import THEIR_TONE
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from interop.asterisk.survivor import OUR_TONE
from interop.ports import free_port
from interop.processes import ended_with_us

PATIENCE = 15.0
AUDIO_BACK = 2.0
"""Seconds from the start until the tone is heard again, Python's own start not counted."""
HELD = 1.0
"""Seconds that Asterisk holds us: at 50 packets a second, enough to hear whether we fall silent."""
MILLIWATT = 1004  # Hz


@attrs.frozen
class Survivor:
    """A phone that can be started again, at the same port, with what it kept."""

    name: str
    folder: Path
    target: str
    hertz: int
    port: int = attrs.field(factory=free_port)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[asyncio.subprocess.Process]:
        arguments = (self.name, str(self.port), str(self.folder), self.target, str(self.hertz))
        command = (*ended_with_us(), sys.executable, "-m", "interop.asterisk.survivor", *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def dies(self) -> None:
        """Once its call is up, by kill -9."""
        async with self.started() as process:
            await says(process, "hears the tone")
            process.kill()
            await process.wait()

    async def has_one_record(self) -> None:
        listing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipstack", "calls", "list", str(self.folder / "calls.jsonl")),
            stdout=subprocess.PIPE,
        )
        listed, _ = await listing.communicate()
        assert listed.count(b"\n") == 1
        assert b"ended by the other side" in listed


async def says(process: asyncio.subprocess.Process, expected: str) -> float:
    """Wait until it says so; returns when that was."""
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while (line := (await process.stdout.readline()).decode().strip()) != expected:
            assert line, f"it ended before it said {expected!r}, after {said}"
            said.append(line)
    return asyncio.get_running_loop().time()


async def ends(process: asyncio.subprocess.Process) -> None:
    """The BYE of Asterisk is answered, and there is nothing left to do."""
    await says(process, "ended by remote")
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0


async def test_a_call_with_audio_survives_kill_9(asterisk: Asterisk, tmp_path: Path) -> None:
    survivor = Survivor("open", tmp_path, asterisk.uri("milliwatt"), MILLIWATT)
    await survivor.dies()
    assert len(await asterisk.channels()) == 1  # it has noticed nothing
    async with survivor.started() as process:
        began = await says(process, "ready")
        assert await says(process, "hears the tone again") - began < AUDIO_BACK
        await says(process, "hears the tone")  # after hold and resume: its CSeq is one that Asterisk takes
        (channel,) = await asterisk.channels()
        await asterisk.cli(f"channel request hangup {channel}")
        await ends(process)
    await asterisk.idle()
    await survivor.has_one_record()


@pytest.mark.parametrize("dead", [False, True], ids=["held-afterwards", "held-while-dead"])
async def test_the_hold_and_the_bye_of_asterisk_are_answered_after_kill_9(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path, dead: bool
) -> None:
    """Bob holds: Asterisk passes that on by re-INVITEs in the dialog that the dead process had. One that
    nobody answers comes again.
    """
    survivor = Survivor("held", tmp_path, asterisk.uri("dial-bob"), THEIR_TONE)
    music = write_wav(tmp_path / "theirs.wav", tone(THEIR_TONE, 1.0))
    bob = agent("bob")
    async with bob, bob.register(), answering(bob) as calls:
        dying = asyncio.create_task(survivor.dies())
        call = await next_call(calls)
        async with call.playing(music, loop=True):
            await dying
            if dead:
                await call.hold()
            async with survivor.started() as process:
                began = await says(process, "ready")
                assert await says(process, "hears the tone again") - began < AUDIO_BACK
                await says(process, "hears the tone")
                if not dead:
                    await hear_tone(call.audio, OUR_TONE)
                    await call.hold()
                await says(process, "is held")
                await asyncio.sleep(HELD)
                await call.resume()
                await says(process, "was silent while held")
                await says(process, "hears the tone after being held")
                await hear_tone(call.audio, OUR_TONE)
                await call.hang_up()
                await ends(process)
    await survivor.has_one_record()
