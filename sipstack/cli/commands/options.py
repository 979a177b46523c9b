"""``sipstack options``: ask a peer for its capabilities, or only whether it is there."""

from __future__ import annotations

import attrs
import click

from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, output_options, timeout_option, uri
from sipstack.cli.run import Run, run_command
from sipstack.cli.single_request import send_request
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("is it up? see the exit code", "sipstack options sip:pbx.example.com --timeout 2"),
    ("what does it support, with the messages shown", "sipstack options sip:bob@192.0.2.7:5070 --trace"),
    ("status and round trip as JSON", "sipstack options sip:pbx.example.com --json"),
)
SHOWN = ("Allow", "Supported", "Accept", "Allow-Events", "Server", "User-Agent")


@attrs.frozen
class QueryOptions:
    """One OPTIONS request."""

    identity: Identity
    target: str
    timeout: float | None

    async def __call__(self, run: Run) -> None:
        await send_request(
            run,
            self.identity,
            self.target,
            lambda agent: agent.options(self.target),
            self.timeout,
            *SHOWN,
        )


@click.command("options", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@timeout_option
@identity_options()
@output_options
@click.pass_obj
def options(
    environment: Environment, target: str, timeout: float | None, identity: Identity, output: Output
) -> ExitStatus:
    """Ask TARGET, a SIP URI, for its capabilities."""
    return run_command(environment, output, QueryOptions(identity, target, timeout))
