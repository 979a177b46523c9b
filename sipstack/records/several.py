"""What several chains say together: each call once, and whether a node is missing."""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.records.chain import CALL, Entry
from sipstack.records.findings import Findings, Line
from sipstack.records.verifying import Chain


def calls_of(chains: Sequence[Chain], findings: Findings) -> list[tuple[Line, Entry]]:
    """The calls of several chains, each once: of two records of one call that of its last owner counts."""
    calls: dict[str, tuple[Line, Entry]] = {}
    for chain in chains:
        for line, entry in chain.entries:
            if entry.kind != CALL:
                continue
            key = str(entry.body.get("key"))
            other = calls.get(key)
            if other is None:
                calls[key] = line, entry
                continue
            calls[key], (dropped, _) = _ranked(other, (line, entry))
            findings.told(
                "duplicate", f"there is another record of the call {key}: it does not count", dropped
            )
    return list(calls.values())


def _ranked(
    one: tuple[Line, Entry], other: tuple[Line, Entry]
) -> tuple[tuple[Line, Entry], tuple[Line, Entry]]:
    def rank(found: tuple[Line, Entry]) -> tuple[int, int]:
        epoch = found[1].body.get("epoch")
        return (epoch if isinstance(epoch, int) else 0), -found[1].at

    return (one, other) if rank(one) >= rank(other) else (other, one)


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
