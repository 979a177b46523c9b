"""``sipstack calls``: look at call records."""

from __future__ import annotations

from pathlib import Path

import click

from sipstack.cli.call_lines import as_json, details, line
from sipstack.cli.commands.calls_export import export
from sipstack.cli.commands.calls_redact import redact
from sipstack.cli.commands.calls_verify import verify
from sipstack.cli.environment import Environment
from sipstack.cli.evidence import FILE, evidence_of, files_argument, json_option, warn
from sipstack.cli.help import CommandWithExamples, GroupWithExitCodes
from sipstack.cli.status import ExitStatus
from sipstack.records.record import CallRecord


@click.group("calls", cls=GroupWithExitCodes)
def calls() -> None:
    """Look at the records of calls that --records has kept, and verify them.

    FILE is that of --records, JSON lines or SQLite, or an export of several. 'sipstack calls verify' exits
    with 1 when something is wrong.
    """


@click.command(
    "list",
    cls=CommandWithExamples,
    examples=(
        ("the calls of two nodes, each once", "sipstack calls list node1.jsonl node2.jsonl"),
        ("for a program", "sipstack calls list calls.sqlite --json"),
    ),
)
@files_argument
@json_option
@click.pass_obj
def list_calls(environment: Environment, files: tuple[Path, ...], as_objects: bool) -> ExitStatus:
    """One line for each call, in the order in which they ended."""
    evidence = evidence_of(files)
    for call in evidence.calls:
        click.echo(as_json(call) if as_objects else line(call), file=environment.stdout)
    warn(environment, evidence)
    return ExitStatus.DONE


@click.command(
    "show",
    cls=CommandWithExamples,
    examples=(
        ("everything about one call", "sipstack calls show calls.jsonl 3f2a77c1@192.0.2.7"),
        (
            "by the Session-ID of a trace",
            "sipstack calls show calls.jsonl 089b7e5c2fa64a0b9fc0ad9b4c0d7b11",
        ),
    ),
)
@click.argument("file", type=FILE)
@click.argument("call_id", metavar="CALL-ID")
@json_option
@click.pass_obj
def show(environment: Environment, file: Path, call_id: str, as_objects: bool) -> ExitStatus:
    """All of one call, by its Call-ID or one half of its Session-ID."""
    evidence = evidence_of((file,))
    found = [call for call in evidence.calls if call_id in _names(call)]
    if not found:
        raise click.UsageError(f"there is no call {call_id} in {file}")
    for call in found:
        for text in (as_json(call),) if as_objects else details(call):
            click.echo(text, file=environment.stdout)
    warn(environment, evidence)
    return ExitStatus.DONE


def _names(call: CallRecord) -> tuple[str, ...]:
    return call.call_id, call.key, call.session_id[:32], call.session_id[-32:]


for command in (list_calls, show, verify, export, redact):
    calls.add_command(command)
