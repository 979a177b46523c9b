"""``sipstack answer``: wait for calls and messages, and accept or refuse them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.call_audio import Handset, audio_option, check_handset, check_talk
from sipstack.cli.call_plan import CallPlan, answered_event, carry_out, check_writable, numbered, prepared
from sipstack.cli.codec import codec_option
from sipstack.cli.draining import Leaving, drain_option
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import (
    Output,
    announced,
    check_other_file,
    output_options,
    played,
    recorded,
    seconds,
)
from sipstack.cli.records_option import records_option
from sipstack.cli.registering import EXPIRES, follow, register_option, registered, registered_as
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.sessions import Sessions, going_on, store_options
from sipstack.cli.srtp import Security, srtp_options
from sipstack.cli.status import ExitStatus
from sipstack.cli.workers import Worker, check_workers, run_workers, shared, workers_option
from sipstack.until_first import until_first

EXAMPLES = (
    ("an echo service at port 5060, until Ctrl-C", "sipstack answer --echo"),
    (
        "ring for 3 s, play a greeting, record, and leave after one call",
        "sipstack answer --ring 3 --play greeting.wav --record message.wav --duration 30 --calls 1",
    ),
    (
        "a number that is not in service: say so, and refuse",
        "sipstack answer --announce greeting.wav --reject 404",
    ),
    (
        "more calls than one processor can carry: four processes at one port",
        "sipstack answer --echo --workers 4",
    ),
    (
        "a phone of a PBX: registered as alice, whose password is asked for",
        "sipstack answer --register --from sip:alice@pbx.example.com --user alice --echo",
    ),
)


@attrs.frozen
class AnswerCalls:
    """The plan for each call, and the number of calls. With a ``registrar`` we register as well."""

    identity: Identity
    plan: CallPlan
    ring: float | None
    reject: int | None
    calls: int | None
    registrar: str | None
    limits: sipstack.Limits = attrs.field(factory=sipstack.Limits)
    security: Security = Security()
    codecs: tuple[str, ...] = ()
    announce: Path | None = None
    """Played before a call is answered or refused."""
    sessions: Sessions = Sessions()
    records: Path | None = None
    drain: float | None = None
    """Seconds that calls have to end once we are told to leave; None: they are hung up."""
    worker: Worker | None = None
    """Which of several processes we are."""

    async def __call__(self, run: Run) -> None:
        check_writable(self.plan.record)
        await check_handset(self.plan.audio)
        run.security, run.codecs, run.records = self.security, self.codecs, self.records
        counter = CallCounter(self, run)
        messages = Messages(run)
        kept = self.sessions.arguments(self.identity, going_on(run, self.plan, self.sessions))
        more = kept if self.worker is None else {**kept, **self.worker.arguments(self.identity)}
        async with run.agent(self.identity, registrar=self.registrar, limits=self.limits, **more) as agent:
            await self.sessions.end_old(run, agent)
            async with agent.serving(counter.handle, requests={"MESSAGE": messages.take}):
                if self.worker is None or self.worker.is_first:
                    run.report(Event("listening", local=agent.contact))
                leaving = Leaving(run, self.drain)
                await until_first(self._finished(run, agent, counter.finished), leaving.asked())
                await leaving.drain(agent)
        if counter.error is not None:
            raise counter.error

    def of(self, worker: Worker) -> AnswerCalls:
        """The same for one of several processes, of which the first registers."""
        return attrs.evolve(self, worker=worker, registrar=self.registrar if worker.is_first else None)

    async def _finished(self, run: Run, agent: sipstack.UserAgent, finished: asyncio.Event) -> None:
        if self.registrar is None:
            await finished.wait()
        else:
            await self._registered(run, agent, finished)

    async def _registered(self, run: Run, agent: sipstack.UserAgent, finished: asyncio.Event) -> None:
        """Stay registered until the last call is over. Raises what ends the registration for good."""
        async with registered(agent, EXPIRES) as registration:
            await until_first(finished.wait(), follow(run, registration, self.identity.aor))
        run.report(Event("unregistered", local=self.identity.aor))


class Messages:
    """Takes instant messages (RFC 3428) and shows them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def take(self, request: sipstack.IncomingRequest) -> None:
        """Show a text; refuse what is none."""
        kind = request.request.content_type
        if kind is not None and kind.type != "text":
            await request.respond(415, headers={"Accept": "text/plain"})
            return
        await request.respond(200)
        self._run.report(
            Event(
                "message",
                call_id=request.call_id,
                local=str(request.to.uri),
                remote=str(request.from_.uri),
                text=request.text,
            )
        )


