"""Minutes of mixed calls at one user agent: ``python -m interop.bench.soak [--rate 500] [--minutes 20]``.

One quarter of the calls is answered, one refused, one cancelled while ringing, and one answered with the
first ACK lost. Once a minute a line tells the memory of the user agent's process: resident, and what Python
holds of it. At the end the load stops, every transaction runs out, and what is left over is printed, which
should be nothing. Exit status 0 when nothing is left, no call failed, and memory after the first quarter did
not grow by a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys

import attrs

from interop.bench.caller import Caller
from interop.bench.server import ROOT
from interop.ports import free_port

GROWTH = 1.10
DRAIN = 80.0  # seconds: 64*T1 for the last lost ACK, and again for the transactions that end it


@attrs.frozen
class Sample:
    """One line of the user agent's process: KB of memory, and what is alive in its core."""

    resident: int
    traced: int
    alive: int

    @classmethod
    def parse(cls, line: str) -> Sample:
        """From the three numbers that it prints."""
        resident, traced, alive = map(int, line.split())
        return cls(resident, traced, alive)


async def main(rate: int, minutes: float) -> int:
    """Returns the exit status."""
    port = free_port()
    command = [sys.executable, "-m", "interop.bench.soak_server", str(port)]
    server = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    await server.stdout.readline()  # it listens
    caller = Caller(("127.0.0.1", port))
    samples: list[Sample] = []
    load = asyncio.create_task(caller.run(rate, minutes * 60))
    try:
        while not load.done():
            await asyncio.wait([load], timeout=60)
            samples.append(await _sample(server.stdin, server.stdout))
            _print(f"{len(samples)} min", samples[-1], caller)
        await asyncio.sleep(DRAIN)
        last = await _sample(server.stdin, server.stdout)
        _print("drained", last, caller)
    finally:
        load.cancel()
        caller.close()
        server.terminate()
        await server.wait()
    return _judge(samples, last, caller)


async def _sample(to: asyncio.StreamWriter, of: asyncio.StreamReader) -> Sample:
    to.write(b"\n")
    return Sample.parse((await of.readline()).decode())


def _print(when: str, sample: Sample, caller: Caller) -> None:
    sys.stdout.write(
        f"{when:8} {caller.done:8} calls, {caller.failed} failed; resident {sample.resident} KB, "
        f"traced {sample.traced} KB, alive {sample.alive}\n"
    )
    sys.stdout.flush()


def _judge(samples: list[Sample], last: Sample, caller: Caller) -> int:
    settled = samples[len(samples) // 4]
    grown = samples[-1].resident > GROWTH * settled.resident or samples[-1].traced > GROWTH * settled.traced
    return int(grown or last.alive > 0 or caller.failed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m interop.bench.soak", description=__doc__)
    parser.add_argument("--rate", type=int, default=500, help="calls a second")
    parser.add_argument("--minutes", type=float, default=20.0)
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.rate, options.minutes)))
