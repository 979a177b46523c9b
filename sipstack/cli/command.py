"""A command whose help teaches: examples to copy, and what its exit codes mean."""

from __future__ import annotations

from typing import Any

import click

from sipstack.cli.status import ExitStatus


class TeachingCommand(click.Command):
    """``examples`` are pairs of what is wanted and the line that does it; usage errors show the first."""

    def __init__(self, *args: Any, examples: tuple[tuple[str, str], ...], **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes below the options."""
        with formatter.section("Examples"):
            for purpose, line in self.examples:
                indent = " " * formatter.current_indent
                formatter.write(f"{indent}# {purpose}\n{indent}{line}\n")
        write_exit_codes(formatter)


class TeachingGroup(click.Group):
    """The program itself: its help ends with the exit codes, which all commands share."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_exit_codes(formatter)


def write_exit_codes(formatter: click.HelpFormatter) -> None:
    """The table of exit codes, in a section of its own."""
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(int(status)), status.meaning) for status in ExitStatus])
