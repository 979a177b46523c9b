"""``sipstack calls redact``: delete who it was, and keep what it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.cli.evidence import evidence_of, files_argument
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.options import user_of
from sipstack.cli.status import ExitStatus
from sipstack.records.chain import CALL
from sipstack.records.commitment import Opening
from sipstack.records.record import PERSONAL
from sipstack.records.redacting import redact as redact_texts


def _date(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date: write 2026-11-27") from None


@click.command(
    "redact",
    cls=CommandWithExamples,
    examples=(
        ("somebody who asks for it", "sipstack calls redact calls.jsonl --who sip:alice@example.com"),
        (
            "all names of calls that ended before a day",
            "sipstack calls redact calls.jsonl --before 2026-01-01",
        ),
    ),
)
@files_argument
@click.option("--who", metavar="URI", help="Whoever has this URI, user name, number or IP address.")
@click.option("--call-id", metavar="ID", help="Both sides of this call.")
@click.option("--before", metavar="DATE", callback=_date, help="Of all calls that ended before it (UTC).")
@click.pass_obj
def redact(
    environment: Environment,
    files: tuple[Path, ...],
    who: str | None,
    call_id: str | None,
    before: int | None,
) -> ExitStatus:
    """Delete numbers, names and addresses for good. The records stay, and can be verified as before.

    It may be done while calls are recorded.
    """
    if who is None and call_id is None and before is None:
        raise click.UsageError("give --who, --call-id or --before: else nothing is deleted")
    chosen = _commitments(files, call_id, before)

    def concerned(opening: Opening) -> bool:
        return opening.commitment in chosen or (who is not None and _is(opening.text, who))

    try:
        count = sum(redact_texts(path, concerned) for path in files)
    except errors.StoreError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"{count} texts deleted", file=environment.stdout)
    return ExitStatus.DONE


def _commitments(files: tuple[Path, ...], call_id: str | None, before: int | None) -> set[str]:
    """Those of the calls that are meant."""
    if call_id is None and before is None:
        return set()
    bodies = [
        entry.body for chain in evidence_of(files).chains for _, entry in chain.entries if entry.kind == CALL
    ]
    meant = [body for body in bodies if body.get("call_id") == call_id or _is_before(body, before)]
    return {str(body.get(name)) for body in meant for name in PERSONAL}


def _is_before(body: dict[str, Any], before: int | None) -> bool:
    ended = body.get("ended")
    return before is not None and isinstance(ended, int) and ended < before


def _is(text: str, who: str) -> bool:
    """``text`` is a URI, a name, or an address and its port."""
    return who.lower() in (text.lower(), user_of(text).lower(), text.partition(" ")[0].lower())