class CallCounter:
    """Counts the calls; ``finished`` is set after the last one that was asked for."""

    def __init__(self, command: AnswerCalls, run: Run) -> None:
        self.finished = asyncio.Event()
        self.error: errors.MediaError | None = None
        """Of the first call whose media failed: it is one call's fault, and decides the exit code."""
        self._command = command
        self._run = run
        worker = command.worker
        self._numbers = itertools.count(1) if worker is None else worker.call_numbers
        self._ended = 0

    async def handle(self, invitation: sipstack.Invitation) -> None:
        """Handle one invitation; after the number of calls that was asked for, refuse with 486 Busy Here."""
        number = next(self._numbers)
        wanted = self._command.calls
        if wanted is not None and number > wanted:
            await invitation.reject(486)
            return
        about = Event(
            "invited",
            call_id=invitation.call_id,
            number=number,
            local=str(invitation.to.uri),
            remote=str(invitation.from_.uri),
        )
        try:
            await self._answer(invitation, about, number)
        except asyncio.CancelledError:
            if invitation.cancelled:
                self._run.report(attrs.evolve(about, event="cancelled", by="remote"))
            raise
        except errors.MediaError as error:
            self._failed(error, invitation.call_id)
        except errors.SipError as error:
            self._run.report(attrs.evolve(about, event="failed", reason=str(error)))
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

    async def _answer(self, invitation: sipstack.Invitation, about: Event, number: int) -> None:
        command, report = self._command, self._run.report
        clock = asyncio.get_running_loop().time
        began = clock()
        report(about)
        if command.ring is not None:
            await invitation.progress(180)
            await asyncio.sleep(command.ring)
        if command.announce is not None:
            await invitation.progress(183, early_media=True)
            report(attrs.evolve(about, event="announcing"))
            await invitation.play(command.announce)
        if command.reject is not None:
            await invitation.reject(command.reject)
            report(attrs.evolve(about, event="rejected", status=command.reject))
            return
        async with _ready(invitation, numbered(command.plan, number)) as plan, invitation.accept() as call:
            report(answered_event(call, clock() - began, number))
            await carry_out(self._run, call, plan, number)


@contextlib.asynccontextmanager
async def _ready(invitation: sipstack.Invitation, plan: CallPlan) -> AsyncIterator[CallPlan]:
    """The plan with its partner. It rings meanwhile; a partner that is not there costs the caller a 503."""
    async with contextlib.AsyncExitStack() as stack:
        if plan.partner is not None:
            await invitation.progress(180)
        try:
            plan = await stack.enter_async_context(prepared(plan))
        except errors.SipError:
            await invitation.reject(503)
            raise
        yield plan


@click.command("answer", cls=CommandWithExamples, examples=EXAMPLES)
@click.option("--echo", is_flag=True, help="Send back what is heard.")
@played("Play this file, once.")
@audio_option
@recorded("Record what is heard; the second call goes to NAME-2.wav, and so on.")
@click.option(
    "--calls",
    type=click.IntRange(min=1),
    metavar="N",
    help="Leave after N calls; else at Ctrl-C.",
)
@seconds("--ring", "Let it ring for S seconds before answering or refusing.")
@announced("Play this file before answering or refusing, as early media, after --ring.")
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
@workers_option
@drain_option
@register_option
@codec_option
@records_option
@srtp_options
@identity_options(listen="udp:0.0.0.0:5060")
@store_options
@output_options
@click.pass_obj
def answer(
    environment: Environment,
    echo: bool,
    play: Path | None,
    audio: Handset | None,
    record: Path | None,
    calls: int | None,
    ring: float | None,
    announce: Path | None,
    reject: int | None,
    duration: float | None,
    max_calls: int | None,
    max_calls_per_source: int | None,
    workers: int | None,
    drain: float | None,
    register: str | None,
    codecs: tuple[str, ...],
    records: Path | None,
    security: Security,
    identity: Identity,
    sessions: Sessions,
    output: Output,
) -> ExitStatus:
    """Wait for calls and answer them. Without --echo, --play or --audio the caller hears silence.

    Instant messages are taken and shown.
    """
    if echo and play:
        raise click.UsageError("--echo and --play exclude each other: give one of them")
    check_talk(audio, play, echo=echo)
    if workers is not None:
        alone = {"--calls": calls, "--record": record, "--audio": audio, "--records": records}
        check_workers(workers, alone, identity, output)
        max_calls, max_calls_per_source = shared(max_calls, workers), shared(max_calls_per_source, workers)
    limits = sipstack.Limits(calls=max_calls, calls_per_source=max_calls_per_source)
    plan = CallPlan(play=play, record=record, echo=echo, duration=duration, audio=audio)
    if reject is not None and plan != CallPlan():
        raise click.UsageError(
            "--reject excludes --echo, --play, --audio, --record and --duration:"
            " a call that is refused has no audio"
        )
    check_other_file(play, record)
    check_other_file(announce, record, "--announce")
    identity, registrar = registered_as(register, identity, "answer")
    command = AnswerCalls(
        identity, plan, ring, reject, calls, registrar, limits, security, codecs, announce, sessions, records
    )
    command = attrs.evolve(command, drain=drain)
    if workers is not None:
        return run_workers(environment, output, command, workers)
    return run_command(environment, output, command)
