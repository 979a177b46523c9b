"""``sipstack answer --workers N``: several processes that answer at one port."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, Self

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.cli.identity import Identity
from sipstack.cli.options import Output
from sipstack.cli.report import Event
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus, exit_status

MOST = 256


@attrs.frozen
class Worker:
    """One of ``count`` processes, number 0 the first, at a port that all of them have."""

    port: sipstack.SharedPort
    number: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether it does what is to be done once, such as registering."""
        return self.number == 0

    @property
    def call_numbers(self) -> Iterator[int]:
        """Numbers that no other worker gives."""
        return itertools.count(self.number + 1, self.count)

    def arguments(self, identity: Identity) -> dict[str, Any]:
        """What its user agent is made with."""
        return {
            "listen": self.port.listen,
            "network": self.port.network(self.number, identity.tls),
            "node": f"{identity.aor} {identity.listen[0]} worker {self.number}",
        }


class Working(Protocol):
    """A command that one worker carries out."""

    @property
    def identity(self) -> Identity: ...

    async def __call__(self, run: Run) -> None: ...

    def of(self, worker: Worker) -> Self:
        """The same for this worker."""


workers_option: Callable[[Any], Any] = click.option(
    "--workers",
    type=click.IntRange(min=1, max=MOST),
    metavar="N",
    help="Answer with N processes that share the port (UDP), such as one a processor. Calls are dealt out "
    "to them also where all come from one address; one that dies is started again.",
)


def check_workers(count: int, alone: Mapping[str, object], identity: Identity, output: Output) -> None:
    """Raise ``UsageError`` for options that only one process can follow. ``alone``: those of the command."""
    excluded = {**alone, "--pcap": output.pcap}
    given = next((name for name, value in excluded.items() if value is not None), None)
    if given is not None:
        raise click.UsageError(f"--workers excludes {given}: that is for one process")
    if len(identity.listen) > 1 or not identity.listen[0].lower().startswith("udp:"):
        raise click.UsageError("--workers share one UDP port: give --listen udp:HOST:PORT once")


def shared(limit: int | None, count: int) -> int | None:
    """What of a limit each worker has: they get about as many calls each."""
    return None if limit is None else -(-limit // count)


def run_workers(environment: Environment, output: Output, command: Working, count: int) -> ExitStatus:
    """Bind the port, and let ``count`` processes carry ``command`` out. What is wrong with it is told before
    any of them begins.
    """
    report = Run(environment, output).report
    try:
        port = sipstack.SharedPort(command.identity.listen[0], count)
    except errors.SipError as error:
        report(Event("failed", reason=str(error)))
        return exit_status(error) or ExitStatus.USAGE

    def work(number: int) -> int:
        port.become(number)
        return run_command(environment, output, command.of(Worker(port, number, count)))

    def told(ended: sipstack.WorkerEnded) -> None:
        if ended.retry_in is None:
            port.leave(ended.number)
            return
        reason = f"worker {ended.number + 1}: {ended.reason}"
        report(Event("died", reason=reason, retry_in=ended.retry_in))

    try:
        status = sipstack.Workers(count, work, told).run(ExitStatus.INTERRUPTED)
    finally:
        port.close()
    return next((each for each in ExitStatus if each == status), ExitStatus.FAILED)
