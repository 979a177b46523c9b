"""The output of a command while it runs: short lines for people, or one JSON object a line for programs.

What the objects say is documented in JSON.md, for programs that read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from sipstack.cli.bar import Count, bar, no_bar
from sipstack.cli.environment import Environment
from sipstack.cli.ladder import BOX, PLAIN, Pen, printable
from sipstack.cli.summary import details, headline
from sipstack.cli.words import in_words

STYLES = {
    "heading": "dim",
    "text": "dim",
    "sent": "cyan",
    "received": "green",
    "failure": "red",
    "answered": "bold green",
    "died": "bold red",
    "registered": "bold green",
    "responded": "bold green",
    "subscribed": "bold green",
    "published": "bold green",
    "compared": "bold green",
    "resumed": "bold green",
    "transferred": "bold green",
    "rejected": "bold red",
    "failed": "bold red",
    "unrecorded": "bold red",
    "interrupted": "bold yellow",
}
FAILURES = ("rejected", "failed", "interrupted", "unrecorded", "died")  # these go to standard error
WITH_ADDRESSES = (
    "calling",
    "held",
    "invited",
    "listening",
    "message",
    "notified",
    "published",
    "registered",
    "resumed",
    "subscribed",
    "transferring",
    "unpublished",
    "unregistered",
    "unsubscribed",
)  # with both addresses
INCOMING = ("invited", "message", "notified")  # from remote to local


@attrs.frozen
class Event:
    """One line of output. A field is ``None`` where it does not apply or is not known."""

    event: str
    call_id: str | None = None
    number: int | None = None
    """Which call it is, the first is 1, of those that ``answer`` receives or ``call --repeat`` places."""
    local: str | None = None
    remote: str | None = None
    status: int | None = None
    reason: str | None = None
    by: str | None = None
    """The side that ended the call: ``local``, ``remote``, ``timeout`` or ``transport``."""
    duration: float | None = None
    """Seconds from the answer to the end of a call."""
    answered_after: float | None = None
    """Seconds from the INVITE to its answer."""
    round_trip: float | None = None
    """Seconds from a single request to its final response."""
    expires_in: float | None = None
    """Seconds that a registration, a subscription or a publication is good for."""
    retry_in: float | None = None
    """Seconds until a registration that was lost is tried again, or a worker that died."""
    codec: str | None = None
    security: str | None = None
    """What protects the audio."""
    packets_sent: int | None = None
    packets_received: int | None = None
    packets_lost: int | None = None
    jitter_ms: float | None = None
    text: str | None = None
    """What an instant message or a notification says."""
    headers: Mapping[str, str] | None = None
    """Header fields of a response that tell more; several values of one are separated by commas."""
    summary: Mapping[str, Any] | None = None
    """The figures of many calls."""


FIELDS = tuple(field.name for field in attrs.fields(Event))
KEYS = ("event", "time", *FIELDS[1:])


class Teller(Protocol):
    """What a call needs to tell how it goes."""

    def __call__(self, event: Event) -> None:
        """Write an event."""

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        """Show the seconds that pass while the block runs, on a terminal."""


class Report(Teller, Protocol):
    """The output of a command."""

    def advise(self, text: str) -> None:
        """Write what people can try after a failure; programs get nothing."""

    def draw(self, line: str, style: str) -> None:
        """Write one line of the ladder to standard error."""

    @property
    def pen(self) -> Pen:
        """The characters to draw the ladder with."""

    def counting(self, total: int) -> AbstractContextManager[Count]:
        """Show how many of ``total`` calls are over while the block runs, on a terminal."""


class Reporting(Protocol):
    """Who carries out calls: a run, or one call of many in it."""

    @property
    def report(self) -> Teller: ...

    call_id: str | None
    """That of the call that is placed, since it is known."""


class JsonReport:
    """One JSON object a line on standard output, always with all of ``KEYS``."""

    def __init__(self, environment: Environment) -> None:
        self._stdout = environment.stdout
        self._stderr = environment.stderr
        self._wall_clock = environment.wall_clock
        self.pen = pen_for(environment)

    def __call__(self, event: Event) -> None:
        time = datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds")
        fields = {name: getattr(event, name) for name in FIELDS}
        self._stdout.write(json.dumps({"event": event.event, "time": time} | fields) + "\n")
        self._stdout.flush()  # a reader follows while the command runs

    def advise(self, text: str) -> None:
        pass

    def draw(self, line: str, style: str) -> None:
        self._stderr.write(line + "\n")
        self._stderr.flush()

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        return nullcontext()

    def counting(self, total: int) -> AbstractContextManager[Count]:
        return no_bar()


class HumanReport:
    """Lines with colours on a terminal, plain in a pipe. ``live`` allows a line that counts the seconds."""

    def __init__(self, environment: Environment, *, live: bool) -> None:
        plain = "NO_COLOR" in environment.variables
        self._out = Console(file=environment.stdout, no_color=plain, highlight=False, soft_wrap=True)
        self._err = Console(file=environment.stderr, no_color=plain, highlight=False, soft_wrap=True)
        self._live = live and _is_live(self._out)
        self._counts = live and _is_live(self._err)
        self.pen = pen_for(environment)

    def __call__(self, event: Event) -> None:
        console = self._err if event.event in FAILURES else self._out
        head, text = f"{event.event:<11} ", printable(sentence(event))
        if console.is_terminal:
            console.print(Text.assemble((head, STYLES.get(event.event, "bold")), text))
        else:  # at a hundredth of what rich takes, who answers many calls a second
            console.file.write(f"{head}{text}\n")
            console.file.flush()
        for name, value in (event.headers or {}).items():
            console.print(Text(f"  {name:<14}{printable(value)}"))
        for name, value in details(event.summary) if event.summary else ():
            console.print(Text(f"  {name:<14}{value}"))
        for line in (event.text or "").splitlines():
            console.print(Text(f"  {printable(line)}"))

    def advise(self, text: str) -> None:
        self._err.print(Text(f"{'':<12}{printable(text)}"))

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

    def counting(self, total: int) -> AbstractContextManager[Count]:
        """Where failures are told, so that these stand above it."""
        return bar(self._err, total) if self._counts else no_bar()


def _is_live(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def pen_for(environment: Environment) -> Pen:
    """Box drawing on a terminal that has the characters; a file or a pipe may be read anywhere."""
    encoding = (getattr(environment.stderr, "encoding", None) or "").lower().replace("-", "")
    return BOX if environment.stderr.isatty() and encoding == "utf8" else PLAIN


def sentence(event: Event) -> str:
    """The event's fields in words, without its name."""
    return ", ".join(_parts(event))


def _parts(event: Event) -> Iterator[str]:
    if event.number is not None:
        yield f"call {event.number}"
    if event.summary is not None:
        yield from headline(event.summary)
        return
    if event.event in WITH_ADDRESSES:
        ends = (event.remote, event.local) if event.event in INCOMING else (event.local, event.remote)
        yield " -> ".join(end for end in ends if end)
    elif event.number is not None and event.remote:
        yield f"from {event.remote}"
    if event.status or event.reason:
        yield " ".join(str(part) for part in (event.status, event.reason) if part)
    if event.by:
        yield f"by {event.by}"
    after = event.answered_after if event.answered_after is not None else event.round_trip
    if after is not None:
        yield f"after {in_words(after)}"
    if event.expires_in is not None:
        yield f"for {in_words(event.expires_in)}"
    if event.retry_in is not None:
        yield f"again in {in_words(event.retry_in)}"
    if event.duration is not None:
        yield in_words(event.duration)
    if event.codec:
        yield event.codec
    if event.security:
        yield event.security
    if event.packets_sent is not None:
        yield f"{event.packets_sent} packets sent"
        yield f"{event.packets_received} received"
        yield f"{event.packets_lost} lost"
        yield f"jitter {event.jitter_ms or 0:.1f} ms"
