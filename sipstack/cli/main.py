"""The program ``sipstack``: reads the command line and gives an exit code."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence

import click

import sipstack
from sipstack.cli.commands.agent import agent
from sipstack.cli.commands.answer import answer
from sipstack.cli.commands.call import call
from sipstack.cli.commands.calls import calls
from sipstack.cli.commands.demo import demo
from sipstack.cli.commands.message import message
from sipstack.cli.commands.options import options
from sipstack.cli.commands.publish import publish
from sipstack.cli.commands.refer import refer
from sipstack.cli.commands.register import register
from sipstack.cli.commands.subscribe import subscribe
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples, GroupWithExitCodes
from sipstack.cli.ladder import printable
from sipstack.cli.status import ExitStatus

BUG = 1
"""The exit code of a program that an exception ended, as Python has it. It is that of failed calls too: these
are told of, and a summary precedes it."""


@click.group(cls=GroupWithExitCodes)
@click.version_option(sipstack.__version__, message="sipstack %(version)s")
def program() -> None:
    """A softphone for the command line: test calls, scripts and demonstrations.

    Begin with `sipstack demo`, which needs nothing but this machine. The help of each command shows examples:
    `sipstack call --help`.
    """


for command in (demo, call, answer, agent, register, refer, options, message, subscribe, publish, calls):
    program.add_command(command)


def main(arguments: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run the program with ``arguments`` (default: the process's own) and return its exit code."""
    environment = environment or Environment.of_process()
    with contextlib.redirect_stdout(environment.stdout), contextlib.redirect_stderr(environment.stderr):
        try:
            return int(program.main(arguments, "sipstack", standalone_mode=False, obj=environment))
        except click.UsageError as error:
            error.show(environment.stderr)
            _show_example(error, environment)
            return ExitStatus.USAGE
        except (KeyboardInterrupt, click.Abort):
            return ExitStatus.INTERRUPTED
        except Exception:  # a bug of ours, whose text may quote what a stranger sent
            lines = traceback.format_exc().splitlines()
            environment.stderr.write("\n".join(map(printable, lines)) + "\n")
            return BUG


def _show_example(error: click.UsageError, environment: Environment) -> None:
    if error.ctx is not None and isinstance(error.ctx.command, CommandWithExamples):
        _, line = error.ctx.command.examples[0]
        click.echo(f"For example: {line}", file=environment.stderr)
