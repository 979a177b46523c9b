"""The names of a world, as the DNS would answer for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipstack.core.dns_records import NO_NAME, NO_RECORD, Answer, Query, Record

TTL = 1.0
"""Seconds that an answer holds: what a test changes is soon seen."""


def answer(
    query: Query, names: Mapping[str, Sequence[str]], records: Mapping[Query, Sequence[Record]]
) -> Answer:
    """The records of ``records``, else the addresses of ``names``, of the family that is asked for."""
    found: Sequence[Record] = records.get(query, ())
    if not found and query.type in ("A", "AAAA"):
        wanted = query.type == "AAAA"
        found = [each for each in names.get(query.name, ()) if (":" in each) == wanted]
    if found:
        return Answer(tuple(found), TTL)
    known = query.name in names or any(each.name == query.name for each in records)
    return Answer(ttl=TTL, problem=NO_RECORD if known else NO_NAME)
