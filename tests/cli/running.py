"""Whole commands beside a test: in a thread of this process, or in a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import sipstack
from sipstack.cli.environment import Callback
from sipstack.cli.main import main
from sipstack.cli.report import KEYS
from tests.cli.streams import environment, text

TIMEOUT = 30.0  # seconds: far more than any of these commands takes
ANY_PORT = ("--listen", "udp:127.0.0.1:0")

EventFields = dict[str, Any]


def parsed(output: str) -> list[EventFields]:
    """The events of a run with ``--json``; every line must be an object with exactly the promised keys."""
    said = [json.loads(line) for line in output.splitlines()]
    assert all(tuple(event) == KEYS for event in said)
    return said


class Command:
    """A command in a thread, with an event loop and signals of its own."""

    def __init__(self, arguments: tuple[str, ...], variables: Mapping[str, str] | None) -> None:
        self.environment = environment(variables=variables, signals=self._signals)
        self._task = asyncio.create_task(asyncio.to_thread(main, arguments, self.environment))
        self._wired: tuple[asyncio.AbstractEventLoop, Callback] | None = None

    @contextlib.contextmanager
    def _signals(self, interrupted: Callback) -> Iterator[None]:
        self._wired = (asyncio.get_running_loop(), interrupted)
        try:
            yield
        finally:
            self._wired = None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        if self._wired is not None:
            loop, interrupted = self._wired
            loop.call_soon_threadsafe(interrupted)

    @property
    def stderr(self) -> str:
        return text(self.environment.stderr)

    @property
    def events(self) -> list[EventFields]:
        """The events so far, of a command with ``--json``."""
        return parsed(text(self.environment.stdout).rpartition("\n")[0])

    @property
    def event_names(self) -> list[str]:
        """The names of the events so far."""
        return [event["event"] for event in self.events]

    async def event(self, name: str, number: int = 1) -> EventFields:
        """Wait for the first event of this name, or the one with this number."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                named = [event for event in self.events if event["event"] == name]
                if len(named) >= number:
                    return named[number - 1]
                assert not self._task.done(), f"ended without {name}: {self.events} {self.stderr}"
                await asyncio.sleep(0.01)

    async def status(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(TIMEOUT):
            return await self._task

    async def close(self) -> None:
        """Interrupt what still runs."""
        if not self._task.done():
            self.interrupt()
        async with asyncio.timeout(TIMEOUT):
            await asyncio.wait([self._task])


@contextlib.asynccontextmanager
async def command(*arguments: str, variables: Mapping[str, str] | None = None) -> AsyncIterator[Command]:
    """Run ``sipstack ARGUMENTS`` in a thread while the block runs."""
    running = Command(arguments, variables)
    try:
        yield running
    finally:
        await running.close()


@contextlib.asynccontextmanager
async def process(
    *arguments: str, variables: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[Process]:
    """Run ``python -m sipstack ARGUMENTS`` in a process of its own while the block runs."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sipstack", *arguments, stdout=PIPE, stderr=PIPE, env=variables, **more
    )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.communicate()


async def line(running: Process, name: str) -> EventFields:
    """The next event of this name on the process's standard output."""
    assert running.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        async for raw in running.stdout:
            (said,) = parsed(raw.decode())
            if said["event"] == name:
                return said
    raise AssertionError(f"no event {name}")


async def outcome(running: Process) -> tuple[int | None, list[EventFields], str]:
    """Wait for the end: the exit code, the events not read yet, and standard error."""
    async with asyncio.timeout(TIMEOUT):
        output, errors = await running.communicate()
    return running.returncode, parsed(output.decode()), errors.decode()


@contextlib.asynccontextmanager
async def agent(name: str = "bob", **more: Any) -> AsyncIterator[sipstack.UserAgent]:
    """A user agent of this process, on loopback."""
    async with sipstack.UserAgent(f"sip:{name}@127.0.0.1", listen="udp:127.0.0.1:0", **more) as running:
        yield running


async def echo(invitation: sipstack.Invitation) -> None:
    """Answer and send back what is heard."""
    async with invitation.accept() as call:
        async for frame in call.audio:
            await call.audio.send(frame)


def write_tune(path: Path, repeat: int = 1) -> Path:
    """A WAV file with the melody."""
    import wave

    source = sipstack.melody()
    pcm = b"".join(iter(lambda: source.read() or b"", b""))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, source.sample_rate, 0, "NONE", ""))
        file.writeframes(pcm * repeat)
    return path
