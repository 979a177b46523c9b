"""Sessions in a file of SQLite: what it does as any store, and what lies in the file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipstack.outcome import Absent, Outcome
from sipstack.store.sqlite import MOST_OCTETS, MOST_WAITING, SqliteStore
from sipstack.store.sqlite_asks import Write
from sipstack.store.sqlite_file import FORGOTTEN, SIZES, SWEPT_AT_ONCE, SqliteFile
from sipstack.store.sqlite_writer import APART, MOST_AT_ONCE
from tests.store.conformance import Backend, SharedConformance, asking, keys_owned, put
from tests.store.machine import OneMachine


class TestSqlite(SharedConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return OneMachine(tmp_path / "sessions.db")


@pytest.fixture
def machine(tmp_path: Path) -> OneMachine:
    return OneMachine(tmp_path / "sessions.db")


# --- the file ---


async def test_nobody_else_may_read_the_file(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    await put(store, "key")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in machine.path.parent.iterdir()}
    assert modes == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}
    await store.close()


@pytest.mark.parametrize("name", ["?mode=memory", "a b%20#c", ":memory:", "Ä"])
async def test_any_name_is_that_of_a_file(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path / name)
    await store.open("node-1")
    await put(store, "key")
    await store.close()
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(("durability", "synchronous"), [("machine", "FULL"), ("process", "NORMAL")])
async def test_what_is_waited_for_is_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, synchronous: str
) -> None:
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(statements.append)
        assert isinstance(connection, sqlite3.Connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    store = SqliteStore(tmp_path / "sessions.db", durability=durability)  # type: ignore[arg-type]
    await store.open("node-1")
    await store.close()
    assert f"PRAGMA synchronous = {synchronous}" in statements


def test_no_other_durability_than_these(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='"machine" or "process", not \'full\''):
        SqliteStore(tmp_path / "sessions.db", durability="full")  # type: ignore[arg-type]


async def test_what_is_over_is_swept(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    for i in range(SWEPT_AT_ONCE + 500):
        store.put(f"over {i}", b"record", 0, 60.0, lambda _: None)
        store.forget(f"over {i}", 0, lambda _: None)
        store.put(f"expires {i}", b"record", 0, 50.0, lambda _: None)
    await put(store, "stays", left=1000.0)
    await machine.passes(100.0)
    assert machine.rows("SELECT key FROM record") == [(b"stays",)]
    await store.close()


async def test_the_file_does_not_grow_with_the_calls_that_are_over(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    pages = []
    for _ in range(4):
        for i in range(500):
            store.put(f"key {i}", bytes(1000), 0, 1800.0, lambda _: None)
            store.forget(f"key {i}", 0, lambda _: None)
        await machine.passes(machine.tombstone * 1.5)
        pages += machine.rows("PRAGMA page_count")
    assert pages[1:] == pages[:1] * 3
    await store.close()


async def test_a_node_that_owns_nothing_is_forgotten_after_a_day(machine: OneMachine) -> None:
    store, other = machine.store(), machine.store()
    await store.open("owns something")
    await put(store, "key", left=10 * FORGOTTEN)
    await store.close()
    await store.open("owns nothing")
    await store.close()
    await other.open("lives")
    await machine.passes(FORGOTTEN * 1.2)
    assert machine.rows("SELECT name FROM node ORDER BY name") == [("lives",), ("owns something",)]
    await other.close()


# --- batches ---


@pytest.mark.parametrize("count", [1, 3, SIZES[0], SIZES[0] + 23, 3 * MOST_AT_ONCE + 5])
async def test_of_many_in_one_turn_each_has_its_own_outcome(machine: OneMachine, count: int) -> None:
    store = machine.store()
    await store.open("node-1")
    await asyncio.gather(*[asking(store.put, f"key {i}", b"", 0, 60.0) for i in range(0, count, 3)])
    await asyncio.gather(*[asking(store.take_over, f"key {i}") for i in range(0, count, 3)])
    outcomes = await asyncio.gather(*[asking(store.put, f"key {i}", b"", 0, 60.0) for i in range(count)])
    assert outcomes == [Outcome.DONE if i % 3 else Outcome.CONFLICT for i in range(count)]
    await store.close()


async def test_a_key_that_comes_twice_in_a_batch_is_written_in_order(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    epochs = (0, 1, 0, 1, 2, 1, 2)
    asks = [asking(store.put, "key", b"%d" % i, epoch, 60.0) for i, epoch in enumerate(epochs)]
    outcomes = await asyncio.gather(
        *asks, asking(store.forget, "key", 2), asking(store.put, "key", b"", 9, 60.0)
    )
    assert [outcome is Outcome.DONE for outcome in outcomes] == [
        *(True, True, False, True, True, False, True),
        *(True, False),
    ]
    await store.close()


async def test_what_waits_is_bounded_in_number(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    with machine.another() as connection:
        connection.execute("BEGIN IMMEDIATE")
        asks = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(MOST_WAITING)]
        assert not any(ask.done() for ask in asks)
        for method, arguments, failed in (
            (store.put, ("more", b"record", 0, 60.0), Outcome.FAILED),
            (store.forget, ("more", 0), Outcome.FAILED),
            (store.take_over, ("more",), Absent.FAILED),
        ):
            assert asking(method, *arguments).result() is failed
        connection.execute("COMMIT")
    assert set(await asyncio.gather(*asks)) == {Outcome.DONE}
    assert await put(store, "more") is Outcome.DONE
    assert len(await keys_owned(store)) == MOST_WAITING + 1
    await store.close()


async def test_what_waits_is_bounded_in_octets(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    record = bytes(2**20)
    asks = [asking(store.put, f"key {i}", record, 0, 60.0) for i in range(MOST_OCTETS // len(record) + 1)]
    assert [ask.done() for ask in asks] == [False] * (len(asks) - 2) + [True, True]
    outcomes = await asyncio.gather(*asks)
    assert outcomes == [Outcome.DONE] * (len(asks) - 2) + [Outcome.FAILED] * 2
    assert await put(store, "more", record) is Outcome.DONE
    await store.close()


async def test_an_answer_that_raises_disturbs_no_other(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    error = RuntimeError("not taken")

    def raises(outcome: Outcome) -> None:
        raise error

    store.put("a", b"record", 0, 60.0, raises)
    assert await put(store, "b") is Outcome.DONE
    assert told == [error]
    await store.close()


async def test_of_what_comes_one_by_one_several_are_one_transaction(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time, for it is the disk's that is saved."""
    batches: list[int] = []
    write = SqliteFile.write

    def counted(file: SqliteFile, writes: Sequence[Write]) -> list[Outcome]:
        batches.append(len(writes))
        return write(file, writes)

    monkeypatch.setattr(SqliteFile, "write", counted)
    store = machine.store()
    await store.open("node-1")
    asks, begun = [], time.monotonic()
    for i in range(100):
        asks.append(asking(store.put, f"key {i}", b"record", 0, 60.0))
        await asyncio.sleep(0.001)
    await asyncio.gather(*asks)
    await store.close()
    assert sum(batches) == 100
    assert len(batches) <= (time.monotonic() - begun) / APART + 2
