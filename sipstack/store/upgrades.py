"""The way of a record from an older version to this one: a function from each version to the next.

What was written once is read for ever: ``tests/store/versions`` has the octets of a record of each version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipstack.errors import ParseError

Row = list[object]
Upgrade = Callable[[Row], Row]
"""From the array of one version to that of the next, the version itself left out. Raises ParseError."""

UPGRADES: tuple[Upgrade, ...] = ()
"""The first is from version 1 to version 2."""
VERSION = 1 + len(UPGRADES)


def upgraded(version: int, row: Row, upgrades: Sequence[Upgrade] = UPGRADES) -> Row:
    """``row`` of ``version`` in the layout of the last. Raises ParseError for a version that is not known."""
    newest = 1 + len(upgrades)
    if version > newest:
        raise ParseError(f"the record has version {version}: this process reads up to version {newest}")
    if version < 1:
        raise ParseError("the record has no version")
    for upgrade in upgrades[version - 1 :]:
        row = upgrade(row)
    return row
