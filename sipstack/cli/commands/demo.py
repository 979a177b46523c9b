"""``sipstack demo``: a whole call on this machine, checked by ear."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.command import TeachingCommand
from sipstack.cli.conversation import Plan, check_writable, echo
from sipstack.cli.dialling import dial
from sipstack.cli.environment import Environment
from sipstack.cli.options import Identity, Output, output_options, wav
from sipstack.cli.report import Event
from sipstack.cli.session import Session, run
from sipstack.cli.similarity import Comparison, compare, samples
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("does it work here? two agents call each other on this machine; exit code 0 means yes", "sipstack demo"),
    (
        "keep what came back, and the messages for Wireshark",
        "sipstack demo --record echo.wav --pcap demo.pcap",
    ),
    ("the figures as JSON", "sipstack demo --json"),
)
ENOUGH = 0.9  # the similarity from which on a listener would call it the same tune
TAIL = 0.6  # seconds to wait, after the tune, for its echo
RATE = 8000  # samples a second
LOOPBACK = "udp:127.0.0.1:0"
ALICE = Identity(LOOPBACK, "sip:alice@127.0.0.1", None, None, None)
BOB = Identity(LOOPBACK, "sip:bob@127.0.0.1", None, None, None)


@attrs.frozen
class Demonstration:
    """Alice plays a tune to Bob, who echoes it; what comes back must be the tune."""

    tune: Path
    record: Path

    async def __call__(self, session: Session) -> None:
        check_writable(self.record)
        seconds = write_tune(self.tune)
        plan = Plan(play=self.tune, record=self.record, duration=seconds + TAIL)
        async with session.agent(BOB, trace=None) as bob, session.agent(ALICE) as alice:
            async with bob.serving(answer_and_echo):
                await dial(session, alice, bob.contact, plan)
        verdict = await asyncio.to_thread(compare_files, self.tune, self.record)
        words = f"similarity {verdict.similarity:.3f}, delay {verdict.delay * 1000:.0f} ms"
        if verdict.similarity < ENOUGH:
            raise errors.MediaError(f"the echo is not what was played: {words}")
        session.report(Event("compared", reason=words))


async def answer_and_echo(invitation: sipstack.Invitation) -> None:
    """What Bob does with a call."""
    async with invitation.accept() as call:
        await echo(call)


def write_tune(path: Path) -> float:
    """Write the tune into a WAV file; how many seconds it lasts."""
    pcm = sipstack.melody(RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    return len(pcm) / 2 / RATE


def compare_files(played: Path, recorded: Path) -> Comparison:
    """Compare two WAV files of one channel."""
    tunes = []
    for path in (played, recorded):
        with wave.open(str(path), "rb") as file:
            tunes.append(samples(file.readframes(file.getnframes())))
    return compare(tunes[0], tunes[1], RATE)


@click.command("demo", cls=TeachingCommand, examples=EXAMPLES)
@wav("--record", "Keep what came back in this file.")
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
        tune = Path(folder, "tune.wav")
        return run(environment, output, Demonstration(tune, record or Path(folder, "echo.wav")))
