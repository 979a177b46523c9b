"""Where records are written: crashes, full disks, rotation, retention, keys and who may read them."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipstack.errors import LocalProtocolError, ParseError, StoreError
from sipstack.records import CallRecords, call_records
from sipstack.records.chain import OPENED, Entry
from sipstack.records.lines import LineFile
from sipstack.records.signing import Signer, has_signed, public_key
from tests.records.books import call, key_of, lines, look, rewrite, told, write, wrong
from tests.source import PROJECT

KINDS = ["calls.jsonl", "calls.sqlite"]


def numbers(*paths: Path) -> list[str]:
    return [each.call_id for each in look(*paths).calls]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- files and keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_files_are_for_their_owner_alone(tmp_path: Path, name: str) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / name, [call(1)])
    finally:
        os.umask(before)
    modes = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert modes.pop(f"{name}.key.pub") & 0o600 == 0o600
    assert set(modes.values()) == {0o600}


def test_the_key_is_made_once_and_others_verify_with_its_public_half(tmp_path: Path) -> None:
    first, second = Signer.at(tmp_path / "k"), Signer.at(tmp_path / "k")
    assert first.public == second.public == public_key((tmp_path / "k.pub").read_bytes())
    assert public_key((tmp_path / "k").read_bytes()) == first.public
    assert has_signed(first.public, b"text", second.sign(b"text").hex())
    assert not has_signed(first.public, b"another", second.sign(b"text").hex())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k", "k.pub"]


@pytest.mark.parametrize("junk", ["", "zz", "00", "00" * 64])
def test_junk_is_no_signature_and_no_key(tmp_path: Path, junk: str) -> None:
    signer = Signer.at(tmp_path / "k")
    assert not has_signed(signer.public, b"text", junk)
    assert not has_signed(junk, b"text", signer.sign(b"text").hex())
    with pytest.raises(ParseError):
        public_key(junk.encode())


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    Signer.at(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        Signer.at(tmp_path / "k")


def test_what_is_no_key_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("my secret")
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(StoreError, match="no private key") as raised:
        Signer.at(tmp_path / "k")
    assert "my secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_key_without_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        Signer.at(tmp_path / "none" / "k")


def test_no_key_is_in_any_repr(tmp_path: Path) -> None:
    signer = Signer.at(tmp_path / "k")
    secret = (tmp_path / "k").read_text().splitlines()[1]
    assert secret not in repr(signer) + repr(CallRecords(tmp_path / "c", key=tmp_path / "k"))


# -- going on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_chain_goes_on_after_an_orderly_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for number in range(3):
        write(path, [call(number)])
    assert (wrong(path, keys=[key_of(path)]), told(path)) == ([], [])
    assert numbers(path) == ["call-0", "call-1", "call-2"]


@pytest.mark.parametrize("name", KINDS)
def test_a_process_that_was_killed_is_told_for_ever(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, [call(number) for number in range(6)], end=False)
    assert (wrong(path), told(path)) == ([], ["unsigned"])
    write(path, [call(6)])
    assert (wrong(path), told(path)) == ([], ["unsigned"])
    assert len(numbers(path)) == 7


@pytest.mark.parametrize("left", [1, 40, 200])
def test_a_line_torn_by_a_crash_is_found_and_the_chain_goes_on(tmp_path: Path, left: int) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(0), call(1)], end=False)
    content = lines(path)
    path.write_bytes(b"".join(line + b"\n" for line in content[:-1]) + content[-1][:left])
    assert (wrong(path), told(path)) == ([], ["torn", "unsigned"])
    write(path, [call(2)])
    assert (wrong(path), told(path)) == ([], ["torn", "unsigned"])
    opened = [Entry.read(line) for line in lines(path) if b'"opened"' in line]
    assert [each.body["torn"] for each in opened] == [0, left]
    assert numbers(path) == ["call-0", "call-2"]


def test_a_torn_signature_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(0)], end=False)
    signatures = path.with_name("calls.jsonl.sig")
    with signatures.open("ab") as file:
        file.write(b'{"at":17')
    assert (wrong(path), told(path)) == ([], ["torn", "unsigned"])
    write(path, [call(1)])
    assert wrong(path, keys=[key_of(path)]) == []


def damage(path: Path) -> None:
    content = lines(path)
    content[2] = content[2].replace(b"call-1", b"call-9")
    rewrite(path, content)


def break_link(path: Path) -> None:
    content = lines(path)
    del content[2]
    rewrite(path, content)


def cut(path: Path) -> None:
    rewrite(path, lines(path)[:-2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def exchange(path: Path) -> None:
    other = path.with_name("other.jsonl")
    write(other, [call(number) for number in range(20)])
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("attack", [damage, break_link, cut, empty, exchange])
def test_nothing_is_written_behind_what_was_tampered_with(
    tmp_path: Path, attack: Callable[[Path], None]
) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(0), call(1), call(2)])
    attack(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"calls\.jsonl"):
        write(path, [call(3)])
    assert path.read_bytes() == before


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StoreError, match="move it away"):
        write(path)


def test_another_key_begins_no_chain_of_old(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(0)])
    with pytest.raises(StoreError, match="another key"):
        write(path, [call(1)], key=tmp_path / "new.key")


def test_two_processes_do_not_write_one_chain(tmp_path: Path) -> None:
    async def main() -> None:
        first, second = CallRecords(tmp_path / "calls.jsonl"), CallRecords(tmp_path / "calls.jsonl")
        await first.open("node 1")
        with pytest.raises(StoreError, match="another process"):
            await second.open("node 1")
        await first.close()
        await second.open("node 1")
        await second.close()

    asyncio.run(main())


def test_a_folder_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write(tmp_path / "none" / "calls.jsonl", key=tmp_path / "k")


@pytest.mark.parametrize("option", [{"every": 0}, {"seconds": 0}, {"rotate": 0}, {"keep": -1}])
def test_what_makes_no_sense_is_refused(tmp_path: Path, option: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        CallRecords(tmp_path / "calls.jsonl", **option)


# -- kill -9 -----------------------------------------------------------------------------------------------

VICTIM = """
import asyncio, sys
from sipstack.records import CallRecords
from tests.records.books import call

