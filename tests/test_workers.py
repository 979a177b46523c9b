"""Worker processes: what becomes of them when one dies, and when all are to leave. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sipstack import LocalProtocolError, WorkerEnded, Workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them")

PATIENCE = 20.0  # seconds

BEGIN = """
import os, signal, sys, time
from sipstack import Workers
def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())
def told(ended):
    say("told", ended.number, ended.retry_in, ended.reason)
"""
WAIT = """
def work(number):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say("worker", number, os.getpid())
    while True:
        time.sleep(60)
"""
RUN = """
say("parent", os.getpid())
status = Workers(2, work, told).run()
say("over", status)
"""


class Program:
    """A program that runs workers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, begins: str, times: int = 1) -> list[str]:
        """The words of the next lines that begin so, without the beginning."""
        assert self.process.stdout is not None
        found: list[str] = []
        while len(found) < times:
            line = self.process.stdout.readline()
            assert line, f"{begins} was never said: {self.said}"
            self.said.append(line)
            if line.startswith(begins + " "):
                found.append(line.removeprefix(begins).strip())
        return found

    def rest(self) -> str:
        return self.process.communicate(timeout=PATIENCE)[0]


@contextmanager
def program(text: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + text],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)  # then reading ends
    watchdog.start()
    try:
        yield Program(process)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def gone(pids: list[int]) -> bool:
    """Whether none is alive; what closes its files may take a moment longer to be over."""
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_alive, pids))


def test_a_worker_that_is_killed_is_told_of_and_started_again_with_longer_and_longer_pauses() -> None:
    with program(WAIT + RUN) as running:
        pids = {line.split()[0]: int(line.split()[1]) for line in running.until("worker", 2)}
        assert pids.keys() == {"0", "1"}
        pid = pids["1"]
        for pause in ("0.5", "1.0"):
            os.kill(pid, signal.SIGKILL)
            assert running.until("told") == [f"1 {pause} killed by SIGKILL"]
            number, again = running.until("worker")[0].split()
            assert number == "1"
            assert int(again) != pid
            pid = int(again)
        assert is_alive(pids["0"])
        running.process.send_signal(signal.SIGTERM)
        assert "over 130" in running.rest()
        assert not is_alive(pid)
        assert not is_alive(pids["0"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signal_of_the_parent_ends_all(number: signal.Signals) -> None:
    work = WAIT.replace("SIGTERM", number.name)
    with program(work + RUN) as running:
        pids = [int(line.split()[1]) for line in running.until("worker", 2)]
        running.process.send_signal(number)
        *told, over = running.rest().splitlines()
        assert sorted(told) == [f"told {each} None it left with status 0" for each in (0, 1)]
        assert over == "over 130"
        assert not any(map(is_alive, pids))


def test_workers_leave_when_their_parent_is_killed() -> None:
    with program(WAIT + RUN) as running:
        pids = [int(line.split()[1]) for line in running.until("worker", 2)]
        running.process.kill()
        assert running.rest() == ""  # the other end of the pipe is closed by the last of them
        assert gone(pids)


def test_a_worker_that_cannot_begin_ends_all_with_its_status() -> None:
    work = WAIT.replace('say("worker', 'if number == 0: return 5\n    say("worker')
    with program(work + RUN) as running:
        assert running.rest().endswith("over 5\n")


def test_a_worker_that_raises_shows_it_and_counts_as_failed() -> None:
    with program("def work(number):\n    raise RuntimeError('no luck')\n" + RUN) as running:
        said = running.rest()
        assert "RuntimeError: no luck" in said
        assert said.endswith("over 1\n")


def test_a_second_signal_reaches_a_worker_that_takes_its_time() -> None:
    slow = """
def work(number):
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append(1) or say("heard", number, len(heard)))
    say("worker", number, os.getpid())
    while len(heard) < 2:
        time.sleep(0.05)
    return 0
"""
    with program(slow + RUN) as running:
        running.until("worker", 2)
        running.process.terminate()
        assert sorted(running.until("heard", 2)) == ["0 1", "1 1"]
        running.process.terminate()
        assert running.rest().endswith("over 130\n")


def test_workers_are_started_from_the_main_thread_alone() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            Workers(2, lambda number: 0).run()
        except LocalProtocolError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    assert "main thread" in str(caught[0])


def test_what_is_told_of_a_worker_can_be_compared() -> None:
    assert WorkerEnded(1, "killed by SIGKILL", 0.5) == WorkerEnded(1, "killed by SIGKILL", 0.5)
