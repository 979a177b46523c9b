"""``sipstack answer``: wait for calls and take, or refuse, them."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.command import TeachingCommand
from sipstack.cli.conversation import Plan, answer_of, check_writable, converse
from sipstack.cli.environment import Environment
from sipstack.cli.options import Identity, Output, identity_options, output_options, seconds, wav
from sipstack.cli.report import Event
from sipstack.cli.session import Session, run
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
class Answering:
    """How to treat calls, and how many."""

    identity: Identity
    plan: Plan
    ring: float | None
    reject: int | None
    calls: int | None

    async def __call__(self, session: Session) -> None:
        check_writable(self.plan.record)
        counter = Counter(self, session)
        async with session.agent(self.identity) as agent:
            async with agent.serving(counter.handle):
                session.report(Event("listening", local=agent.contact))
                await counter.finished.wait()


class Counter:
    """The calls that came; ``finished`` is set after the last one that was asked for."""

    def __init__(self, answering: Answering, session: Session) -> None:
        self.finished = asyncio.Event()
        self._answering = answering
        self._session = session
        self._numbers = itertools.count(1)
        self._over = 0

    async def handle(self, invitation: sipstack.Invitation) -> None:
        """Take one invitation; beyond the number of calls asked for, we are busy."""
        number = next(self._numbers)
        wanted = self._answering.calls
        if wanted is not None and number > wanted:
            await invitation.reject(486)
            return
        try:
            await self._treat(invitation, number)
        except asyncio.CancelledError:
            if invitation.cancelled:
                self._session.report(Event("cancelled", call_id=invitation.call_id, by="remote"))
            raise
        except errors.MediaError as error:
            self._session.stop(error)
        except errors.SipError as error:
            self._session.report(Event("failed", call_id=invitation.call_id, reason=str(error)))
        finally:
            self._over += 1
            if self._over == wanted:
                self.finished.set()

    async def _treat(self, invitation: sipstack.Invitation, number: int) -> None:
        answering, report = self._answering, self._session.report
        local, remote = str(invitation.to.uri), str(invitation.from_.uri)
        report(Event("invited", call_id=invitation.call_id, local=local, remote=remote))
        if answering.reject is not None:
            await invitation.reject(answering.reject)
            report(Event("rejected", call_id=invitation.call_id, status=answering.reject))
            return
        if answering.ring is not None:
            await invitation.progress(180)
            await asyncio.sleep(answering.ring)
        async with invitation.accept() as call:
            report(answer_of(call, answering.ring))
            await converse(self._session, call, _numbered(answering.plan, number))


def _numbered(plan: Plan, number: int) -> Plan:
    """The plan of call ``number``: from the second call on, the recording's name carries the number."""
    if plan.record is None or number == 1:
        return plan
    return attrs.evolve(plan, record=plan.record.with_stem(f"{plan.record.stem}-{number}"))


@click.command("answer", cls=TeachingCommand, examples=EXAMPLES)
@click.option("--echo", is_flag=True, help="Send back what is heard.")
@wav("--play", "Play this file, once.", must_exist=True)
@wav("--record", "Record what is heard; the second call goes to NAME-2.wav, and so on.")
@click.option(
    "--calls", type=click.IntRange(min=1), metavar="N", help="Leave after N calls; without it, serve on."
)
@seconds("--ring", "Let it ring for S seconds before answering.")
@click.option(
    "--reject", type=click.IntRange(300, 699), metavar="STATUS", help="Refuse calls with this status."
)
@seconds(
    "--duration",
    "Hang up S seconds after the answer; without it, when --play is through or the peer hangs up.",
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
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Wait for calls and answer them. Without --echo or --play the caller hears silence."""
    if echo and play:
        raise click.UsageError("--echo and --play exclude each other: give one of them")
    plan = Plan(play=play, record=record, echo=echo, duration=duration)
    return run(environment, output, Answering(identity, plan, ring, reject, calls))
