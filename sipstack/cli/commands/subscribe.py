"""``sipstack subscribe``: watch the state of somebody, such as a mailbox or a lamp."""

from __future__ import annotations

import asyncio

import attrs
import click

import sipstack
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, output_options, uri
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    (
        "the waiting messages of a mailbox, until Ctrl-C",
        "SIPSTACK_PASSWORD=secret sipstack subscribe sip:600@pbx.example.com message-summary "
        "--from sip:600@pbx.example.com",
    ),
    (
        "the calls of an extension, as a lamp shows them",
        "sipstack subscribe sip:bob@pbx.example.com dialog --json",
    ),
    ("is somebody there? see it once", "sipstack subscribe sip:bob@example.com presence --once"),
)


@attrs.frozen
class Watch:
    """One subscription. ``once`` ends it with the first notification."""

    identity: Identity
    target: str
    event: str
    expires: int | None
    once: bool

    async def __call__(self, run: Run) -> None:
        local, remote = self.identity.aor, self.target
        async with run.agent(self.identity) as agent:
            async with agent.subscribe(remote, self.event, expires=self.expires) as subscription:
                run.report(Event("subscribed", local=local, remote=remote))
                with run.report.waiting("subscribed"):
                    await self._follow(run, subscription)
        run.report(Event("unsubscribed", local=local, remote=remote))

    async def _follow(self, run: Run, subscription: sipstack.Subscription) -> None:
        clock = asyncio.get_running_loop().time
        async for notification in subscription:
            left = subscription.expires_at
            run.report(
                Event(
                    "notified",
                    call_id=notification.request.call_id,
                    local=self.identity.aor,
                    remote=self.target,
                    reason=" ".join(filter(None, (notification.state, notification.reason))),
                    expires_in=None if left is None else round(left - clock(), 1),
                    text=notification.body.decode("utf-8", "replace") or None,
                )
            )
            if self.once:
                return


@click.command("subscribe", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@click.argument("event")
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    metavar="S",
    help="Lifetime of the subscription in seconds, else that of the event; it is refreshed before it ends.",
)
@click.option("--once", is_flag=True, help="Leave after the first notification.")
@identity_options()
@output_options
@click.pass_obj
def subscribe(
    environment: Environment,
    target: str,
    event: str,
    expires: int | None,
    once: bool,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Subscribe to an EVENT of TARGET, a SIP URI, and show each notification until Ctrl-C.

    EVENT is the name of an event package (RFC 6665), such as message-summary, dialog, presence, reg or
    conference.
    """
    return run_command(environment, output, Watch(identity, target, event, expires, once))
