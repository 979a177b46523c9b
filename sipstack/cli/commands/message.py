"""``sipstack message``: send a text."""

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
    ("a text for bob", "sipstack message sip:bob@example.com 'Lunch at noon?'"),
    (
        "as alice, with a password, through a proxy",
        "SIPSTACK_PASSWORD=secret sipstack message sip:bob@example.com 'Hi' --from sip:alice@example.com "
        "--proxy sip:proxy.example.com",
    ),
)


@attrs.frozen
class SendMessage:
    """One MESSAGE request."""

    identity: Identity
    target: str
    text: str
    timeout: float | None

    async def __call__(self, run: Run) -> None:
        await send_request(
            run,
            self.identity,
            self.target,
            lambda agent: agent.message(self.target, self.text),
            self.timeout,
        )


@click.command("message", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@click.argument("text")
@timeout_option
@identity_options()
@output_options
@click.pass_obj
def message(
    environment: Environment,
    target: str,
    text: str,
    timeout: float | None,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Send TEXT to TARGET, a SIP URI.

    It travels as an instant message (RFC 3428), without a call.
    """
    return run_command(environment, output, SendMessage(identity, target, text, timeout))
