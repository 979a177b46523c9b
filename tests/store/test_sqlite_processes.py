"""Several processes with one file, some of which are killed: what was answered is there afterwards."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import Taken
from sipstack.store.sqlite import SqliteStore
from tests.source import PROJECT
from tests.store.conformance import asking, put

KILLS = 20


class Process:
    """One that uses the store, killed at the end of the test at the latest."""

    def __init__(self, mode: str, path: Path, node: str) -> None:
        command = [sys.executable, "-m", "tests.store.sqlite_process", mode, str(path), node]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, bufsize=0)

    def until_open(self) -> Process:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def goes(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    def lines(self) -> list[list[str]]:
        """What it says until its end."""
        said, _ = self._process.communicate(timeout=30)
        return [line.split() for line in said.decode().splitlines()]

    def killed(self) -> list[list[str]]:
        """What it had said before it was killed."""
        self._process.send_signal(signal.SIGKILL)
        return self.lines()

    @property
    def code(self) -> int | None:
        return self._process.returncode


async def test_what_was_answered_before_a_kill_9_is_there_afterwards(tmp_path: Path) -> None:
    """Twenty times in a row, on one file, at any moment."""
    path = tmp_path / "sessions.db"
    chance = random.Random(1)
    answered = 0
    for kill in range(KILLS):
        node = f"node-{kill}"
        process = Process("keep", path, node).until_open()
        await asyncio.sleep(chance.uniform(0.0, 0.25))
        said = process.killed()
        assert process.code == -signal.SIGKILL
        answered += await _holds_what_it_said(path, node, said)
    assert answered > KILLS * 100
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def _holds_what_it_said(path: Path, node: str, said: list[list[str]]) -> int:
    kept: dict[int, int] = {}
    ending: set[int] = set()
    over: set[int] = set()
    for line in said:
        number = int(line[1])
        match line[0]:
            case "kept":
                kept[number] = int(line[2])
            case "ending":
                ending.add(number)
            case "over":
                over.add(number)
    store = SqliteStore(path, durability="process")
    await store.open(node)
    taken = await asyncio.gather(*[asking(store.take_over, f"{node} {number}") for number in kept])
    for (number, state), found in zip(kept.items(), taken, strict=True):
        if isinstance(found, Taken):
            assert int(found.record[:1]) >= state
            assert len(found.record) == 300
            assert number not in over
        else:
            assert (found, number in ending) == (Absent.UNKNOWN, True)
    late = [asking(store.put, f"{node} {number}", b"late", 0, 60.0) for number in over]
    assert set(await asyncio.gather(*late)) <= {Outcome.CONFLICT}
    await store.close()
    return len(said)


async def test_of_two_processes_that_take_over_at_once_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = SqliteStore(path)
    await store.open("node-0")
    for number in range(50):
        await put(store, f"key {number}")
    both = [Process("race", path, node).until_open() for node in ("node-1", "node-2")]
    for process in both:
        process.goes()
    told = [line for process in both for line in process.lines()]
    assert [process.code for process in both] == [0, 0]
    taken = Counter((int(number), int(epoch)) for number, epoch, _ in told)
    assert taken == dict.fromkeys([(number, epoch) for number in range(50) for epoch in (1, 2)], 1)
    # that of the first may be DONE as well: before the second took it over
    assert {outcome for _, epoch, outcome in told if epoch == "2"} == {"DONE"}
    for number in range(50):
        assert await put(store, f"key {number}", b"stale", 1) is Outcome.CONFLICT
    await store.close()


async def test_processes_that_make_and_write_one_file_at_once_do_not_starve_one_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sessions.db"
    processes = [Process("keep", path, f"node-{i}") for i in range(4)]
    for process in processes:
        process.until_open()
    await asyncio.sleep(1.5)
    said = [process.killed() for process in processes]
    written = [len([line for line in lines if line[0] == "kept"]) for lines in said]
    assert min(written) > 100
    for i, lines in enumerate(said):
        await _holds_what_it_said(path, f"node-{i}", lines)
