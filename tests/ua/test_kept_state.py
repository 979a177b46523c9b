"""One thing in a store: what is there after failures, delays, changes in between, and two owners."""

from __future__ import annotations

import asyncio
import random

import pytest

from sipstack.identifiers import Identifiers
from sipstack.outcome import Absent
from sipstack.store.memory import MemoryStore
from sipstack.ua.keeping import Json
from sipstack.ua.kept_state import AGAIN, LONGEST_KEY, PATIENCE, Kept, KeptState, key_of
from tests.ua.restarts import Mute, Trouble

pytestmark = pytest.mark.virtual_time

KEY = "thing one a"


def state(store: object, node: str = "one") -> KeptState:
    return KeptState(store, Json(), node)  # type: ignore[arg-type]


async def claimed(store: object, node: str = "one") -> Kept:
    kept = await state(store, node).claim("thing", "a", everywhere=node != "one")
    assert kept is not None
    return kept


async def found(store: object) -> object:
    """What a process that is started now finds."""
    kept = await claimed(store)
    kept.release()
    return kept.values


# --- keys ---


def test_a_key_begins_with_its_kind_and_names_with_spaces_do_not_run_together() -> None:
    assert key_of("binding", "host udp:0.0.0.0:5060", "sip:a@b") == "binding host%20udp:0.0.0.0:5060 sip:a@b"
    assert key_of("x", "a b", "c") != key_of("x", "a", "b c")
    assert key_of("x", "a%20b") != key_of("x", "a b")


def test_a_key_is_bounded_and_still_tells_one_from_another() -> None:
    one, other = key_of("conversation", "a" * 70_000), key_of("conversation", "a" * 70_001)
    assert one != other
    assert one.startswith("conversation ")
    assert len(one) <= LONGEST_KEY


def test_octets_that_are_no_text_are_a_key_as_well() -> None:
    assert key_of("x", "\udcff") == "x %FF"


# --- one owner ---


async def test_what_was_put_is_found_with_its_age_and_what_was_forgotten_is_not() -> None:
    store = MemoryStore()
    kept = await claimed(store)
    assert (kept.values, kept.age) == (None, 0.0)
    kept.put({"n": 1}, 100.0)
    await asyncio.sleep(30)
    kept.release()
    again = await claimed(store)
    assert (again.values, again.age) == ({"n": 1}, 30.0)
    again.forget()
    again.release()
    assert await found(store) is None


async def test_a_name_is_claimed_once_at_a_time() -> None:
    kept_state = state(MemoryStore())
    kept = await kept_state.claim("thing", "a")
    assert kept is not None
    assert await kept_state.claim("thing", "a") is None
    assert await kept_state.claim("thing", "b") is not None
    kept.release()
    assert await kept_state.claim("thing", "a") is not None


