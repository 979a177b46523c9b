"""``sipstack demo``: a whole call on this machine, whose audio is checked."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.audio_comparison import Comparison, compare, samples
from sipstack.cli.call_plan import CallPlan, check_writable, echo
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity
from sipstack.cli.options import Output, output_options, recorded
from sipstack.cli.outgoing_call import place_call
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("does it work here? two agents call each other on this machine; exit code 0 means yes", "sipstack demo"),
    (
        "keep what came back, and the messages for Wireshark",
        "sipstack demo --record echo.wav --pcap demo.pcap",
    ),
    ("the figures as JSON", "sipstack demo --json"),
)
ENOUGH = 0.9  # from this similarity on, a listener hears the same tune
TAIL = 0.6  # seconds to wait, after the tune, for its echo
RATE = 8000  # samples a second
LOOPBACK = "udp:127.0.0.1:0"
ALICE = Identity((LOOPBACK,), "sip:alice@127.0.0.1")
BOB = Identity((LOOPBACK,), "sip:bob@127.0.0.1")


@attrs.frozen
class Demonstration:
    """Alice plays a tune to Bob, who echoes it; Alice must hear the same tune."""

    record: Path
    bob: Callable[[sipstack.Invitation], Awaitable[None]]

    async def __call__(self, run: Run) -> None:
        check_writable(self.record)
        tune = pcm_of(sipstack.melody())
        seconds = len(tune) / 2 / RATE
        plan = CallPlan(play=sipstack.melody(), record=self.record, duration=seconds + TAIL)
        async with run.agent(BOB, trace=None, media=None) as bob, run.agent(ALICE) as alice:
            async with bob.serving(self.bob):
                await place_call(run, alice, bob.contact, plan)
        verdict = await asyncio.to_thread(compare_with_file, tune, self.record)
        words = f"similarity {verdict.similarity:.3f}, delay {verdict.delay * 1000:.0f} ms"
        if verdict.similarity < ENOUGH:
            raise errors.MediaError(f"the echo is not what was played: {words}")
        run.report(Event("compared", reason=words))


async def answer_and_echo(invitation: sipstack.Invitation) -> None:
    """Bob's handler of calls."""
    async with invitation.accept() as call:
        await echo(call)


def pcm_of(source: sipstack.AudioSource) -> bytes:
    """Everything that a source plays, as PCM."""
    return b"".join(iter(lambda: source.read() or b"", b""))


def compare_with_file(tune: bytes, recorded: Path) -> Comparison:
    """Compare PCM with a WAV file of one channel and the same sample rate."""
    with wave.open(str(recorded), "rb") as file:
        heard = file.readframes(file.getnframes())
    return compare(samples(tune), samples(heard), RATE)


@click.command("demo", cls=CommandWithExamples, examples=EXAMPLES)
@recorded("Keep what came back in this file.")
@output_options
@click.pass_obj
def demo(environment: Environment, record: Path | None, output: Output) -> ExitStatus:
    """Show a whole call on this machine.

    One agent plays a tune to another, which echoes it; what comes back is compared with what was played.
    Needs no network and no set-up, and takes some seconds. The messages are drawn as with --trace, except
    with --json.
    """
    output = attrs.evolve(output, trace=output.trace or not output.json)
    with tempfile.TemporaryDirectory() as folder:
        return run_command(
            environment, output, Demonstration(record or Path(folder, "echo.wav"), answer_and_echo)
        )
