"""Calls whose user agent keeps them in a file, over real sockets."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

import pytest

from sipstack import Call, CallRejected, Invitation, UserAgent
from sipstack.store import sqlite_file
from sipstack.store.sqlite import SqliteStore

Calls = Callable[[], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def alice_and_bob(
    path: Path,
) -> AsyncIterator[tuple[Calls, UserAgent]]:
    """How alice calls bob, whose sessions are kept; and bob."""

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.ended()

    async with (
        UserAgent("sip:alice@127.0.0.1", listen="udp:127.0.0.1:0") as alice,
        UserAgent("sip:bob@127.0.0.1", listen="udp:127.0.0.1:0", sessions=SqliteStore(path)) as bob,
        bob.serving(answer),
    ):
        yield lambda: alice.call(bob.contact), bob


def kept(path: Path) -> tuple[int, int]:
    """How many sessions and how many tombstones."""
    with closing(sqlite3.connect(path)) as connection:
        [row] = connection.execute("SELECT count(record), count(*) - count(record) FROM record").fetchall()
    sessions, tombstones = row
    return sessions, tombstones


async def test_a_call_is_in_the_file_while_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    async with alice_and_bob(path) as (calls_bob, _):
        async with calls_bob():
            assert kept(path) == (1, 0)
        assert kept(path) == (0, 1)


async def test_while_the_file_is_locked_calls_live_on_and_new_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "PATIENCE", 0.1)
    path = tmp_path / "sessions.db"
    async with alice_and_bob(path) as (calls_bob, bob):
        async with calls_bob() as call:
            with closing(sqlite3.connect(path, isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")
                with pytest.raises(CallRejected) as refused:
                    async with calls_bob():
                        pass
                assert refused.value.status == 503
                assert "Retry-After" in refused.value.response.headers  # type: ignore[operator]
                await call.hold()
                assert len(bob.calls) == 1
                another.execute("COMMIT")
        async with calls_bob():
            sessions, _ = kept(path)
            assert sessions == 1
        assert kept(path)[0] == 0
