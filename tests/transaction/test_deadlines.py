"""One heap for all deadlines: order, laziness, and what it costs."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from sipstack.transaction.deadlines import Deadlines
from sipstack.transaction.timers import NEVER


class Item:
    """Something that waits, and counts how often it is asked for how long."""

    def __init__(self, name: str, deadline: float = NEVER) -> None:
        self.name = name
        self.scheduled = NEVER
        self.asked = 0
        self.until = deadline

    @property
    def deadline(self) -> float:
        self.asked += 1
        return self.until

    def __repr__(self) -> str:
        return self.name


def scheduled(*items: Item) -> Deadlines[Item]:
    deadlines: Deadlines[Item] = Deadlines()
    for item in items:
        deadlines.schedule(item)
    return deadlines


def due(deadlines: Deadlines[Item], now: float) -> list[str]:
    return [repr(item) for item in deadlines.due(now)]


def test_nothing_waits_at_first() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    assert (deadlines.next, due(deadlines, inf), deadlines.waiting(), len(deadlines)) == (NEVER, [], [], 0)


def test_who_waits_for_nothing_takes_no_room() -> None:
    deadlines = scheduled(Item("a"))
    assert (deadlines.next, len(deadlines)) == (NEVER, 0)


def test_the_earliest_comes_first_and_equals_come_by_age() -> None:
    deadlines = scheduled(Item("a", 3.0), Item("b", 1.0), Item("c", 2.0), Item("d", 1.0))
    assert deadlines.next == 1.0
    assert due(deadlines, 2.5) == ["b", "d", "c"]
    assert deadlines.next == 3.0


def test_a_deadline_that_is_reached_exactly_is_due() -> None:
    assert due(scheduled(Item("a", 1.0)), 1.0) == ["a"]


def test_a_deadline_moved_earlier_counts_at_once_and_only_once() -> None:
    item = Item("a", 5.0)
    deadlines = scheduled(item)
    item.until = 2.0
    deadlines.schedule(item)
    assert deadlines.next == 2.0
    assert due(deadlines, 2.0) == ["a"]
    item.until = NEVER
    deadlines.schedule(item)
    assert due(deadlines, 10.0) == []
    assert deadlines.next == NEVER


def test_a_deadline_moved_later_costs_nothing_until_the_old_one_passes() -> None:
    item = Item("a", 2.0)
    deadlines = scheduled(item)
    item.until = 5.0
    deadlines.schedule(item)
    assert (deadlines.next, len(deadlines)) == (2.0, 1)  # earlier than needed, which does no harm
    assert due(deadlines, 2.0) == []
    assert (deadlines.next, len(deadlines)) == (5.0, 1)
    assert due(deadlines, 5.0) == ["a"]


def test_who_no_longer_waits_is_dropped_in_passing() -> None:
    item = Item("a", 2.0)
    deadlines = scheduled(item)
    item.until = NEVER
    assert deadlines.waiting() == []
    assert due(deadlines, 2.0) == []
    assert len(deadlines) == 0


def test_an_item_moved_earlier_and_back_is_due_once_at_each_time() -> None:
    item = Item("a", 10.0)
    deadlines = scheduled(item)
    item.until = 5.0
    deadlines.schedule(item)
    assert due(deadlines, 5.0) == ["a"]
    item.until = 10.0
    deadlines.schedule(item)
    assert len(deadlines) == 2  # the old entry and the new one, for the same time
    assert due(deadlines, 10.0) == ["a"]


def test_an_item_may_be_scheduled_again_while_due_items_are_taken() -> None:
    item = Item("a", 1.0)
    deadlines = scheduled(item, Item("b", 2.0))
    seen = []
    for waiting in deadlines.due(3.0):
        seen.append(repr(waiting))
        if waiting is item and item.until < 3.0:
            item.until += 1.0
            deadlines.schedule(item)
    assert seen == ["a", "b", "a", "a"]


def test_waiting_lists_each_item_once() -> None:
    item = Item("a", 9.0)
    deadlines = scheduled(item)
    for until in (7.0, 5.0, 3.0):
        item.until = until
        deadlines.schedule(item)
    assert (len(deadlines), deadlines.waiting()) == (4, [item])
    deadlines.compact()
    assert (len(deadlines), deadlines.waiting(), deadlines.next) == (1, [item], 3.0)


def test_a_hundred_thousand_items_cost_two_looks_each() -> None:
    items = [Item(str(number), 1.0 + number % 977) for number in range(100_000)]
    deadlines = scheduled(*items)
    for later in (2000.0, 3000.0, 4000.0):  # what a retransmission does: the deadline moves away
        for item in items:
            item.until = later
            deadlines.schedule(item)
    assert len(deadlines) == 100_000
    assert sum(item.asked for item in items) == 4 * 100_000  # once a schedule
    assert due(deadlines, 1000.0) == []
    assert len(deadlines) == 100_000
    assert sum(item.asked for item in items) == 6 * 100_000  # once to look, once to put back
    assert len(due(deadlines, 4000.0)) == 100_000
    assert sum(item.asked for item in items) == 7 * 100_000


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.floats(0, 100), st.just(NEVER))), max_size=40))
def test_whatever_moves_each_item_is_due_at_its_last_deadline(moves: list[tuple[int, float]]) -> None:
    items = [Item(str(number)) for number in range(5)]
    deadlines = scheduled(*items)
    for number, until in moves:
        items[number].until = until
        deadlines.schedule(items[number])
    expected = sorted((item.until, item.name) for item in items if item.until < NEVER)
    assert deadlines.next <= min([until for until, _ in expected], default=NEVER)
    assert sorted(item.deadline for item in deadlines.waiting()) == [until for until, _ in expected]
    seen = []
    while deadlines.next < NEVER:
        now = deadlines.next
        for item in deadlines.due(now):
            assert isinstance(item, Item)
            seen.append((now, item.name))
            item.until = NEVER
    assert sorted(seen) == expected
