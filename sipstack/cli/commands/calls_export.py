"""``sipstack calls export``: the chains of several nodes in one file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sipstack.cli.environment import Environment
from sipstack.cli.evidence import evidence_of, files_argument, warn
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.ladder import printable
from sipstack.cli.status import ExitStatus
from sipstack.records.merging import exported


@click.command(
    "export",
    cls=CommandWithExamples,
    examples=(
        (
            "three nodes in one file, for an auditor",
            "sipstack calls export a.jsonl b.jsonl c.sqlite --output all.jsonl",
        ),
        ("to another program", "sipstack calls export calls.jsonl"),
    ),
)
@files_argument
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="A new file; else it goes to standard output.",
)
@click.pass_obj
def export(environment: Environment, files: tuple[Path, ...], output: Path | None) -> ExitStatus:
    """Merge the chains of several nodes in the order of time, with their signatures.

    Whom the calls were between is not in it: of numbers and names there are commitments alone.
    """
    evidence = evidence_of(files)
    content = b"".join(text + b"\n" for text in exported(evidence.chains))
    if output is None:
        environment.stdout.write(content.decode("utf-8", "replace"))
    else:
        _write_new(output, content)
    for finding in evidence.findings.all:
        if finding.kind == "duplicate":
            click.echo(printable(str(finding)), file=environment.stderr)
    warn(environment, evidence)
    return ExitStatus.DONE


def _write_new(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror or error}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
