"""Parts of a chain: closed when they are full, dropped when they are old."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from sipstack.records import CallRecords
from sipstack.records.chain import DROPPED, Entry
from tests.records.books import NOON, call, key_of, lines, look, rewrite, ticking, told, write, wrong

KINDS = ["calls.jsonl", "calls.sqlite"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_quiet_chain_is_signed_after_some_seconds(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"

    async def main() -> None:
        records = CallRecords(path, seconds=0.05)
        await records.open("node 1")
        records.write(call(0))
        await asyncio.sleep(0.02)
        first = told(path)
        await asyncio.sleep(0.4)
        assert told(path) == ["open"]
        assert first in (["unsigned"], ["open"])
        await records.close()

    asyncio.run(main())
    assert told(path) == []


def parts(path: Path) -> list[Path]:
    return sorted(path.parent.glob("calls.0*.jsonl"))


def test_full_files_are_closed_and_the_chain_goes_on_through_all(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    for life in range(3):
        write(path, [call(20 * life + number) for number in range(20)], rotate=5_000)
    assert len(parts(path)) > 5
    assert {mode(each) for each in tmp_path.iterdir() if each.suffix != ".pub"} == {0o600}
    evidence = look(path, keys=[key_of(path)])
    assert evidence.findings.all == []
    assert len(evidence.calls) == 60
    assert evidence.calls[0].remote == "sip:caller0@example.com"
    first = [int(part.name.split(".")[1]) for part in parts(path)]
    assert [Entry.read(lines(part)[0]).number for part in parts(path)] == first


def test_a_part_that_is_deleted_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(20)], rotate=5_000)
    oldest, middle = parts(path)[0], parts(path)[1]
    kept = middle.read_bytes()
    middle.unlink()
    assert [kind for kind, _ in wrong(path)] == ["gap"]
    middle.write_bytes(kept)
    oldest.unlink()
    assert [kind for kind, _ in wrong(path)] == ["gap"]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_old_is_dropped_after_a_signed_word_and_the_chain_holds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, [call(number) for number in range(20)], rotate=3_000, clock=ticking(NOON))
    week = 7 * 86_400.0
    late = ticking(NOON + 2 * week)
    write(path, [call(number) for number in range(20, 25)], rotate=3_000, keep=week, clock=late)
    evidence = look(path, keys=[key_of(path)])
    assert [each.kind for each in evidence.findings.all] == ["dropped"]
    assert not evidence.findings.any_wrong
    assert evidence.calls[-1].call_id == "call-24"
    assert len(evidence.calls) < 25
    texts = [each.read_bytes() for each in tmp_path.iterdir()]
    assert not any(b"caller0@" in text for text in texts)


def test_who_deletes_more_than_was_dropped_is_found(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(20)], rotate=3_000, clock=ticking(NOON))
    late = ticking(NOON + 1000)
    write(path, [call(number) for number in range(20, 60)], rotate=3_000, keep=500.0, clock=late)
    assert wrong(path) == []
    parts(path)[0].unlink()
    assert [kind for kind, _ in wrong(path)] == ["gap"]


def test_a_forged_word_on_what_was_dropped_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(5)], end=False)
    content = lines(path)
    first, last = Entry.read(content[3]), Entry.read(content[-1])
    word = {"last": first.number - 1, "hash": first.before}
    rewrite(path, [*content[3:], Entry.after(last, DROPPED, word, last.at).line()])
    assert "gap" in {kind for kind, _ in wrong(path)}


def test_a_file_is_closed_after_a_quarter_of_the_time_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(20)], keep=100.0, every=1, clock=ticking(NOON, 5.0))
    assert len(parts(path)) >= 3
    assert wrong(path) == []
