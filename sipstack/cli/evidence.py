"""What the commands of ``sipstack calls`` have in common: the files that they read."""

from __future__ import annotations

from pathlib import Path

import click

from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.records.reading import Evidence, read

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
json_option = click.option("--json", "as_objects", is_flag=True, help="Write one JSON object a line.")


def evidence_of(
    files: tuple[Path, ...],
    keys: tuple[str, ...] = (),
    signatures: Path | None = None,
    *,
    only_count: bool = False,
) -> Evidence:
    """Raises ``UsageError`` for what cannot be read."""
    try:
        from sipstack.records.signing import has_signed

        return read(files, has_signed, keys, signatures, only_count=only_count)
    except (errors.StoreError, errors.LocalProtocolError) as error:
        raise click.UsageError(str(error)) from None


def warn(environment: Environment, evidence: Evidence) -> None:
    """Whoever only looks is told as well."""
    wrong = sum(finding.wrong for finding in evidence.findings.all)
    if wrong:
        text = f"{wrong} things are wrong with these records: see 'sipstack calls verify'"
        click.echo(text, file=environment.stderr)
