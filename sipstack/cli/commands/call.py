"""``sipstack call``: place one call."""

from __future__ import annotations

from pathlib import Path

import attrs
import click

from sipstack.cli.command import TeachingCommand
from sipstack.cli.conversation import Plan, check_writable
from sipstack.cli.dialling import dial
from sipstack.cli.environment import Environment
from sipstack.cli.options import Identity, Output, identity_options, output_options, seconds, uri, wav
from sipstack.cli.session import Session, run
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    (
        "play a file to extension 600, record what comes back, hang up after the file",
        "sipstack call sip:600@pbx.example.com --play hello.wav --record out.wav",
    ),
    (
        "as alice, whose password is asked for, for half a minute",
        "sipstack call sip:bob@example.com --from sip:alice@example.com --user alice --duration 30",
    ),
    (
        "in a script: give up after 20 s of ringing, results as JSON, messages in a capture file",
        "sipstack call sip:bob@192.0.2.7:5070 --ring-timeout 20 --duration 5 --json --pcap call.pcap",
    ),
)


@attrs.frozen
class Dialling:
    """One call to place."""

    identity: Identity
    target: str
    plan: Plan
    ring_timeout: float | None

    async def __call__(self, session: Session) -> None:
        check_writable(self.plan.record)
        async with session.agent(self.identity) as agent:
            await dial(session, agent, self.target, self.plan, self.ring_timeout)


@click.command("call", cls=TeachingCommand, examples=EXAMPLES)
@click.argument("target", type=uri)
@wav("--play", "Play this file, once.", must_exist=True)
@wav("--record", "Record what is heard into this file.")
@seconds(
    "--duration",
    "Hang up S seconds after the answer; without it, when --play is through or the peer hangs up.",
)
@seconds("--ring-timeout", "Give up when nobody answers in S seconds (exit code 4).")
@identity_options()
@output_options
@click.pass_obj
def call(
    environment: Environment,
    target: str,
    play: Path | None,
    record: Path | None,
    duration: float | None,
    ring_timeout: float | None,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Call TARGET, a SIP URI, and talk by WAV files."""
    plan = Plan(play=play, record=record, duration=duration)
    return run(environment, output, Dialling(identity, target, plan, ring_timeout))
