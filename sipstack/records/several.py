"""What several chains say together: each call once, and whether a node is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from sipstack.records.chain import CALL, Entry
from sipstack.records.findings import Findings, Line
from sipstack.records.verifying import Chain


def calls_of(chains: Sequence[Chain], findings: Findings) -> Iterator[tuple[Line, Entry]]:
    """The calls of several chains, each once: of two records of one call that of its last owner counts."""
    best: dict[bytes, _Place] = {}
    beaten: set[tuple[int, int]] = set()
    for number, chain in enumerate(chains):
        for position, _, entry in chain.placed:
            if entry.kind != CALL:
                continue
            key = str(entry.body.get("key"))
            short = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).digest()
            epoch = entry.body.get("epoch")
            one = (epoch if isinstance(epoch, int) else 0), -entry.at, number, position
            other = best.setdefault(short, one)
            if other is one:
                continue
            best[short], (*_, of, at) = (one, other) if other[:2] < one[:2] else (other, one)
            beaten.add((of, at))
            text = f"there is another record of the call {key}: it does not count"
            findings.told("duplicate", text, chains[of].lines[at])
    best.clear()
    for number, chain in enumerate(chains):
        for position, line, entry in chain.placed:
            if entry.kind == CALL and (number, position) not in beaten:
                yield line, entry


_Place = tuple[int, int, int, int]
"""What ranks a record among those of its call (the epoch, and how early it was written); then which chain and
line it is.
"""


def look_for_nodes(chains: Sequence[Chain], wanted: Sequence[str], findings: Findings) -> None:
    """Each key of ``wanted`` has signed a chain, and each chain has one of them, if there are any. Nodes that
    calls went through and of which there is no chain are told.
    """
    keys = {key for chain in chains for key in chain.keys}
    for key in wanted:
        if key not in keys:
            findings.wrong("missing", f"there is no chain that the key {key[:16]} has signed")
    for chain in chains:
        if len(chain.keys) > 1:
            findings.wrong("signature", f"the chain {chain.name} has the signatures of several keys")
        for key in sorted(chain.keys.difference(wanted)) if wanted else ():
            findings.wrong("signature", f"the chain {chain.name} is signed with another key, {key[:16]}")
    there = {node for chain in chains for node in chain.nodes}
    named = {node for chain in chains for _, entry in chain.entries for node in _nodes(entry)}
    for node in sorted(named - there):
        findings.told("node", f"calls went through {node}, whose chain is not here", None)


def _nodes(entry: Entry) -> list[str]:
    nodes = entry.body.get("nodes") if entry.kind == CALL else None
    return [node for node in nodes if isinstance(node, str)] if isinstance(nodes, list) else []
