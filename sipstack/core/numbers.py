"""Which CSeq numbers a node may use in a dialog that others go on with, when nobody keeps count.

The numbers of each thousand belong to one node. Who began the dialog has the first thousand, and from then
on, like every heir, takes the next one of his own above what he knows of. So no two nodes ever send one
number, whatever they know of each other; gaps are legal (RFC 3261 §12.2.2).
"""

from __future__ import annotations

BLOCK = 1000
NODES = 64
STEP = 8.0
"""Seconds: what a node opens again so much later, it goes on with in another block. It may have been killed
and started again meanwhile, and know of nothing.
"""
HIGHEST = 2**31 - 1


def ceiling(number: int) -> int:
    """The last number of the block that ``number`` is in."""
    return number // BLOCK * BLOCK + BLOCK - 1


def next_block(number: int, node: int, age: float = 0.0) -> int | None:
    """The first number of a block of ``node`` above that of ``number``, which was told ``age`` seconds ago;
    None where there is none below 2**31.
    """
    block = number // BLOCK + 1
    block += (node - block) % NODES + int(age / STEP) * NODES
    first = block * BLOCK
    return first if first + BLOCK <= HIGHEST else None
