"""The output of a command while it runs: short lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import attrs
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from sipstack.cli.environment import Environment
from sipstack.cli.ladder import printable

STYLES = {
    "heading": "dim",
    "sent": "cyan",
    "received": "green",
    "failure": "red",
    "answered": "bold green",
    "registered": "bold green",
    "responded": "bold green",
    "compared": "bold green",
    "rejected": "bold red",
    "failed": "bold red",
    "interrupted": "bold yellow",
}
DURATIONS = {"answered": "after ", "responded": "after ", "registered": "for "}
FAILURES = ("rejected", "failed", "interrupted")  # these go to standard error
WITH_ADDRESSES = (
    "calling",
    "invited",
    "listening",
    "registered",
    "unregistered",
)  # with both addresses


@attrs.frozen
class Event:
    """One line of output. A field is ``None`` where it does not apply or is not known."""

    event: str
    call_id: str | None = None
    local: str | None = None
    remote: str | None = None
    status: int | None = None
    reason: str | None = None
    by: str | None = None
    """The side that ended the call: ``local``, ``remote``, ``timeout`` or ``transport``."""
    duration: float | None = None
    """Seconds: until the answer in ``answered`` and ``responded``, of the call in ``ended``."""
    codec: str | None = None
    packets_sent: int | None = None
    packets_received: int | None = None
    packets_lost: int | None = None
    jitter_ms: float | None = None


KEYS = tuple(field.name for field in attrs.fields(Event))


class Report(Protocol):
    """The output of a command."""

    def __call__(self, event: Event) -> None:
        """Write an event."""

    def detail(self, name: str, value: str) -> None:
        """Write one more line for people; programs read the event only."""

    def advise(self, text: str) -> None:
        """Write what people can try after a failure; programs get nothing."""

    def draw(self, line: str, style: str) -> None:
        """Write one line of the ladder to standard error."""

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        """Show the seconds that pass while the block runs, on a terminal."""


class JsonReport:
    """One JSON object a line on standard output, always with all of ``KEYS``."""

    def __init__(self, environment: Environment) -> None:
        self._stdout = environment.stdout
        self._stderr = environment.stderr

    def __call__(self, event: Event) -> None:
        self._stdout.write(json.dumps(attrs.asdict(event)) + "\n")
        self._stdout.flush()  # a reader follows while the command runs

    def detail(self, name: str, value: str) -> None:
        pass

    def advise(self, text: str) -> None:
        pass

    def draw(self, line: str, style: str) -> None:
        self._stderr.write(line + "\n")
        self._stderr.flush()

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        return nullcontext()


class HumanReport:
    """Lines with colours on a terminal, plain in a pipe. ``live`` allows a line that counts the seconds."""

    def __init__(self, environment: Environment, *, live: bool) -> None:
        plain = "NO_COLOR" in environment.variables
        self._out = Console(file=environment.stdout, no_color=plain, highlight=False, soft_wrap=True)
        self._err = Console(file=environment.stderr, no_color=plain, highlight=False, soft_wrap=True)
        self._live = live and self._out.is_terminal and not self._out.is_dumb_terminal

    def __call__(self, event: Event) -> None:
        console = self._err if event.event in FAILURES else self._out
        style = STYLES.get(event.event, "bold")
        console.print(Text.assemble((f"{event.event:<12}", style), printable(sentence(event))))

    def detail(self, name: str, value: str) -> None:
        self._out.print(Text(f"  {name:<14}{printable(value)}"))

    def advise(self, text: str) -> None:
        self._err.print(Text(f"{'':<12}{text}"))

    def draw(self, line: str, style: str) -> None:
        self._err.print(Text(line, style=STYLES[style]))

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        if not self._live:
            return nullcontext()
        progress = Progress(
            SpinnerColumn("line"),
            TextColumn(doing),
            TimeElapsedColumn(),
            console=self._out,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        progress.add_task(doing, total=None)
        return progress


def sentence(event: Event) -> str:
    """The event's fields in words, without its name."""
    return ", ".join(_parts(event))


def _parts(event: Event) -> Iterator[str]:
    if event.event in WITH_ADDRESSES:
        ends = (event.remote, event.local) if event.event == "invited" else (event.local, event.remote)
        yield " -> ".join(end for end in ends if end)
    if event.status or event.reason:
        yield " ".join(str(part) for part in (event.status, event.reason) if part)
    if event.by:
        yield f"by {event.by}"
    if event.duration is not None:
        seconds = f"{event.duration:.3g} s" if event.duration < 1 else f"{event.duration:.1f} s"
        yield DURATIONS.get(event.event, "") + seconds
    if event.codec:
        yield event.codec
    if event.packets_sent is not None:
        yield f"{event.packets_sent} packets sent"
        yield f"{event.packets_received} received"
        yield f"{event.packets_lost} lost"
        yield f"jitter {event.jitter_ms or 0:.1f} ms"
