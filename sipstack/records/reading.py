"""What there is at a path: the chain of a node in files or in SQLite, or an export of several."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from sipstack.errors import ParseError, StoreError
from sipstack.records.chain import Entry
from sipstack.records.checkpoint import Checkpoint
from sipstack.records.commitment import Opening
from sipstack.records.files import CLEAR, SIGNATURES, beside, segments_of
from sipstack.records.findings import Findings, Line
from sipstack.records.merging import is_export, look_for_order, split
from sipstack.records.record import PERSONAL, CallRecord
from sipstack.records.several import calls_of, look_for_nodes
from sipstack.records.sqlite import MAGIC, connected
from sipstack.records.verifying import Chain, HasSigned, verify


@attrs.define
class Evidence:
    """Everything that was found at some paths, looked at."""

    chains: list[Chain]
    openings: dict[str, Opening]
    """By commitment."""
    findings: Findings
    calls: list[CallRecord]
    """Each once, in the order of their ends; with the clear text where it is there."""


@attrs.define
class Found:
    """What is at one path."""

    chains: list[Chain]
    openings: list[tuple[Line, Opening]] = attrs.field(factory=list)


def read(
    paths: Sequence[Path],
    has_signed: HasSigned,
    keys: Sequence[str] = (),
    signatures: Path | None = None,
) -> Evidence:
    """Read and verify. ``keys``: the public ones that are believed; ``signatures``: a copy of the file of
    signatures, in place of the one that lies there. Raises StoreError for what cannot be read at all.
    """
    findings = Findings()
    chains: list[Chain] = []
    openings: list[tuple[Line, Opening]] = []
    for path in paths:
        try:
            found = _at(path, signatures, has_signed, findings)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} cannot be read: {error}") from None
        chains += found.chains
        openings += found.openings
    look_for_nodes(chains, keys, findings)
    texts = _opened(openings, findings)
    calls = list(_calls(chains, texts, findings))
    return Evidence(chains, texts, findings, sorted(calls, key=lambda call: call.ended))


def _at(path: Path, signatures: Path | None, has_signed: HasSigned, findings: Findings) -> Found:
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
    if begin == MAGIC:
        found = _table(path, signatures)
    else:
        lines = lines_of(path)
        if lines and is_export(lines[0].octets):
            found = Found(split(lines, findings))
            for chain in found.chains:
                verify(chain, has_signed, findings)
            look_for_order(lines, found.chains, findings)
            return found
        found = _files(path, lines, signatures)
    for chain in found.chains:
        verify(chain, has_signed, findings)
    return found


def lines_of(path: Path) -> list[Line]:
    """The lines of a file. Raises OSError."""
    *whole, rest = path.read_bytes().split(b"\n")
    lines = [Line(str(path), place, octets) for place, octets in enumerate(whole, 1)]
    return [*lines, Line(str(path), len(lines) + 1, rest, whole=False)] if rest else lines


def _files(path: Path, lines: list[Line], signatures: Path | None) -> Found:
    segments = segments_of(path)
    for segment in reversed(segments):
        lines = lines_of(segment) + lines
    clear = [beside(each, CLEAR) for each in (*segments, path)]
    return Found([_chain(path, lines, signatures)], list(_texts(clear)))


def _texts(paths: Sequence[Path]) -> Iterator[tuple[Line, Opening]]:
    for path in paths:
        if not path.exists():
            continue
        for line in lines_of(path):
            if line.whole and line.octets.strip():  # one that was redacted is blank
                try:
                    yield line, Opening.read(line.octets)
                except ParseError:
                    yield line, Opening("", b"", "")  # that opens nothing


def _table(path: Path, signatures: Path | None) -> Found:
    connection = connected(path)
    try:
        rows = connection.execute("SELECT number, line FROM entries ORDER BY number").fetchall()
        openings = connection.execute("SELECT commitment, salt, text FROM openings").fetchall()
    finally:
        connection.close()
    lines = [Line(str(path), number + 1, bytes(line)) for number, line in rows]
    texts = [(Line(f"{path} openings", 0, b""), Opening(*row)) for row in openings]
    return Found([_chain(path, lines, signatures)], texts)


def _chain(path: Path, lines: list[Line], signatures: Path | None) -> Chain:
    where = signatures or beside(path, SIGNATURES)
    signed = lines_of(where) if where.exists() else []
    return Chain(_name(lines, signed), lines, signed)


def _name(lines: Sequence[Line], signed: Sequence[Line]) -> str:
    """As most lines say: one that is forged, or cannot be read, names no other."""
    names: dict[str, int] = {}
    for line in signed[:1000]:
        try:
            name = Checkpoint.read(line.octets).chain
        except ParseError:
            continue
        names[name] = names.get(name, 0) + 1
    for line in () if names else lines[:1000]:
        try:
            name = Entry.read(line.octets).chain
        except ParseError:
            continue
        names[name] = names.get(name, 0) + 1
    return max(names, key=lambda name: names[name]) if names else ""


def _opened(openings: Sequence[tuple[Line, Opening]], findings: Findings) -> dict[str, Opening]:
    texts = {}
    for line, opening in openings:
        if opening.is_right:
            texts[opening.commitment] = opening
        else:
            findings.wrong("changed", "a text is not the one that the record is bound to", line)
    return texts


def _calls(chains: Sequence[Chain], texts: dict[str, Opening], findings: Findings) -> Iterator[CallRecord]:
    for line, entry in calls_of(chains, findings):
        try:
            call = CallRecord.of_values(entry.body)
            if call.key != entry.body.get("key"):
                raise ParseError("its key is that of another call")
        except ParseError as error:
            findings.wrong("changed", f"the call of entry {entry.number} cannot be read: {error}", line)
            continue
        yield cleared(call, texts)


def cleared(call: CallRecord, texts: dict[str, Opening]) -> CallRecord:
    """With the texts that there are, in place of their commitments; what was redacted is ``redacted``."""
    changes: dict[str, Any] = {
        name: texts[value].text if value in texts else "redacted"
        for name in PERSONAL
        if (value := getattr(call, name))
    }
    return attrs.evolve(call, **changes)
