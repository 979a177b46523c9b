"""``sipstack answer``: wait for calls, and accept or refuse them."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.call_plan import CallPlan, answered_event, carry_out, check_writable
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.options import Identity, Output, identity_options, output_options, seconds, wav
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("an echo service at port 5060, until Ctrl-C", "sipstack answer --echo"),
    (
        "ring for 3 s, play a greeting, record, and leave after one call",
        "sipstack answer --ring 3 --play greeting.wav --record message.wav --duration 30 --calls 1",
    ),
    (
        "a busy phone at another port, with the messages shown",
        "sipstack answer --listen udp:0.0.0.0:5070 --reject 486 --trace",
    ),
)


@attrs.frozen
class AnswerCalls:
    """The plan for each call, and the number of calls."""

    identity: Identity
    plan: CallPlan
    ring: float | None
    reject: int | None
    calls: int | None
    limits: sipstack.Limits = attrs.field(factory=sipstack.Limits)

    async def __call__(self, run: Run) -> None:
        check_writable(self.plan.record)
        counter = CallCounter(self, run)
        async with run.agent(self.identity, limits=self.limits) as agent:
            async with agent.serving(counter.handle):
                run.report(Event("listening", local=agent.contact))
                await counter.finished.wait()
        if counter.error is not None:
            raise counter.error


class CallCounter:
    """Counts the calls; ``finished`` is set after the last one that was asked for."""

    def __init__(self, command: AnswerCalls, run: Run) -> None:
        self.finished = asyncio.Event()
        self.error: errors.MediaError | None = None
        """Of the first call whose media failed: it is one call's fault, and decides the exit code."""
        self._command = command
        self._run = run
        self._numbers = itertools.count(1)
        self._ended = 0

    async def handle(self, invitation: sipstack.Invitation) -> None:
        """Handle one invitation; after the number of calls that was asked for, refuse with 486 Busy Here."""
        number = next(self._numbers)
        wanted = self._command.calls
        if wanted is not None and number > wanted:
            await invitation.reject(486)
            return
        try:
            await self._answer(invitation, number)
        except asyncio.CancelledError:
            if invitation.cancelled:
                self._run.report(Event("cancelled", call_id=invitation.call_id, by="remote"))
            raise
        except errors.MediaError as error:
            self._failed(error, invitation.call_id)
        except errors.SipError as error:
            self._run.report(Event("failed", call_id=invitation.call_id, reason=str(error)))
        finally:
            self._ended += 1
            if self._ended == wanted:
                self.finished.set()

    def _failed(self, error: errors.MediaError, call_id: str) -> None:
        """The media of a call failed. The others go on; that of the only call ends the command."""
        if self._command.calls == 1:
            self._run.stop(error)
            return
        self._run.report(Event("failed", call_id=call_id, reason=str(error)))
        self.error = self.error or error

    async def _answer(self, invitation: sipstack.Invitation, number: int) -> None:
        command, report = self._command, self._run.report
        local, remote = str(invitation.to.uri), str(invitation.from_.uri)
        report(Event("invited", call_id=invitation.call_id, local=local, remote=remote))
        if command.reject is not None:
            await invitation.reject(command.reject)
            report(Event("rejected", call_id=invitation.call_id, status=command.reject))
            return
        if command.ring is not None:
            await invitation.progress(180)
            await asyncio.sleep(command.ring)
        async with invitation.accept() as call:
            report(answered_event(call, command.ring))
            await carry_out(self._run, call, _numbered(command.plan, number))


def _numbered(plan: CallPlan, number: int) -> CallPlan:
    """The plan of call ``number``: from the second call on, the number is part of the recording's name."""
    if plan.record is None or number == 1:
        return plan
    return attrs.evolve(plan, record=plan.record.with_stem(f"{plan.record.stem}-{number}"))


@click.command("answer", cls=CommandWithExamples, examples=EXAMPLES)
@click.option("--echo", is_flag=True, help="Send back what is heard.")
@wav("--play", "Play this file, once.", must_exist=True)
@wav("--record", "Record what is heard; the second call goes to NAME-2.wav, and so on.")
@click.option(
    "--calls",
    type=click.IntRange(min=1),
    metavar="N",
    help="Leave after N calls; else at Ctrl-C.",
)
@seconds("--ring", "Let it ring for S seconds before answering.")
@click.option(
    "--reject", type=click.IntRange(300, 699), metavar="STATUS", help="Refuse calls with this status."
)
@seconds(
    "--duration",
    "Hang up S seconds after the answer; else at the end of the --play file, or when the peer hangs up.",
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=1),
    metavar="N",
    help="Refuse with 503 beyond N calls at a time; else beyond what 'ulimit -n' allows.",
)
@click.option(
    "--max-calls-per-source",
    type=click.IntRange(min=1),
    metavar="N",
    help="Refuse with 503 beyond N calls at a time from one IP address.",
)
@identity_options(listen="udp:0.0.0.0:5060")
@output_options
@click.pass_obj
def answer(
    environment: Environment,
    echo: bool,
    play: Path | None,
    record: Path | None,
    calls: int | None,
    ring: float | None,
    reject: int | None,
    duration: float | None,
    max_calls: int | None,
    max_calls_per_source: int | None,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Wait for calls and answer them. Without --echo or --play the caller hears silence."""
    if echo and play:
        raise click.UsageError("--echo and --play exclude each other: give one of them")
    limits = sipstack.Limits(calls=max_calls, calls_per_source=max_calls_per_source)
    plan = CallPlan(play=play, record=record, echo=echo, duration=duration)
    return run_command(environment, output, AnswerCalls(identity, plan, ring, reject, calls, limits))
