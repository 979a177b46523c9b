"""Commands whose help ends with examples to copy and the meaning of the exit codes."""

from __future__ import annotations

from typing import Any

import click

from sipstack.cli.status import ExitStatus


class CommandWithExamples(click.Command):
    """A command with ``examples``: pairs of a purpose and a command line. A usage error shows the first."""

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


class GroupWithExitCodes(click.Group):
    """The program itself, whose help ends with the exit codes that all commands share."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_exit_codes(formatter)


def write_exit_codes(formatter: click.HelpFormatter) -> None:
    """Write the table of exit codes as a section."""
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(int(status)), status.meaning) for status in ExitStatus])
