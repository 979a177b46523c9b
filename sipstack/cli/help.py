"""Commands whose help ends with examples to copy and the meaning of the exit codes."""

from __future__ import annotations

from typing import Any

import click

from sipstack.cli.status import ExitStatus

TRACE_FULL = "--trace-full"
"""What ``--trace=full`` becomes."""


class CommandWithExamples(click.Command):
    """A command with ``examples``: pairs of a purpose and a command line. A usage error shows the first."""

    def __init__(self, *args: Any, examples: tuple[tuple[str, str], ...], **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--trace`` is a flag that may have a value: click would take the next argument for the value."""
        end = args.index("--") if "--" in args else len(args)
        options = [TRACE_FULL if each == "--trace=full" else each for each in args[:end]]
        return super().parse_args(ctx, options + args[end:])

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