async def main():
    records = CallRecords(sys.argv[1], every=5)
    await records.open("node 1")
    number = int(sys.argv[2])
    while True:
        records.write(call(number))
        number += 1
        await asyncio.sleep(0)
        if number % 7 == 0:
            await asyncio.sleep(0.001)

asyncio.run(main())
"""


@pytest.mark.parametrize("name", KINDS)
def test_killed_again_and_again_in_the_middle_of_writing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for round_ in range(5):
        victim = subprocess.Popen([sys.executable, "-c", VICTIM, path, str(round_ * 100_000)], cwd=PROJECT)
        wait_for(lambda at=round_ * 100_000: has_more_than(path, at))  # type: ignore[misc]
        time.sleep(0.003 * round_)
        victim.send_signal(signal.SIGKILL)
        assert victim.wait(10) == -signal.SIGKILL
        assert wrong(path) == []
    write(path, [call(1_000_000)])
    evidence = look(path, keys=[key_of(path)])
    assert [each for each in evidence.findings.all if each.wrong] == []
    ids = [int(each.call_id.removeprefix("call-")) for each in evidence.calls]
    assert len(set(ids)) == len(ids)
    for round_ in range(5):  # of each life the first ones, without a gap
        own = [number for number in ids if number // 100_000 == round_]
        assert own == list(range(round_ * 100_000, round_ * 100_000 + len(own)))
        assert own


def has_more_than(path: Path, number: int) -> bool:
    try:
        return any(int(each.removeprefix("call-")) > number + 10 for each in numbers(path)[-20:])
    except StoreError:  # it is only just being made
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    """What happens in the thread is waited for."""
    await asyncio.get_running_loop().run_in_executor(None, wait_for, condition)


# -- what cannot be written --------------------------------------------------------------------------------


class Full(LineFile):
    """A disk that is full for so many writes."""

    left = 0

    def append(self, content: Sequence[bytes]) -> None:
        if content and Full.left:
            Full.left -= 1
            os.write(self._handle, content[0][:20])  # a part of it was written
            self.shorten(self.size)
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(content)


def test_a_full_disk_is_told_once_stops_no_call_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sipstack.records.files.LineFile", Full)
    monkeypatch.setattr("sipstack.records.writer.AGAIN", 0.05)
    path = tmp_path / "calls.jsonl"
    failures: list[Exception] = []

    async def main() -> None:
        records = CallRecords(path, every=4, on_failure=failures.append)
        await records.open("node 1")
        Full.left = 3
        for number in range(10):
            records.write(call(number))
        await until(lambda: not Full.left)
        records.write(call(10))
        await records.close()

    asyncio.run(main())
    assert [str(each) for each in failures] == ["[Errno 28] No space left on device"]
    assert caplog.text.count("call records cannot be written") == 1
    assert (wrong(path, keys=[key_of(path)]), told(path)) == ([], [])
    assert numbers(path) == [f"call-{number}" for number in range(11)]
    clear = lines(path.with_name("calls.jsonl.clear"))
    assert len(clear) == 22  # no text is left of what was tried in vain


def test_calls_that_find_no_room_are_counted_in_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sipstack.records.files.LineFile", Full)
    monkeypatch.setattr("sipstack.records.writer.AGAIN", 0.05)
    monkeypatch.setattr(call_records, "MOST_WAITING", 5)
    path = tmp_path / "calls.jsonl"

    async def main() -> None:
        records = CallRecords(path, every=100)
        await records.open("node 1")
        Full.left = 5
        records.write(call(0))
        await asyncio.sleep(0.02)  # it is tried
        for number in range(1, 9):
            records.write(call(number))
        await until(lambda: not Full.left)
        await records.close()

    asyncio.run(main())
    evidence = look(path)
    (finding,) = evidence.findings.all
    assert (finding.kind, finding.wrong) == ("lost", False)
    lost = int(finding.text.split()[0])
    assert lost >= 3
    assert len(evidence.calls) == 9 - lost
    assert caplog.text.count("no room for the record") == lost


def test_what_cannot_be_written_at_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sipstack.records.files.LineFile", Full)
    path = tmp_path / "calls.jsonl"

    async def main() -> None:
        records = CallRecords(path)
        await records.open("node 1")
        Full.left = 1_000
        records.write(call(0))
        records.write(call(1))
        await records.close()

    asyncio.run(main())
    Full.left = 0
    assert "2 calls could not be recorded" in caplog.text
    assert (wrong(path), numbers(path)) == ([], [])


def test_a_table_that_is_locked_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipstack.records.writer.AGAIN", 0.05)
    path = tmp_path / "calls.sqlite"
    write(path)
    failures: list[Exception] = []

    async def main() -> None:
        records = CallRecords(path, on_failure=failures.append)
        await records.open("node 1")
        assert records._journal is not None
        records._journal._connection.execute("PRAGMA busy_timeout = 10")  # type: ignore[attr-defined]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        records.write(call(0))
        await until(lambda: bool(failures))
        other.execute("ROLLBACK")
        other.close()
        await records.close()

    asyncio.run(main())
    assert len(failures) == 1
    assert (wrong(path), numbers(path)) == ([], ["call-0"])


def test_a_fault_of_ours_in_the_thread_is_told_and_stops_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = []

    async def main() -> None:
        records = CallRecords(tmp_path / "calls.jsonl", on_failure=failures.append)
        await records.open("node 1")
        monkeypatch.setattr("sipstack.records.writer.committed", lambda *_: 1 / 0)
        records.write(call(0))
        await until(lambda: bool(failures))
        records.write(call(1))
        await records.close()

    asyncio.run(main())
    assert [type(each) for each in failures] == [ZeroDivisionError]
    assert "no room for the record" in caplog.text


# -- who waits for it --------------------------------------------------------------------------------------


def test_who_waits_is_told_when_the_record_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    seen: list[int] = []

    async def main() -> None:
        records = CallRecords(path)
        await records.open("node 1")
        done = asyncio.Event()
        for number in range(20):
            records.write(call(number))
            records.when_written(lambda number=number: seen.append(number))  # type: ignore[misc]
            if number == 9:
                await asyncio.sleep(0.01)
        records.when_written(done.set)
        await done.wait()
        assert numbers(path) == [f"call-{number}" for number in range(20)]
        await records.close()
        records.when_written(lambda: seen.append(99))

    asyncio.run(main())
    assert seen == [*range(20), 99]


def test_nobody_waits_for_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipstack.records.files.LineFile", Full)

    async def main() -> None:
        records = CallRecords(tmp_path / "calls.jsonl")
        await records.open("node 1")
        Full.left = 1_000
        records.write(call(0))
        done = asyncio.Event()
        records.when_written(done.set)
        async with asyncio.timeout(1):
            await done.wait()
        told: list[int] = []
        records.when_written(lambda: told.append(1))
        assert told == [1]
        await records.close()

    asyncio.run(main())
    Full.left = 0


# -- the call key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_whether_a_call_has_its_record_is_known_after_a_restart(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, [call(1)])

    async def main() -> None:
        records = CallRecords(path)
        await records.open("node 1")
        assert records.written(call(1).key)
        assert not records.written(call(2).key)
        records.write(call(2))
        assert records.written(call(2).key)
        await records.close()

    asyncio.run(main())


def test_a_record_after_the_end_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = CallRecords(tmp_path / "calls.jsonl")
    records.write(call(1))
    assert "no record of the call" in caplog.text


def test_the_beginning_of_a_chain_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, node="node 9")
    opened = json.loads(lines(path)[0])
    assert opened["kind"] == OPENED
    assert opened["body"] == {"every": 4, "node": "node 9", "public": key_of(path), "torn": 0, "unsigned": 0}
