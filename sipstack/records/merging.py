"""The chains of several nodes as one list in the order of time, from which each can be taken again."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import TypeVar

import attrs

from sipstack.errors import ParseError
from sipstack.records.chain import Entry, canonical, read_line
from sipstack.records.checkpoint import Checkpoint
from sipstack.records.findings import Findings, Line
from sipstack.records.sequences import Chosen, Lines
from sipstack.records.verifying import Chain

T = TypeVar("T")
FORM = 1


def merged(chains: Sequence[Chain]) -> Iterator[tuple[Line, Entry]]:
    """The entries of all chains. Those of one keep their order, whatever its clock said."""
    ways = [_timed(place, chain) for place, chain in enumerate(sorted(chains, key=lambda each: each.name))]
    return (found for _, _, _, found in heapq.merge(*ways, key=lambda each: each[:3]))


def _timed(place: int, chain: Chain) -> Iterator[tuple[int, int, int, tuple[Line, Entry]]]:
    latest = 0
    for line, entry in chain.entries:
        latest = max(latest, entry.at)  # a clock that was set back takes nothing out of its order
        yield latest, place, entry.number, (line, entry)


def exported(chains: Sequence[Chain]) -> Iterator[bytes]:
    """The lines of an export: which chains there are, their entries in the order of time, to the octet as
    they were, and their signatures.
    """
    about = [
        {"chain": chain.name, "nodes": sorted(chain.nodes), "keys": sorted(chain.keys)} for chain in chains
    ]
    yield canonical({"chains": about, "export": FORM})
    for line, _ in merged(chains):
        yield line.octets
    for chain in chains:
        for line in chain.signatures:
            if line.whole:
                yield line.octets


def is_export(line: bytes) -> bool:
    """Whether this is the first line of one."""
    try:
        return read_line(line).get("export") == FORM
    except ParseError:
        return False


def split(lines: Lines, findings: Findings) -> list[Chain]:
    """The chains of an export."""
    entries: dict[str, Chosen] = {}
    signatures: dict[str, Chosen] = {}
    try:
        chains = read_line(lines[0].octets)["chains"]
        for name in [about["chain"] for about in chains]:
            entries[str(name)], signatures[str(name)] = Chosen(lines), Chosen(lines)
    except (ParseError, LookupError, TypeError):
        findings.wrong("changed", "the first line does not say which chains there are", lines[0])
    for position, line in enumerate(lines):
        if position == 0:
            continue
        try:
            name, table = _belongs(line.octets, entries, signatures)
        except ParseError as error:
            findings.wrong("changed", str(error), line)
            continue
        if name not in entries:
            findings.wrong("forged", f"the chain {name} is not among those of the first line", line)
            entries[name], signatures[name] = Chosen(lines), Chosen(lines)
        table[name].positions.append(position)
    for name, own in entries.items():
        if not len(own):
            findings.wrong("missing", f"there is nothing of the chain {name}", lines[0])
    return [Chain(name, own, signatures[name]) for name, own in entries.items()]


def _belongs(
    line: bytes, entries: dict[str, Chosen], signatures: dict[str, Chosen]
) -> tuple[str, dict[str, Chosen]]:
    if "signature" in read_line(line):
        return Checkpoint.read(line).chain, signatures
    return Entry.read(line).chain, entries


def look_for_order(chains: Sequence[Chain], findings: Findings) -> None:
    """The entries of an export stand in the order that ``merged`` gives them."""
    places = [(line.place for line, _ in chain.entries) for chain in chains]
    for place, (line, _) in zip(heapq.merge(*places), merged(chains), strict=False):
        if line.place != place:
            where = attrs.evolve(line, place=place)
            findings.wrong("reordered", "it does not stand in the order of time", where)
            return
