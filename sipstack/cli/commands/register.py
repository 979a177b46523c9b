"""``sipstack register``: bind our contact to an address-of-record, and keep the binding."""

from __future__ import annotations

import asyncio

import attrs
import click

import sipstack
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.options import ANONYMOUS, Identity, Output, identity_options, output_options, uri
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
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
RETRY = (1.0, 60.0)  # seconds: the first and the longest pause before another attempt


@attrs.frozen
class KeepRegistered:
    """Make one binding and keep it. ``once`` removes it as soon as it is made."""

    identity: Identity
    registrar: str
    expires: int
    once: bool

    async def __call__(self, run: Run) -> None:
        retry = None if self.once else sipstack.Backoff(*RETRY)
        async with run.agent(self.identity, registrar=self.registrar) as agent:
            async with agent.register(expires=self.expires, retry=retry) as registration:
                if registration.error is not None:
                    raise registration.error  # what has never worked is not retried
                await self._follow(run, registration)
        run.report(Event("unregistered", local=self.identity.aor))

    async def _follow(self, run: Run, registration: sipstack.Registration) -> None:
        """Report each state, until the registrar refuses for good."""
        clock = asyncio.get_running_loop().time
        with run.report.waiting("registered"):
            async for state in registration.states():
                if state.error is not None and not state.error.transient:
                    raise state.error
                if state.expires_at is not None:
                    left = round(state.expires_at - clock(), 1)
                    run.report(Event("registered", local=self.identity.aor, duration=left))
                else:
                    status = getattr(state.error, "status", None)
                    run.report(Event("lost", local=self.identity.aor, status=status, reason=str(state.error)))
                if self.once:
                    return


def addresses(target: str, aor: str) -> tuple[str, str]:
    """The address-of-record and the registrar that ``target`` and ``--from`` name.

    The registrar's URI has no user (RFC 3261 §10.2).
    """
    if "@" in target:
        if aor not in (ANONYMOUS, target):
            raise click.UsageError(f"{target} names a user, so it is what gets registered: leave out --from")
        scheme, _, rest = target.partition(":")
        return target, f"{scheme}:{rest.rpartition('@')[2]}"
    if aor == ANONYMOUS:
        user = target.replace(":", ":you@", 1)
        raise click.UsageError(f"who is to be registered? write: sipstack register {target} --from {user}")
    return aor, target


@click.command("register", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", metavar="REGISTRAR-or-AOR", type=uri)
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    default=600,
    metavar="S",
    show_default=True,
    help="Lifetime of the binding in seconds; it is refreshed before it ends.",
)
@click.option("--once", is_flag=True, help="Un-register and leave as soon as we are registered.")
@identity_options()
@output_options
@click.pass_obj
def register(
    environment: Environment, target: str, expires: int, once: bool, identity: Identity, output: Output
) -> ExitStatus:
    """Register, and stay registered until Ctrl-C.

    The argument is our address-of-record (sip:alice@example.com), whose domain is the registrar, or a
    registrar (sip:pbx.example.com), together with --from.
    """
    aor, registrar = addresses(target, identity.aor)
    return run_command(
        environment, output, KeepRegistered(attrs.evolve(identity, aor=aor), registrar, expires, once)
    )
