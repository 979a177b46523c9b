"""What can go wrong with the file: it is said, what is asked has failed, and all is well afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sipstack.outcome import Absent, Outcome
from sipstack.store import sqlite as sqlite_store
from sipstack.store import sqlite_file
from sipstack.store.port import SessionStore, Taken
from sipstack.store.sqlite import SqliteStore
from sipstack.store.sqlite_asks import Write
from sipstack.store.sqlite_file import SqliteFile
from sipstack.store.sqlite_trouble import QUIET
from tests.log_lines import lines, listen
from tests.store.conformance import asked, asking, keys_owned, put
from tests.store.machine import OneMachine, threads


@pytest.fixture
def machine(tmp_path: Path) -> OneMachine:
    return OneMachine(tmp_path / "sessions.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(os.path.getsize(path)))


def move_away(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.rename(f"{each}.damaged")


# --- the disk ---


async def until_done(store: SessionStore, key: str) -> None:
    """A disk that has room again is seen at the next write."""
    for _ in range(100):
        if await put(store, key) is Outcome.DONE:
            return
        await asyncio.sleep(0.05)
    pytest.fail("it stays so")


def said(caplog: pytest.LogCaptureFixture, machine: OneMachine) -> list[str]:
    return [line.replace(str(machine.path.parent), "DIR") for line in lines(caplog)]


KEPT_AGAIN = "store: DIR/sessions.db: sessions are kept again"


async def test_a_file_that_is_locked_by_another_process(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_file, "PATIENCE", 0.3)
    listen(caplog)
    store = machine.store()
    await store.open("node-1")
    await put(store, "before")
    with machine.another() as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            assert await put(store, "key") is Outcome.FAILED
            assert await asked(store.take_over, "before") is Absent.FAILED
        connection.execute("COMMIT")
    assert await put(store, "key") is Outcome.DONE
    machine.clock.passes(QUIET)
    assert isinstance(await asked(store.take_over, "before"), Taken)
    assert await put(store, "key") is Outcome.DONE
    assert said(caplog, machine) == [
        "WARNING store: DIR/sessions.db: sessions are not kept: another process keeps it locked: see"
        " which has it open",
        KEPT_AGAIN,
    ]
    await store.close()


async def test_a_short_lock_is_waited_for(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    with machine.another() as connection:
        connection.execute("BEGIN IMMEDIATE")
        ask = asking(store.put, "key", b"record", 0, 60.0)
        await asyncio.sleep(0.3)
        assert not ask.done()
        connection.execute("COMMIT")
    assert await ask is Outcome.DONE
    await store.close()


async def test_a_disk_that_is_full(
    small_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was kept stays, a new session is refused, and when there is room again all is well."""
    listen(caplog)
    machine = OneMachine(small_disk / "sessions.db")
    store = machine.store()
    await store.open("node-1")
    kept: list[str] = []
    while await put(store, key := f"key {len(kept)}", bytes(1000)) is Outcome.DONE:
        kept.append(key)
        assert len(kept) < 1000
    for _ in range(3):
        assert await put(store, "more", bytes(5000)) is Outcome.FAILED
    assert len(kept) > 20
    make_room(small_disk)
    await until_done(store, "more")
    machine.clock.passes(QUIET)
    assert await put(store, "even more", bytes(1000)) is Outcome.DONE
    assert await keys_owned(store) == sorted([*kept, "more", "even more"])
    assert (await asked(store.take_over, kept[0])).record == bytes(1000)
    assert said(caplog, machine) == [
        "WARNING store: DIR/sessions.db: sessions are not kept: the disk is full: make room",
        KEPT_AGAIN,
    ]
    await store.close()


@pytest.fixture
def hundred_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = SqliteFile.connect

    def small(file: SqliteFile) -> None:
        connect(file)
        file._db.execute("PRAGMA max_page_count = 100")

    monkeypatch.setattr(SqliteFile, "connect", small)


@pytest.mark.usefixtures("hundred_pages")
async def test_where_there_is_no_room_sessions_still_end_and_are_taken_over(machine: OneMachine) -> None:
    """In one batch with those that need room. What ends makes room for others, in time."""
    store = machine.store()
    await store.open("node-1")
    kept: list[str] = []
    while await put(store, key := f"key {len(kept)}", bytes(2000)) is Outcome.DONE:
        kept.append(key)
    asks = [
        asking(store.put, "more", bytes(5000), 0, 60.0),
        asking(store.forget, kept[0], 0),
        asking(store.take_over, kept[1]),
        asking(store.put, "more", bytes(5000), 0, 60.0),
        *[asking(store.forget, key, 0) for key in kept[2:]],
    ]
    refused, over, taken, again, *rest = await asyncio.gather(*asks)
    assert (refused, over, again) == (Outcome.FAILED, Outcome.DONE, Outcome.FAILED)
    assert (taken.epoch, set(rest)) == (1, {Outcome.DONE})
    assert await keys_owned(store) == [kept[1]]
    await machine.passes(machine.tombstone * 1.5)
    assert await put(store, "more", bytes(5000)) is Outcome.DONE
    await store.close()


