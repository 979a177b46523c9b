"""``sipstack publish``: tell a server a state of ours, which it tells to whoever has subscribed."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
from sipstack.ua.subscribing import as_package

EXAMPLES = (
    (
        "we are there, until Ctrl-C takes it back",
        "sipstack publish sip:alice@example.com --open --note 'At my desk' --from sip:alice@example.com",
    ),
    (
        "a state of another kind, from a file",
        "sipstack publish sip:alice@example.com dialog --file calls.xml --type application/dialog-info+xml",
    ),
)


@attrs.frozen
class KeepPublished:
    """One publication. ``once`` takes it back as soon as it is taken."""

    identity: Identity
    target: str
    package: sipstack.EventPackage
    state: object
    expires: int | None
    once: bool

    async def __call__(self, run: Run) -> None:
        local, remote = self.identity.aor, self.target
        async with run.agent(self.identity) as agent:
            block = agent.publish(remote, self.package, self.state, expires=self.expires)
            async with block as publication:
                left = (publication.expires_at or 0.0) - asyncio.get_running_loop().time()
                run.report(Event("published", local=local, remote=remote, expires_in=round(left, 1)))
                with run.report.waiting("published"):
                    if not self.once:
                        await publication.lost()
        run.report(Event("unpublished", local=local, remote=remote))


@click.command("publish", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@click.argument("event", default="presence")
@click.option("--open/--closed", "open_", default=None, help="Presence: whether we can be reached.")
@click.option("--note", default="", metavar="TEXT", help="Presence: in words.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    metavar="FILE",
    help="The state as it is to be sent.",
)
@click.option("--type", "content_type", metavar="TYPE", help="Media type of --file, else that of the event.")
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    metavar="S",
    help="Lifetime of the state in seconds, which is refreshed before it ends; else that of the event.",
)
@click.option("--once", is_flag=True, help="Take it back and leave as soon as it is taken.")
@identity_options()
@output_options
@click.pass_obj
def publish(
    environment: Environment,
    target: str,
    event: str,
    open_: bool | None,
    note: str,
    file: Path | None,
    content_type: str | None,
    expires: int | None,
    once: bool,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Publish our state at TARGET, a SIP URI, most often our own address, until Ctrl-C (RFC 3903).

    EVENT is the name of an event package, presence if not given.
    """
    package, state = _state(target, event, open_, note, file, content_type)
    return run_command(environment, output, KeepPublished(identity, target, package, state, expires, once))


def _state(
    target: str, event: str, open_: bool | None, note: str, file: Path | None, content_type: str | None
) -> tuple[sipstack.EventPackage, object]:
    """The package and its state. Raises UsageError."""
    known = as_package(event)
    if file is not None:
        return sipstack.EventPackage(event, content_type or known.content_type), file.read_bytes()
    if event != "presence" or (open_ is None and not note):
        raise click.UsageError("what is to be published? give --open or --closed, or --file with a state")
    tuples = () if open_ is None else (sipstack.PresenceTuple("t1", open_),)
    return known, sipstack.Presence(target, tuples, note)
