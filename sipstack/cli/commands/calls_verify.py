"""``sipstack calls verify``: is it what its nodes have written?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from sipstack import errors
from sipstack.cli.call_lines import finding_as_json
from sipstack.cli.environment import Environment
from sipstack.cli.evidence import FILE, evidence_of, files_argument, json_option
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.ladder import printable
from sipstack.cli.status import ExitStatus

WRONG = 1
"""The exit code when something is wrong."""


@click.command(
    "verify",
    cls=CommandWithExamples,
    examples=(
        (
            "by the public key of the node, as an auditor has it",
            "sipstack calls verify calls.jsonl --key calls.jsonl.key.pub",
        ),
        (
            "an export of three nodes, of which none may be missing",
            "sipstack calls verify all.jsonl --key one.pub --key two.pub --key three.pub",
        ),
        (
            "against a copy of the signatures that was kept elsewhere",
            "sipstack calls verify calls.jsonl --key calls.jsonl.key.pub --signatures copy.sig",
        ),
    ),
)
@files_argument
@click.option(
    "--key",
    "keys",
    type=FILE,
    multiple=True,
    metavar="PEM",
    help="A public key of a node: all are believed, and none may be missing.",
)
@click.option("--signatures", type=FILE, metavar="SIG", help="In place of those that lie beside FILE.")
@json_option
@click.pass_obj
def verify(
    environment: Environment,
    files: tuple[Path, ...],
    keys: tuple[Path, ...],
    signatures: Path | None,
    as_objects: bool,
) -> int:
    """Find what was changed, left out, moved, cut off, or not signed.

    Exits with 0 when nothing is wrong, with 1 when something is, and says which line it is and how.
    """
    if signatures is not None and len(files) > 1:
        raise click.UsageError("--signatures is for one FILE: verify them one by one")
    evidence = evidence_of(files, tuple(map(_public_key, keys)), signatures, only_count=True)
    out = environment.stdout
    for finding in evidence.findings.all:
        click.echo(finding_as_json(finding) if as_objects else printable(str(finding)), file=out)
    wrong = evidence.findings.any_wrong
    entries = sum(chain.size for chain in evidence.chains)
    if as_objects:
        summary = {"verified": not wrong, "calls": evidence.count, "entries": entries}
        signers = sorted({key for chain in evidence.chains for key in chain.keys})
        click.echo(json.dumps(summary | {"chains": len(evidence.chains), "keys": signers}), file=out)
    else:
        verdict = "NOT as it was written" if wrong else "as it was written"
        click.echo(f"{evidence.count} calls in {len(evidence.chains)} chains: {verdict}", file=out)
        if not keys:
            text = "without --key: whoever may write these files could have begun them anew, and signed"
            click.echo(text, file=environment.stderr)
    return WRONG if wrong else ExitStatus.DONE


def _public_key(path: Path) -> str:
    try:
        from sipstack.records.signing import public_key

        return public_key(path.read_bytes())
    except (OSError, errors.SipError) as error:
        raise click.UsageError(f"--key {path}: {error}") from None
