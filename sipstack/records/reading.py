"""What there is at a path: the chain of a node in files or in SQLite, or an export of several."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
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
from sipstack.records.sequences import Joined, Lines
from sipstack.records.several import calls_of, look_for_nodes
from sipstack.records.sqlite import MAGIC, connected
from sipstack.records.stored import FileLines, TableLines
from sipstack.records.verifying import Chain, HasSigned, verify


@attrs.define
class Evidence:
    """Everything that was found at some paths, looked at."""

    chains: list[Chain]
    findings: Findings
    count: int
    """Of the calls."""
    calls: list[CallRecord]
    """Each once, in the order of their ends; with the clear text where it is there. None where they were only
    to be counted.
    """


@attrs.define
class Found:
    """What is at one path."""

    chains: list[Chain]
    openings: Iterable[tuple[Line, Opening]] = ()


def read(
    paths: Sequence[Path],
    has_signed: HasSigned,
    keys: Sequence[str] = (),
    signatures: Path | None = None,
    *,
    only_count: bool = False,
) -> Evidence:
    """Read and verify. ``keys``: the public ones that are believed; ``signatures``: a copy of the file of
    signatures, in place of the one that lies there. ``only_count``: the calls are not to be shown, and so not
    held. Raises StoreError for what cannot be read at all.
    """
    findings = Findings()
    chains: list[Chain] = []
    openings: list[Iterable[tuple[Line, Opening]]] = []
    texts: dict[str, Opening] = {}
    calls: list[CallRecord] = []
    count = 0
    path = paths[0] if paths else Path()
    try:
        for path in paths:
            found = _at(path, signatures, has_signed, findings)
            chains += found.chains
            openings.append(found.openings)
        look_for_nodes(chains, keys, findings)
        for opening in _opened(chain.from_iterable(openings), findings):
            if not only_count:
                texts[opening.commitment] = opening
        for call in _calls(chains, findings):
            count += 1
            if not only_count:
                calls.append(cleared(call, texts))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None
    return Evidence(chains, findings, count, sorted(calls, key=lambda call: call.ended))


def _at(path: Path, signatures: Path | None, has_signed: HasSigned, findings: Findings) -> Found:
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
    if begin == MAGIC:
        found = _table(path, signatures)
    else:
        lines = FileLines(path)
        if len(lines) and is_export(lines[0].octets):
            found = Found(split(lines, findings))
            for each in found.chains:
                verify(each, has_signed, findings)
            look_for_order(found.chains, findings)
            return found
        found = _files(path, lines, signatures)
    for each in found.chains:
        verify(each, has_signed, findings)
    return found


def _files(path: Path, lines: Lines, signatures: Path | None) -> Found:
    segments = segments_of(path)
    if segments:
        lines = Joined([*map(FileLines, segments), lines])
    clear = [beside(each, CLEAR) for each in (*segments, path)]
    return Found([_chain(path, lines, signatures)], _texts(clear))


def _texts(paths: Sequence[Path]) -> Iterator[tuple[Line, Opening]]:
    for path in paths:
        if not path.exists():
            continue
        for line in FileLines(path):
            if line.whole and line.octets.strip():  # one that was redacted is blank
                try:
                    yield line, Opening.read(line.octets)
                except ParseError:
                    yield line, Opening("", b"", "")  # that opens nothing


def _table(path: Path, signatures: Path | None) -> Found:
    return Found([_chain(path, TableLines(path), signatures)], _texts_of_table(path))


def _texts_of_table(path: Path) -> Iterator[tuple[Line, Opening]]:
    where, connection = Line(f"{path} openings", 0, b""), connected(path)
    try:
        for row in connection.execute("SELECT commitment, salt, text FROM openings"):
            yield where, Opening(*row)
    finally:
        connection.close()


def _chain(path: Path, lines: Lines, signatures: Path | None) -> Chain:
    where = signatures or beside(path, SIGNATURES)
    signed: Lines = FileLines(where) if where.exists() else Joined([])
    return Chain(_name(lines, signed), lines, signed)


def _name(lines: Lines, signed: Lines) -> str:
    """As most lines say: one that is forged, or cannot be read, names no other."""
    names: dict[str, int] = {}
    for line in islice(signed, 1000):
        try:
            name = Checkpoint.read(line.octets).chain
        except ParseError:
            continue
        names[name] = names.get(name, 0) + 1
    for line in () if names else islice(lines, 1000):
        try:
            name = Entry.read(line.octets).chain
        except ParseError:
            continue
        names[name] = names.get(name, 0) + 1
    return max(names, key=lambda name: names[name]) if names else ""


def _opened(openings: Iterable[tuple[Line, Opening]], findings: Findings) -> Iterator[Opening]:
    """Those that are what the record is bound to."""
    for line, opening in openings:
        if opening.is_right:
            yield opening
        else:
            findings.wrong("changed", "a text is not the one that the record is bound to", line)


def _calls(chains: Sequence[Chain], findings: Findings) -> Iterator[CallRecord]:
    for line, entry in calls_of(chains, findings):
        try:
            call = CallRecord.of_values(entry.body)
            if call.key != entry.body.get("key"):
                raise ParseError("its key is that of another call")
        except ParseError as error:
            findings.wrong("changed", f"the call of entry {entry.number} cannot be read: {error}", line)
            continue
        yield call


def cleared(call: CallRecord, texts: dict[str, Opening]) -> CallRecord:
    """With the texts that there are, in place of their commitments; what was redacted is ``redacted``."""
    changes: dict[str, Any] = {
        name: texts[value].text if value in texts else "redacted"
        for name in PERSONAL
        if (value := getattr(call, name))
    }
    return attrs.evolve(call, **changes)
