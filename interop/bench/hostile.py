"""Minutes beside one who means harm: ``python -m interop.bench.hostile [--minutes 10] [--rate 2000]``.

A call with audio is under way all the time, which is held and resumed every few seconds; others are placed
and ended beside it. Meanwhile ``hostile_sender`` sends everything it can think of. Exit status 0 when the
call has lived and was heard all along, every other call got through, and memory was flat once transactions
ended as fast as others began.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs

from interop.bench import progress
from interop.bench.garbage import worst_pause
from interop.bench.hostile_sender import VICTIM
from interop.bench.hostile_server import PASSWORD, REALM, USER
from interop.bench.server import ROOT, Server, python
from sipstack import Call, Frame, SipError, UserAgent

INTERVAL = 2.0
"""Seconds between two looks: a good call, and what is heard."""
SETTLED = 40.0
"""Seconds until the memory of ended transactions is used again; in a long run half of it."""
GROWTH = 8.0
"""MB that memory may grow from then on: the noise of the allocator."""


@attrs.define
class Outcome:
    """What a run saw."""

    seconds: float = 0.0
    sent: int = 0
    good: list[float] = attrs.field(factory=list)
    """Seconds that each good call took to be answered."""
    wrong: list[str] = attrs.field(factory=list)
    """What should not have been, in words."""
    settled: float | None = None
    """MB of memory when it should have settled; None in a short run."""
    memory: float = 0.0
    """MB at the end."""
    pause: float = 0.0
    """Milliseconds that the event loop stood still at the worst."""

    @property
    def grown(self) -> float:
        return 0.0 if self.settled is None else self.memory - self.settled

    @property
    def clean(self) -> bool:
        """Whether all went well."""
        return bool(self.good) and not self.wrong and self.grown <= GROWTH

    def __str__(self) -> str:
        took = sorted(self.good) or [0.0]
        memory = "too short to judge memory" if self.settled is None else f"memory {self.grown:+.1f} MB"
        rate = self.sent / max(self.seconds, 1)
        return (
            f"{self.sent} hostile messages in {self.seconds:.0f} s, {rate:.0f}/s; "
            f"{len(self.good)} good calls, set up in {took[len(took) // 2] * 1e3:.0f} ms by half of them, "
            f"{took[-1] * 1e3:.0f} ms at the worst; longest pause of the loop {self.pause:.0f} ms; "
            f"{memory} to {self.memory:.0f} MB; wrong: {', '.join(self.wrong) or 'nothing'}"
        )


class Beside:
    """The good calls beside the hostile ones."""

    def __init__(self, agent: UserAgent, server: Server, outcome: Outcome) -> None:
        self._agent = agent
        self._server = server
        self._outcome = outcome
        self._target = f"sip:bob@127.0.0.1:{server.port}"

    async def suffer(self, rate: float, seconds: float) -> None:
        """The call that lives throughout, with the sender beside it."""
        async with self._agent.call(self._target) as call:
            speaking = asyncio.create_task(_speak(call))
            await asyncio.sleep(1)
            sender = _sender(self._server.port, call.id, rate, seconds)
            try:
                await self._look_on(call, seconds)
                self._outcome.sent = int((await asyncio.to_thread(sender.communicate, None, 30))[0])
            finally:
                sender.kill()
                sender.wait()
                speaking.cancel()
            await self._one_more()
        end = await call.ended()
        if end.by != "local":
            self._outcome.wrong.append(f"the call was ended by {end}")

    async def _look_on(self, call: Call, seconds: float) -> None:
        outcome, begun, heard = self._outcome, time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            await asyncio.gather(self._one_more(), self._hold(call), asyncio.sleep(INTERVAL))
            now = call.statistics.packets_received
            if now <= heard:
                outcome.wrong.append(f"nothing was heard at {passed:.0f} s")
            heard = now
            outcome.memory = self._server.resident_bytes / 2**20
            if outcome.settled is None and passed >= max(SETTLED, seconds / 2):
                outcome.settled = outcome.memory
            progress.show(f"{passed:5.0f} s  {outcome}")
        outcome.seconds = time.monotonic() - begun

    async def _one_more(self) -> None:
        """A call that is placed and ended."""
        begun = time.monotonic()
        try:
            async with self._agent.call(self._target):
                self._outcome.good.append(time.monotonic() - begun)
        except SipError as error:
            self._outcome.wrong.append(f"a call came to nothing: {error}")

    async def _hold(self, call: Call) -> None:
        try:
            await call.hold()
            await call.resume()
        except SipError as error:
            self._outcome.wrong.append(f"the call could not be held: {error}")


async def _speak(call: Call) -> None:
    frame = Frame(b"\x10\x00" * 160)
    while True:
        await call.audio.send(frame)


def _sender(port: int, call_id: str, rate: float, seconds: float) -> subprocess.Popen[bytes]:
    arguments = [str(port), call_id, str(rate), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-m", "interop.bench.hostile_sender", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


async def run(rate: float, seconds: float, folder: Path) -> Outcome:
    """One server, one call, one who means harm. Raises `StartError`."""
    outcome = Outcome()
    recipe = python("hostile", "interop.bench.hostile_server", "{port}")
    with Server(recipe, folder, core=None) as server:
        credentials = {REALM: (USER, PASSWORD)}
        async with UserAgent(
            f"sip:{USER}@127.0.0.1", credentials=credentials, listen=f"udp:{VICTIM}:0"
        ) as agent:
            await Beside(agent, server, outcome).suffer(rate, seconds)
        outcome.pause = worst_pause(server.output)
        if "Traceback" in server.output:
            outcome.wrong.append("an exception: " + server.output.strip().splitlines()[-1])
    return outcome


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.hostile", description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000, help="hostile messages a second")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcome = asyncio.run(run(options.rate, options.minutes * 60, Path(name)))
    progress.clear()
    sys.stdout.write(f"{outcome}\n")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
