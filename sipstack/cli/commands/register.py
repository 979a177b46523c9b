"""``sipstack register``: bind our contact to an address-of-record, and keep the binding."""

from __future__ import annotations

from pathlib import Path

import attrs
import click

from sipstack.cli.call_plan import CallPlan
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, output_options, uri
from sipstack.cli.records_option import records_option
from sipstack.cli.registering import EXPIRES, addresses, follow, registered
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.sessions import Sessions, going_on, store_options
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    (
        "stay registered until Ctrl-C, which removes the binding; the password is asked for",
        "sipstack register sip:alice@example.com --user alice",
    ),
    (
        "are these credentials right? register, un-register, see the exit code",
        "SIPSTACK_PASSWORD=secret sipstack register sip:alice@example.com --once",
    ),
    (
        "a registrar that is not the domain of the address",
        "sipstack register sip:pbx.example.net --from sip:alice@example.com --expires 120",
    ),
)


@attrs.frozen
class KeepRegistered:
    """Make one binding and keep it. ``once`` removes it as soon as it is made."""

    identity: Identity
    registrar: str
    expires: int
    once: bool
    sessions: Sessions = Sessions()
    records: Path | None = None

    async def __call__(self, run: Run) -> None:
        run.records = self.records
        kept = self.sessions.arguments(self.identity, going_on(run, CallPlan(), self.sessions))
        async with run.agent(self.identity, registrar=self.registrar, **kept) as agent:
            await self.sessions.end_old(run, agent)
            async with registered(agent, self.expires, once=self.once) as registration:
                with run.report.waiting("registered"):
                    await follow(run, registration, self.identity.aor, once=self.once)
        run.report(Event("unregistered", local=self.identity.aor))


@click.command("register", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", metavar="REGISTRAR-or-AOR", type=uri)
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    default=EXPIRES,
    metavar="S",
    show_default=True,
    help="Lifetime of the binding in seconds; it is refreshed before it ends.",
)
@click.option("--once", is_flag=True, help="Un-register and leave as soon as we are registered.")
@records_option
@identity_options()
@store_options
@output_options
@click.pass_obj
def register(
    environment: Environment,
    target: str,
    expires: int,
    once: bool,
    records: Path | None,
    identity: Identity,
    sessions: Sessions,
    output: Output,
) -> ExitStatus:
    """Register, and stay registered until Ctrl-C.

    The argument is our address-of-record (sip:alice@example.com), whose domain is the registrar, or a
    registrar (sip:pbx.example.com), together with --from or --user. Calls are
    refused meanwhile: to take them, use sipstack answer --register.
    """
    aor, registrar = addresses(target, identity.aor, identity.username)
    identity = attrs.evolve(identity, aor=aor)
    keep = KeepRegistered(identity, registrar, expires, once, sessions, records)
    return run_command(environment, output, keep)
