"""Files that an SQLite store cannot be opened with: what is said, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipstack.errors import StoreError
from sipstack.outcome import Outcome
from sipstack.store import sqlite_file
from sipstack.store.sqlite import SqliteStore
from tests.store.conformance import put
from tests.store.machine import OneMachine, threads

ROOT = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def machine(tmp_path: Path) -> OneMachine:
    return OneMachine(tmp_path / "sessions.db")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that an unprivileged user reaches; tmp_path is root's alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Become somebody who may not write everything: root may."""

    def become() -> None:
        if ROOT:
            os.seteuid(NOBODY)

    yield become
    if ROOT:
        os.seteuid(0)


async def refused(path: Path) -> str:
    """What is said when the store at this path is opened. The store can be opened later, so it is as new."""
    store = SqliteStore(path)
    with pytest.raises(StoreError) as caught:
        await store.open("node-1")
    assert await put(store, "key") is Outcome.FAILED
    assert threads() == []
    return str(caught.value).replace(str(path.parent), "DIR")


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    said = await refused(tmp_path / "none" / "sessions.db")
    assert said == "DIR/sessions.db: its directory is not there: make it, or name another file"


async def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    assert (await refused(tmp_path)).endswith(f"{tmp_path.name}: it is a directory: name a file in it")


async def test_a_file_that_is_read_only(open_directory: Path, unprivileged: Callable[[], None]) -> None:
    path = open_directory / "sessions.db"
    path.touch()
    path.chmod(0o444)
    os.chmod(open_directory, 0o777)
    unprivileged()
    assert await refused(path) == (
        "DIR/sessions.db: this process must be allowed to write it, and its directory"
    )


async def test_a_directory_that_is_read_only(open_directory: Path, unprivileged: Callable[[], None]) -> None:
    path = open_directory / "sessions.db"
    os.chmod(open_directory, 0o555)
    unprivileged()
    assert await refused(path) == "DIR/sessions.db: it cannot be made: Permission denied"


async def test_a_directory_that_became_read_only(
    open_directory: Path, unprivileged: Callable[[], None]
) -> None:
    path = open_directory / "sessions.db"
    path.touch()
    path.chmod(0o666)
    os.chmod(open_directory, 0o555)
    unprivileged()
    said = await refused(path)
    assert said == ("DIR/sessions.db: this process must be allowed to write it, and its directory")


@pytest.mark.parametrize("content", [b"plain text " * 1000, bytes(8192)], ids=["text", "zeros"])
async def test_a_file_that_is_none_of_sqlite(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sessions.db"
    path.write_bytes(content)
    assert await refused(path) == (
        "DIR/sessions.db: it is damaged, or no file of SQLite: move it away, with its -wal and -shm,"
        " and a new one is made; the sessions in it are lost"
    )
    assert path.read_bytes() == content


@pytest.mark.parametrize("part", range(8))
async def test_a_file_that_is_damaged_somewhere(machine: OneMachine, part: int) -> None:
    """It is found at once, or the records that are left are whole: nothing else is ever given back."""
    store = machine.store()
    await store.open("node-1")
    for i in range(400):
        store.put(f"key {i}", b"%d" % i * 200, 0, 60.0, lambda _: None)
    await store.close()
    size = machine.path.stat().st_size
    with machine.path.open("r+b") as file:
        file.seek(size * part // 8)
        file.write(os.urandom(4096))
    said = await refused(machine.path)
    assert said.startswith("DIR/sessions.db: it is damaged, or no file of SQLite: move it away")


async def test_a_file_that_was_cut(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    for i in range(400):
        store.put(f"key {i}", b"%d" % i * 200, 0, 60.0, lambda _: None)
    await store.close()
    os.truncate(machine.path, machine.path.stat().st_size // 2)
    assert "it is damaged, or no file of SQLite" in await refused(machine.path)


async def test_the_database_of_another_application(machine: OneMachine) -> None:
    with machine.another() as connection:
        connection.execute("CREATE TABLE record (key, value)")
    before = machine.path.read_bytes()
    assert await refused(machine.path) == (
        "DIR/sessions.db: the database of another application: name another file"
    )
    assert machine.path.read_bytes() == before


async def test_a_file_of_a_later_sipstack(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    await store.close()
    with machine.another() as connection:
        connection.execute("PRAGMA user_version = 7")
    assert await refused(machine.path) == (
        "DIR/sessions.db: version 7 is not ours: use the sipstack that made it"
    )


async def test_a_file_that_is_locked_when_it_is_opened(
    machine: OneMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "PATIENCE", 0.3)
    store = machine.store()
    await store.open("node-1")
    await store.close()
    with machine.another() as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert await refused(machine.path) == (
            "DIR/sessions.db: another process keeps it locked: see which has it open"
        )
    again = machine.store()
    await again.open("node-1")
    assert await put(again, "key") is Outcome.DONE
    await again.close()


async def test_who_stops_waiting_for_it_to_open_leaves_nothing(machine: OneMachine) -> None:
    store = machine.store()
    opening = asyncio.ensure_future(store.open("node-1"))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert threads() == []
    await store.open("node-1")
    assert await put(store, "key") is Outcome.DONE
    with pytest.raises(StoreError, match="each user agent needs one of its own"):
        await store.open("node-2")
    await store.close()