async def test_a_claim_that_is_cancelled_is_none() -> None:
    kept_state = state(Mute())
    task = asyncio.create_task(kept_state.claim("thing", "a"))
    await asyncio.sleep(PATIENCE / 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await kept_state.claim("thing", "a") is not None


async def test_it_is_kept_no_longer_than_was_said() -> None:
    store = MemoryStore()
    kept = await claimed(store)
    kept.put(1, 10.0)
    kept.release()
    await asyncio.sleep(11)
    assert await found(store) is None


# --- a store in trouble ---


async def test_what_failed_is_tried_again_as_it_is_then() -> None:
    store = Trouble()
    kept = await claimed(store)
    store.down = True
    kept.put(1, 1000.0)
    await asyncio.sleep(AGAIN / 2)
    kept.put(2, 1000.0)
    store.down = False
    await asyncio.sleep(2 * AGAIN)
    kept.release()
    assert await found(store) == 2


async def test_what_failed_until_it_was_over_is_not_tried_for_ever() -> None:
    store = Trouble()
    kept = await claimed(store)
    store.down = True
    kept.put(1, 20.0)
    await asyncio.sleep(1000)
    assert store.writes <= 4


async def test_what_failed_and_was_forgotten_meanwhile_stays_so() -> None:
    store = Trouble()
    kept = await claimed(store)
    store.late = 1.0
    kept.put(1, 1000.0)
    await asyncio.sleep(0.5)
    store.late = 0.0
    kept.forget()
    store.down = True  # when the write is due
    await asyncio.sleep(1)
    store.down = False
    await asyncio.sleep(2 * AGAIN)
    assert store.writes == 2
    assert await found(store) is None


async def test_what_waits_behind_a_write_goes_out_with_the_end() -> None:
    store = Trouble()
    kept = await claimed(store)
    store.late = 1.0
    kept.put(1, 1000.0)
    kept.put(2, 1000.0)
    kept.release()
    await asyncio.sleep(5)
    store.late = 0.0
    assert await found(store) == 2


async def test_a_store_that_answers_too_late_is_asked_again_before_the_first_write() -> None:
    """Its late answer has raised the epoch: who wrote without would have lost against himself."""
    store = Trouble()
    before = await claimed(store)
    before.put(1, 1000.0)
    before.release()
    store.late = 2 * PATIENCE
    kept = await claimed(store)
    assert kept.values is None
    kept.put(2, 1000.0)
    await asyncio.sleep(20)
    store.late = 0.0
    kept.release()
    assert await found(store) == 2


# --- two owners ---


async def test_of_two_owners_the_one_before_is_told_and_writes_no_more() -> None:
    store, told = MemoryStore(), []
    one = await claimed(store, "any")
    one.put(1, 1000.0)
    other = await claimed(store, "any")
    assert other.values == 1
    one.lost = lambda: told.append("one")
    one.put(2, 1000.0)
    assert told == []  # not in the middle of what it does
    await asyncio.sleep(0)
    assert told == ["one"]
    one.put(3, 1000.0)
    other.put(4, 1000.0)
    other.release()
    assert (await claimed(store, "any")).values == 4
    assert told == ["one"]


async def test_nothing_of_the_one_before_takes_away_what_the_heir_has() -> None:
    store = MemoryStore()
    one = await claimed(store, "any")
    one.put(1, 1000.0)
    other = await claimed(store, "any")
    one.forget()
    one.release()
    other.release()
    assert (await claimed(store, "any")).values == 1


@pytest.mark.parametrize("seed", range(200))
async def test_after_any_troubles_the_last_wish_is_there(seed: int) -> None:
    """Delays, outages, changes, ends and restarts in any order, then a quiet time."""
    dice, store = random.Random(seed), Trouble()
    kept, wish = await claimed(store), None
    for number in range(30):
        store.down, store.late = dice.random() < 0.2, dice.choice([0.0, 0.0, 0.5, 1.0])
        match dice.randrange(4):
            case 0 | 1:
                wish = number
                kept.put(number, 100_000.0)
            case 2 if not store.down:  # what is forgotten while the store is away runs out by itself
                wish = None
                kept.forget()
                await asyncio.sleep(dice.uniform(2, 5))
        await asyncio.sleep(dice.uniform(0, 3))
    store.down, store.late = False, 0.0
    await asyncio.sleep(5 * AGAIN)
    kept.release()
    assert await found(store) == wish


# --- the instance ---


async def test_the_instance_of_a_node_is_made_once() -> None:
    store = MemoryStore()
    one = await state(store).instance(Identifiers())
    assert one.startswith("urn:uuid:")
    assert await state(store).instance(Identifiers()) == one
    assert await state(store, "two").instance(Identifiers()) != one


async def test_each_start_gives_the_instance_a_year_more() -> None:
    store = MemoryStore()
    one = await state(store).instance(Identifiers())
    until = store._entries["instance one"].expires
    await asyncio.sleep(50 * 86400.0)
    assert await state(store).instance(Identifiers()) == one
    assert store._entries["instance one"].expires == until + 50 * 86400.0


async def test_an_instance_that_could_not_be_read_is_not_written_over() -> None:
    store = Trouble()
    one = await state(store).instance(Identifiers())
    store.down = True
    other = await state(store).instance(Identifiers())
    assert other != one
    store.down = False
    assert await state(store).instance(Identifiers()) == one
    assert isinstance(await state(store).take("nothing"), Absent)
