"""What every store of sessions does. Its tests inherit one of these classes and give it the store::

    class TestMemory(Conformance):
        @pytest.fixture
        def backend(self) -> Backend: ...

``Conformance`` is for a store of one process, ``SharedConformance`` for one that several share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import pytest

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import TOMBSTONE, Listed, SessionStore, Taken

T = TypeVar("T")

LIFETIME = 1.0
"""Seconds that a record is kept which is to expire: some stores have no time but the real one."""
SOON = 0.3
"""Seconds that count as none: how exactly lifetimes and ages are compared."""
ODD_KEYS = (
    "session call-id tag tag",
    "session Call-ID tag tag",
    "registration sip:alice@example.com",
    "%_*?[a-z]\\' OR 1=1; --",
    "{braces}:and:colons",
    "z\N{COMBINING DIAERESIS}rich \N{LATIN SMALL LETTER U WITH DIAERESIS}",
    "zero\0zero",
    "zero\0",
    "\udcff\udc80 is no UTF-8",
    "k" * 1000,
)


class Backend(Protocol):
    """A store under test. ``lease``: seconds without a sign of life after which a node counts as dead."""

    lease: float
    tombstone: float

    def store(self) -> SessionStore:
        """The store as another process sees it, not open yet. What one of them keeps the others find."""

    async def passes(self, seconds: float) -> None:
        """Time passes for all of them. Who is open gives its signs of life meanwhile."""


class Asked(asyncio.Future[T]):
    """The answer to come. A second one is an error in the event loop, which fails the test."""

    def answer(self, found: T) -> None:
        assert asyncio.get_running_loop() is self.get_loop()
        self.set_result(found)


async def asked(method: Callable[..., None], *arguments: object) -> Any:
    """What a method of a store answers."""
    async with asyncio.timeout(20):
        return await asking(method, *arguments)


def asking(method: Callable[..., None], *arguments: object) -> Asked[Any]:
    """The answer to what is asked now, to be awaited later."""
    future: Asked[Any] = Asked()
    method(*arguments, future.answer)
    return future


async def put(
    store: SessionStore, key: str, record: bytes = b"record", epoch: int = 0, left: float = 60.0
) -> Any:
    return await asked(store.put, key, record, epoch, left)


async def keys_owned(store: SessionStore) -> list[str]:
    return sorted(listed.key for listed in await asked(store.owned))


async def orphans(store: SessionStore, most: int = 100) -> list[str]:
    return sorted(listed.key for listed in await asked(store.orphaned, most))


class Conformance:
    """A store of one process."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    async def store(self, backend: Backend) -> AsyncIterator[SessionStore]:
        store = backend.store()
        await store.open("node-1")
        yield store
        await store.close()

    # -- putting and taking over ---------------------------------------------------------------------------

    async def test_what_was_put_is_taken_over(self, store: SessionStore) -> None:
        assert await put(store, "key", b"record") is Outcome.DONE
        taken = await asked(store.take_over, "key")
        assert taken == Taken(b"record", 1, taken.age)
        assert 0 <= taken.age < SOON

    async def test_a_later_record_takes_the_place_of_the_one_before(self, store: SessionStore) -> None:
        await put(store, "key", b"a long record that comes first")
        assert await put(store, "key", b"second") is Outcome.DONE
        assert (await asked(store.take_over, "key")).record == b"second"

    async def test_nobody_knows_the_key(self, store: SessionStore) -> None:
        await put(store, "key")
        assert await asked(store.take_over, "another key") is Absent.UNKNOWN

    async def test_reading_changes_nothing(self, store: SessionStore) -> None:
        await put(store, "key", b"record")
        await asked(store.take_over, "key")
        for _ in range(2):
            found = await asked(store.read, "key")
            assert found == Taken(b"record", 1, found.age)
            assert 0 <= found.age < SOON
        assert await put(store, "key", b"again", 1) is Outcome.DONE

    async def test_what_is_not_there_or_over_cannot_be_read(self, store: SessionStore) -> None:
        assert await asked(store.read, "key") is Absent.UNKNOWN
        await put(store, "key")
        await asked(store.forget, "key", 0)
        assert await asked(store.read, "key") is Absent.UNKNOWN

    async def test_of_two_who_saw_the_same_epoch_one_takes_over(self, store: SessionStore) -> None:
        await put(store, "key", b"record")
        seen: int = (await asked(store.read, "key")).epoch
        first, second = await asyncio.gather(*[self._taking(store, seen) for _ in range(2)])
        assert isinstance(first, Taken)
        assert (first.epoch, second) == (seen + 1, Absent.UNKNOWN)
        assert await asked(store.owned) != []

    @staticmethod
    def _taking(store: SessionStore, epoch: int) -> Asked[Taken | Absent]:
        future: Asked[Taken | Absent] = Asked()
        store.take_over("key", future.answer, epoch)
        return future

    async def test_what_is_asked_in_one_turn_happens_in_that_order(self, store: SessionStore) -> None:
        answers = [
            asking(store.put, "key", b"1", 0, 60.0),
            asking(store.put, "key", b"2", 0, 60.0),
            asking(store.take_over, "key"),
            asking(store.put, "key", b"3", 0, 60.0),
            asking(store.put, "key", b"4", 1, 60.0),
            asking(store.take_over, "key"),
            asking(store.forget, "key", 2),
            asking(store.take_over, "key"),
            asking(store.put, "key", b"5", 2, 60.0),
        ]
        put1, put2, first, late, put4, second, over, gone, dead = await asyncio.gather(*answers)
        assert (put1, put2, late, put4) == (Outcome.DONE, Outcome.DONE, Outcome.CONFLICT, Outcome.DONE)
        assert [(taken.record, taken.epoch) for taken in (first, second)] == [(b"2", 1), (b"4", 2)]
        assert (over, gone, dead) == (Outcome.DONE, Absent.UNKNOWN, Outcome.CONFLICT)

    async def test_an_answer_may_ask_again_at_once(self, store: SessionStore) -> None:
        taken: Asked[Taken | Absent] = Asked()
        store.put("key", b"record", 0, 60.0, lambda _: store.take_over("key", taken.answer))
        assert isinstance(await taken, Taken)

    async def test_a_thousand_in_one_turn_are_answered_once_each(self, store: SessionStore) -> None:
        answers = [asking(store.put, f"key {i}", b"%d" % i * 100, 0, 60.0) for i in range(1000)]
        assert set(await asyncio.gather(*answers)) == {Outcome.DONE}
        taken = await asyncio.gather(*[asking(store.take_over, f"key {i}") for i in range(1000)])
        assert [each.record for each in taken] == [b"%d" % i * 100 for i in range(1000)]

    async def test_any_text_is_a_key_of_its_own(self, store: SessionStore) -> None:
        for key in ODD_KEYS:
            assert await put(store, key, ascii(key).encode()) is Outcome.DONE
        assert await keys_owned(store) == sorted(ODD_KEYS)
        for key in ODD_KEYS:
            assert (await asked(store.take_over, key)).record == ascii(key).encode()

    @pytest.mark.parametrize("record", [b"", b"\0", b"\xff\r\n'\"", bytes(range(256)) * 256], ids=len)
    async def test_any_octets_are_a_record(self, store: SessionStore, record: bytes) -> None:
        assert await put(store, "key", record) is Outcome.DONE
        assert (await asked(store.take_over, "key")).record == record

    # -- epochs --------------------------------------------------------------------------------------------

    async def test_each_take_over_raises_the_epoch(self, store: SessionStore) -> None:
        await put(store, "key")
        assert [(await asked(store.take_over, "key")).epoch for _ in range(3)] == [1, 2, 3]

    async def test_who_writes_under_a_lower_epoch_has_lost_the_session(self, store: SessionStore) -> None:
        await put(store, "key", b"mine")
        await asked(store.take_over, "key")
        assert await put(store, "key", b"old", 0) is Outcome.CONFLICT
        assert await asked(store.forget, "key", 0) is Outcome.CONFLICT
        assert (await asked(store.take_over, "key")).record == b"mine"

    async def test_the_new_owner_writes_and_forgets_under_its_epoch(self, store: SessionStore) -> None:
        await put(store, "key", b"old")
        await asked(store.take_over, "key")
        assert await put(store, "key", b"new", 1) is Outcome.DONE
        taken = await asked(store.take_over, "key")
        assert (taken.record, taken.epoch) == (b"new", 2)
        assert await asked(store.forget, "key", 2) is Outcome.DONE

    async def test_a_higher_epoch_than_the_store_knows_is_believed(self, store: SessionStore) -> None:
        """It has lost its last writes, such as with the machine."""
        await put(store, "key", b"old")
        assert await put(store, "key", b"new", 5) is Outcome.DONE
        taken = await asked(store.take_over, "key")
        assert (taken.record, taken.epoch) == (b"new", 6)

    # -- what is over --------------------------------------------------------------------------------------

    async def test_what_was_forgotten_never_comes_back(self, store: SessionStore) -> None:
        await put(store, "key")
        assert await asked(store.forget, "key", 0) is Outcome.DONE
        assert await asked(store.take_over, "key") is Absent.UNKNOWN
        for epoch in (0, 1, 9):
            assert await put(store, "key", b"late", epoch) is Outcome.CONFLICT
        assert await asked(store.take_over, "key") is Absent.UNKNOWN
        assert await keys_owned(store) == []

    async def test_forgetting_overtakes_the_first_write(self, store: SessionStore) -> None:
        assert await asked(store.forget, "key", 0) is Outcome.DONE
        assert await put(store, "key") is Outcome.CONFLICT
        assert await asked(store.take_over, "key") is Absent.UNKNOWN

    async def test_to_forget_twice_is_no_conflict(self, store: SessionStore) -> None:
        await put(store, "key")
        answers = [await asked(store.forget, "key", 0) for _ in range(2)]
        assert answers == [Outcome.DONE, Outcome.DONE]

    async def test_a_tombstone_is_gone_after_its_time(self, store: SessionStore, backend: Backend) -> None:
        assert backend.tombstone <= TOMBSTONE
        await asked(store.forget, "key", 3)
        await backend.passes(backend.tombstone - SOON)
        assert await put(store, "key") is Outcome.CONFLICT
        await backend.passes(2 * SOON)
        assert await put(store, "key") is Outcome.DONE

    # -- time ----------------------------------------------------------------------------------------------

    async def test_a_record_expires(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key", left=LIFETIME)
        await put(store, "another key")
        await backend.passes(LIFETIME + SOON)
        assert await asked(store.take_over, "key") is Absent.UNKNOWN
        assert await keys_owned(store) == ["another key"]

    async def test_where_one_has_expired_there_is_room_for_another(
        self, store: SessionStore, backend: Backend
    ) -> None:
        await put(store, "key", b"first", 7, LIFETIME)
        await backend.passes(LIFETIME + SOON)
        assert await put(store, "key", b"second", 0) is Outcome.DONE
        assert (await asked(store.take_over, "key")).epoch == 1

    async def test_each_write_begins_a_lifetime_anew(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key", b"first", left=LIFETIME)
        await backend.passes(LIFETIME * 0.7)
        await put(store, "key", b"second", left=LIFETIME)
        await backend.passes(LIFETIME * 0.7)
        assert (await asked(store.take_over, "key")).record == b"second"

    async def test_a_lifetime_may_become_shorter(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key", left=60.0)
        await put(store, "key", left=LIFETIME)
        await backend.passes(LIFETIME + SOON)
        assert await asked(store.take_over, "key") is Absent.UNKNOWN

    async def test_to_take_over_gives_no_more_time(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key", left=LIFETIME)
        await backend.passes(LIFETIME * 0.7)
        assert isinstance(await asked(store.take_over, "key"), Taken)
        await backend.passes(LIFETIME * 0.7)
        assert await asked(store.take_over, "key") is Absent.UNKNOWN

    async def test_the_age_is_that_of_the_last_write(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key")
        await backend.passes(0.5)
        assert (await asked(store.take_over, "key")).age == pytest.approx(0.5, abs=SOON)
        await backend.passes(0.5)
        assert (await asked(store.take_over, "key")).age == pytest.approx(1.0, abs=SOON)
        await put(store, "key", b"again", 2)
        assert (await asked(store.take_over, "key")).age < SOON

    # -- lists ---------------------------------------------------------------------------------------------

    async def test_what_a_node_owns_is_listed_with_what_is_left(
        self, store: SessionStore, backend: Backend
    ) -> None:
        await put(store, "a", left=60.0)
        await put(store, "b", left=100.0)
        await put(store, "over")
        await asked(store.forget, "over", 0)
        await backend.passes(1.0)
        listed = sorted(await asked(store.owned), key=lambda each: str(each.key))
        assert listed == [Listed(each.key, "node-1", each.left) for each in listed]
        assert [each.key for each in listed] == ["a", "b"]
        assert [each.left for each in listed] == pytest.approx([59.0, 99.0], abs=SOON)

    async def test_a_living_node_has_no_orphans(self, store: SessionStore, backend: Backend) -> None:
        await put(store, "key")
        await backend.passes(backend.lease * 1.5)
        assert await orphans(store) == []

    # -- the end -------------------------------------------------------------------------------------------

    async def test_what_is_under_way_at_the_end_is_answered(self, backend: Backend) -> None:
        store = backend.store()
        await store.open("node-1")
        answers = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(100)]
        answers.append(asking(store.owned))
        await store.close()
        async with asyncio.timeout(5):
            *outcomes, owned = await asyncio.gather(*answers)
        assert set(outcomes) == {Outcome.DONE}
        assert len(owned) == 100

    async def test_it_may_be_closed_twice(self, backend: Backend) -> None:
        store = backend.store()
        await store.open("node-1")
        await store.close()
        await store.close()


class SharedConformance(Conformance):
    """A store that several processes share, and that outlives each of them."""

    @pytest.fixture
    async def other(self, backend: Backend, store: SessionStore) -> AsyncIterator[SessionStore]:
        """The store as a second process sees it."""
        other = backend.store()
        await other.open("node-2")
        yield other
        await other.close()

    async def test_another_process_goes_on_with_it(self, store: SessionStore, other: SessionStore) -> None:
        await put(store, "key", b"of the first")
        taken = await asked(other.take_over, "key")
        assert (taken.record, taken.epoch) == (b"of the first", 1)
        assert await put(store, "key", b"too late", 0) is Outcome.CONFLICT
        assert await asked(store.forget, "key", 0) is Outcome.CONFLICT
        assert await put(other, "key", b"of the second", 1) is Outcome.DONE
        assert (await asked(store.take_over, "key")).record == b"of the second"

    async def test_it_belongs_to_who_took_it_over_last(
        self, store: SessionStore, other: SessionStore
    ) -> None:
        await put(store, "a")
        await put(store, "b")
        await asked(other.take_over, "b")
        assert (await keys_owned(store), await keys_owned(other)) == (["a"], ["b"])
        await asked(store.take_over, "b")
        assert (await keys_owned(store), await keys_owned(other)) == (["a", "b"], [])

    async def test_of_two_that_take_over_at_once_one_can_write(
        self, store: SessionStore, other: SessionStore
    ) -> None:
        for i in range(20):
            await put(store, f"key {i}")
            both = [asking(each.take_over, f"key {i}") for each in (store, other)]
            epochs = [taken.epoch for taken in await asyncio.gather(*both)]
            assert sorted(epochs) == [1, 2]
            writes = [
                asking(each.put, f"key {i}", b"mine", epoch, 60.0)
                for each, epoch in zip((store, other), epochs, strict=True)
            ]
            outcomes = dict(zip(epochs, await asyncio.gather(*writes), strict=True))
            assert outcomes == {1: Outcome.CONFLICT, 2: Outcome.DONE}

    async def test_what_one_has_ended_the_other_does_not_bring_back(
        self, store: SessionStore, other: SessionStore
    ) -> None:
        await put(store, "key")
        await asked(store.forget, "key", 0)
        assert await asked(other.take_over, "key") is Absent.UNKNOWN
        assert await put(other, "key", b"late", 9) is Outcome.CONFLICT

    async def test_a_node_that_comes_back_finds_what_it_owned(
        self, store: SessionStore, backend: Backend
    ) -> None:
        await put(store, "key", b"kept")
        await store.close()
        again = backend.store()
        await again.open("node-1")
        assert await keys_owned(again) == ["key"]
        assert (await asked(again.take_over, "key")).record == b"kept"
        await again.close()

    # -- leases --------------------------------------------------------------------------------------------

    async def test_the_records_of_a_dead_node_are_orphans(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        await put(store, "a")
        await put(store, "over")
        await asked(store.forget, "over", 0)
        await put(other, "b")
        assert await orphans(other) == []
        await store.close()
        await backend.passes(backend.lease * 1.5)
        [listed] = await asked(other.orphaned, 10)
        assert listed == Listed("a", "node-1", listed.left)
        assert listed.left == pytest.approx(60.0 - backend.lease * 1.5, abs=SOON)

    async def test_what_is_taken_over_is_no_orphan_any_more(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        await put(store, "a")
        await put(store, "b")
        await store.close()
        await backend.passes(backend.lease * 1.5)
        await asked(other.take_over, "a")
        assert (await orphans(other), await keys_owned(other)) == (["b"], ["a"])

    async def test_no_more_orphans_than_were_asked_for(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        keys = sorted(f"key {i}" for i in range(10))
        for key in keys:
            await put(store, key)
        await store.close()
        await backend.passes(backend.lease * 1.5)
        some = await orphans(other, 4)
        assert (len(some), set(some) <= set(keys)) == (4, True)
        assert await orphans(other, 10) == keys

    async def test_orphans_of_one_kind_are_found_among_many_of_another(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        calls = sorted(f"session {i}" for i in range(10))
        for key in [*(f"registration {i}" for i in range(100)), *calls, "sessions are something else"]:
            await put(store, key)
        await store.close()
        await backend.passes(backend.lease * 1.5)
        found = await asked(partial(other.orphaned, kind="session "), 20)
        assert sorted(listed.key for listed in found) == calls
        assert await asked(partial(other.orphaned, kind="subscription "), 20) == []

    async def test_an_orphan_expires_like_any_other(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        await put(store, "key", left=backend.lease * 1.2)
        await store.close()
        await backend.passes(backend.lease * 1.5)
        assert await orphans(other) == []

    async def test_a_node_that_is_back_in_time_keeps_what_it_owned(
        self, store: SessionStore, other: SessionStore, backend: Backend
    ) -> None:
        await put(store, "key")
        await store.close()
        await backend.passes(backend.lease * 1.5)
        again = backend.store()
        await again.open("node-1")
        assert await orphans(other) == []
        await again.close()

    # -- the end -------------------------------------------------------------------------------------------

    async def test_what_is_asked_after_the_end_has_failed(self, backend: Backend) -> None:
        store = backend.store()
        await store.open("node-1")
        await store.close()
        assert await put(store, "key") is Outcome.FAILED
        assert await asked(store.forget, "key", 0) is Outcome.FAILED
        assert await asked(store.take_over, "key") is Absent.FAILED
        assert await asked(store.owned) is Absent.FAILED
        assert await asked(store.orphaned, 10) is Absent.FAILED