async def test_a_file_that_is_damaged_while_it_is_used(
    machine: OneMachine, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it is moved away; then a new one is made, and sessions are kept in it."""
    store = machine.store()
    await store.open("node-1")
    for i in range(4000):
        store.put(f"key {i}", bytes(1500), 0, 60.0, lambda _: None)
    await put(store, "last")
    with machine.another() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(machine.path)
    listen(caplog)
    found = await asyncio.gather(*[asking(store.take_over, f"key {i}") for i in range(4000)])
    assert Absent.FAILED in found
    assert await put(store, "key") is Outcome.FAILED
    move_away(machine.path)
    await until_done(store, "key")
    assert await keys_owned(store) == ["key"]
    machine.clock.passes(QUIET)
    await put(store, "key")
    told = said(caplog, machine)
    assert told[-1] == KEPT_AGAIN
    assert told[0].startswith("WARNING store: DIR/sessions.db: sessions are not kept: it is damaged")
    assert len(told) == 2
    await store.close()


async def test_a_file_that_is_deleted_under_it_is_made_anew(
    machine: OneMachine, caplog: pytest.LogCaptureFixture
) -> None:
    """What is written to a file that nobody can open any more would be lost."""
    listen(caplog)
    store = machine.store()
    await store.open("node-1")
    await put(store, "before")
    for end in ("", "-wal", "-shm"):
        os.unlink(f"{machine.path}{end}")
    await machine.passes(5.0)
    assert await keys_owned(store) == []
    assert await put(store, "after") is Outcome.DONE
    assert machine.rows("SELECT key FROM record") == [(b"after",)]
    assert said(caplog, machine) == [
        "WARNING store: the file of the store was moved or deleted: a new one is made"
    ]
    await store.close()


# --- the thread ---


def in_place_of_writing(monkeypatch: pytest.MonkeyPatch, does: Callable[[], object]) -> None:
    def write(file: SqliteFile, writes: Sequence[Write]) -> list[Outcome]:
        does()
        return [Outcome.DONE] * len(writes)

    monkeypatch.setattr(SqliteFile, "write", write)


def raising(error: BaseException) -> Callable[[], None]:
    def does() -> None:
        raise error

    return does


async def test_an_error_that_nobody_thought_of_fails_what_is_asked_and_no_more(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    store = machine.store()
    await store.open("node-1")
    with monkeypatch.context() as patch:
        in_place_of_writing(patch, raising(MemoryError("no memory")))
        assert await put(store, "key") is Outcome.FAILED
    assert await put(store, "key") is Outcome.DONE
    assert said(caplog, machine) == [
        "WARNING store: DIR/sessions.db: sessions are not kept: MemoryError: no memory"
    ]
    await store.close()


async def test_a_thread_that_dies_leaves_no_question_open(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    store = machine.store()
    await store.open("node-1")
    in_place_of_writing(monkeypatch, raising(SystemExit("killed")))
    asks = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(1000)]
    assert set(await asyncio.gather(*asks)) == {Outcome.FAILED}
    assert threads() == []
    await asyncio.sleep(0.01)
    assert asking(store.put, "key", b"record", 0, 60.0).result() is Outcome.FAILED
    assert await asked(store.owned) is Absent.FAILED
    assert said(caplog, machine) == ["WARNING store: the thread of the store has died: SystemExit: killed"]
    await store.close()


async def test_a_disk_that_hangs_does_not_keep_the_store_from_closing(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "CLOSING", 0.2)
    store = machine.store()
    await store.open("node-1")
    goes_on = threading.Event()
    with monkeypatch.context() as patch:
        in_place_of_writing(patch, goes_on.wait)
        asks = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(10)]
        await asyncio.sleep(0.1)
        asks.append(asking(store.put, "later", b"record", 0, 60.0))
        await store.close()
        assert [ask.result() for ask in asks] == [Outcome.FAILED] * 11
        goes_on.set()  # whatever comes now comes too late, and harms nobody
        await asyncio.sleep(0.1)
    await store.open("node-1")
    assert await put(store, "key") is Outcome.DONE
    await store.close()


async def test_a_loop_that_ends_first_leaves_the_thread_to_end_by_itself(tmp_path: Path) -> None:
    def program() -> None:
        async def forgets_to_close() -> None:
            store = SqliteStore(tmp_path / "sessions.db")
            await store.open("node-1")
            store.put("key", b"record", 0, 60.0, lambda _: None)
            stores.append(store)

        asyncio.run(forgets_to_close())

    stores: list[SqliteStore] = []
    await asyncio.to_thread(program)
    with sqlite3.connect(tmp_path / "sessions.db") as connection:
        for _ in range(100):
            if connection.execute("SELECT count(*) FROM record").fetchone() == (1,):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("it was not written")
    connection.close()
    writer = stores[0]._writer
    assert writer is not None
    writer.stop()
    await asyncio.to_thread(writer._thread.join, 5)
    assert not writer._thread.is_alive()
