"""A progress bar for many calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Count = Callable[[int], None]
"""One more is done; the number says how many have failed so far."""


@contextlib.contextmanager
def bar(console: Console, total: int) -> Iterator[Count]:
    """Show how many are done while the block runs."""
    progress = Progress(
        TextColumn("calls"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = progress.add_task("calls", total=total, failed=0)
    with progress:
        yield lambda failed: progress.update(task, advance=1, failed=failed)


@contextlib.contextmanager
def no_bar() -> Iterator[Count]:
    """Where there is no terminal."""
    yield lambda failed: None
