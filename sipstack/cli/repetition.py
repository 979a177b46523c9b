"""The options of a call that is repeated; ``Repetition`` is what they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

from sipstack.cli.options import Function, with_options


@attrs.frozen
class Repetition:
    """How many calls, how many a second, how many at a time; None for no limit."""

    calls: int
    rate: float | None = None
    parallel: int | None = 1
    junit: Path | None = None
    """The file of the report for CI systems."""


def repeat_options(function: Callable[..., Any]) -> Function:
    """Give a command the options of ``Repetition``, which it receives as ``repetition``; None without."""
    options = (
        click.option(
            "--repeat",
            type=click.IntRange(min=1),
            metavar="N",
            help="Place N calls and show a summary: how they ended, how long their set-up took. One after the"
            " other, unless --rate or --parallel is given. Exit code 1 when one of them failed. Give"
            " --duration or --play, or a call lasts until the other side hangs up.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(min=0, min_open=True),
            metavar="R",
            help="Begin R of them a second, however long they last.",
        ),
        click.option(
            "--parallel",
            type=click.IntRange(min=1),
            metavar="M",
            help="Have at most M of them at a time; those that this delays begin late. Else 1, with --rate"
            " any number.",
        ),
        click.option(
            "--junit",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Write how each of them ended as a JUnit report, for CI systems.",
        ),
    )

    @functools.wraps(function)
    def command(
        repeat: int | None, rate: float | None, parallel: int | None, junit: Path | None, **rest: Any
    ) -> Any:
        if repeat is None:
            for name, value in (("--rate", rate), ("--parallel", parallel), ("--junit", junit)):
                if value is not None:
                    raise click.UsageError(f"{name} is about several calls: give --repeat N as well")
            return function(repetition=None, **rest)
        if parallel is None and rate is None:
            parallel = 1
        return function(repetition=Repetition(repeat, rate, parallel, junit), **rest)

    return with_options(command, options)
