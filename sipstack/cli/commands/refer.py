"""``sipstack refer``: have a phone call somebody."""

from __future__ import annotations

import asyncio

import attrs
import click

from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, output_options, timeout_option, uri
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus, NoAnswer
from sipstack.cli.transfer import report_transfer

EXAMPLES = (
    ("have the phone on the desk call bob", "sipstack refer sip:desk@192.0.2.7 sip:bob@example.com"),
    (
        "only ask for it, and do not wait until bob answers",
        "sipstack refer sip:desk@192.0.2.7 sip:bob@example.com --no-notify",
    ),
)


@attrs.frozen
class Refer:
    """One REFER request."""

    identity: Identity
    target: str
    to: str
    notify: bool
    timeout: float | None

    async def __call__(self, run: Run) -> None:
        async with run.agent(self.identity) as agent:
            try:
                async with asyncio.timeout(self.timeout) as limit:
                    transferring = agent.referring(self.target, self.to, notify=self.notify)
                    await report_transfer(run, self.identity.aor, transferring)
            except TimeoutError:
                if limit.expired():
                    raise NoAnswer(f"no answer in {self.timeout:g} s") from None
                raise


@click.command("refer", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@click.argument("to", type=uri)
@click.option("--no-notify", is_flag=True, help="Do not ask to be told what becomes of the call (RFC 4488).")
@timeout_option
@identity_options()
@output_options
@click.pass_obj
def refer(
    environment: Environment,
    target: str,
    to: str,
    no_notify: bool,
    timeout: float | None,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Ask TARGET, a phone, to call TO, and wait until TO answers.

    Both are SIP URIs. It travels as a REFER outside of any call (RFC 3515), which many phones refuse.
    """
    return run_command(environment, output, Refer(identity, target, to, not no_notify, timeout))
