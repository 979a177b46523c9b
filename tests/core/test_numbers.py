"""CSeq numbers of a dialog that several nodes go on with, none of which knows what the others have sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipstack.core.numbers import BLOCK, NODES, STEP, ceiling, next_block

nodes = st.integers(0, NODES - 1)
numbers = st.integers(0, 2**30)
ages = st.floats(0.0, 12 * 3600.0)


@given(numbers, nodes, ages)
def test_an_heir_begins_above_all_that_he_was_told(number: int, node: int, age: float) -> None:
    first = next_block(number, node, age)
    assert first is not None
    assert first > ceiling(number)
    assert first // BLOCK % NODES == node


@given(st.lists(st.tuples(nodes, ages, st.integers(0, 4)), min_size=1, max_size=12))
def test_no_two_nodes_ever_have_the_same_number(history: list[tuple[int, float, int]]) -> None:
    """Each opens any of the seals that were made before, in any order, and makes one of his own."""
    told, used = [ceiling(1)], {0: -1}
    for node, age, which in history:
        first = next_block(told[which % len(told)], node, age)
        if first is not None:
            assert used.setdefault(first // BLOCK, node) == node
            told.append(ceiling(first))


@given(numbers, nodes, ages)
def test_a_node_that_opens_a_seal_again_later_begins_elsewhere(number: int, node: int, age: float) -> None:
    assert next_block(number, node, age) != next_block(number, node, age + STEP)


def test_there_are_numbers_for_half_a_day_and_none_beyond_31_bits() -> None:
    assert next_block(1, 63, 12 * 3600.0) is not None
    assert next_block(2**31 - 2, 0) is None
    assert next_block(2**31 - 10 * BLOCK, 63) is None
