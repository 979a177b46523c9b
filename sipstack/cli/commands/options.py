"""``sipstack options``: ask a peer what it can do, or only whether it is there."""

from __future__ import annotations

import attrs
import click

from sipstack.cli.asking import ask
from sipstack.cli.command import TeachingCommand
from sipstack.cli.environment import Environment
from sipstack.cli.options import Identity, Output, identity_options, output_options, uri
from sipstack.cli.session import Session, run
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("is it up? the exit code tells", "sipstack options sip:pbx.example.com"),
    ("what does it support, with the messages shown", "sipstack options sip:bob@192.0.2.7:5070 --trace"),
    ("status and round trip as JSON", "sipstack options sip:pbx.example.com --json"),
)
SHOWN = ("Allow", "Supported", "Accept", "Allow-Events", "Server", "User-Agent")


@attrs.frozen
class Asking:
    """One OPTIONS request."""

    identity: Identity
    target: str

    async def __call__(self, session: Session) -> None:
        response = await ask(session, self.identity, self.target, lambda agent: agent.options(self.target))
        for name in SHOWN:
            value = ", ".join(response.headers.raw(name))
            if value:
                session.report.detail(name, value)


@click.command("options", cls=TeachingCommand, examples=EXAMPLES)
@click.argument("target", type=uri)
@identity_options()
@output_options
@click.pass_obj
def options(environment: Environment, target: str, identity: Identity, output: Output) -> ExitStatus:
    """Ask TARGET, a SIP URI, for its capabilities."""
    return run(environment, output, Asking(identity, target))
