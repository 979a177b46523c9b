"""What names people stands apart, and can be deleted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sqlite3
from pathlib import Path

import pytest

from sipstack.errors import StoreError
from sipstack.records import CallRecords
from sipstack.records.commitment import Opening, committed
from sipstack.records.redacting import redact
from tests.records.books import call, key_of, lines, look, told, write, wrong

PEOPLE = ("bob", "caller", "Alice", "192.0.2.7")
KINDS = ["calls.jsonl", "calls.sqlite"]


def fill(path: Path) -> None:
    write(path, [call(number, user="Alice", peer="192.0.2.7 5060") for number in range(6)])


def of_caller(number: int) -> str:
    return f"sip:caller{number}@example.com"


def test_the_chain_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    fill(path)
    chain = path.read_text() + path.with_name("calls.jsonl.sig").read_text()
    assert [name for name in PEOPLE if name in chain] == []
    texts = path.with_name("calls.jsonl.clear").read_text()
    assert [name for name in PEOPLE if name not in texts] == []


def test_two_calls_of_one_caller_cannot_be_seen_to_be_of_one() -> None:
    first, _ = committed(call(1).as_values(), os.urandom)
    second, _ = committed(call(1).as_values(), os.urandom)
    assert first["remote"] != second["remote"]


def test_what_is_empty_stays_empty() -> None:
    values, openings = committed(call(1, local="", remote="").as_values(), os.urandom)
    assert (values["local"], values["remote"], openings) == ("", "", [])


def test_anybody_can_open_a_commitment_with_salt_and_text(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    fill(path)
    opening = json.loads(lines(path.with_name("calls.jsonl.clear"))[1])
    digest = hmac.new(bytes.fromhex(opening["salt"]), opening["text"].encode(), hashlib.sha256).hexdigest()
    assert digest == opening["commitment"]
    assert opening["commitment"] in path.read_text()


def test_an_opening_shows_neither_salt_nor_text() -> None:
    shown = repr(Opening("c", b"secret", "sip:alice@example.com"))
    assert "secret" not in shown
    assert "alice" not in shown


# -- redaction ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_caller_who_is_redacted_is_gone_and_the_chain_holds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    fill(path)
    assert redact(path, lambda opening: opening.text == of_caller(3)) == 1
    evidence = look(path, keys=[key_of(path)])
    assert evidence.findings.all == []
    assert [each.remote for each in evidence.calls][2:5] == [of_caller(2), "redacted", of_caller(4)]
    everything = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert of_caller(3).encode() not in everything
    assert of_caller(2).encode() in everything


@pytest.mark.parametrize("name", KINDS)
def test_what_is_redacted_stays_so_and_is_not_counted_twice(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    fill(path)
    assert redact(path, lambda opening: True) == 24
    assert redact(path, lambda opening: True) == 0
    assert (wrong(path), told(path)) == ([], [])
    assert {each.remote for each in look(path).calls} == {"redacted"}


@pytest.mark.parametrize("name", KINDS)
def test_redaction_while_the_process_writes_loses_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    async def main() -> None:
        records = CallRecords(path, every=2)
        await records.open("node 1")
        for number in range(40):
            records.write(call(number))
            await asyncio.sleep(0.005)
            redact(path, lambda opening: opening.text == of_caller(5))
        await records.close()

    asyncio.run(main())
    evidence = look(path)
    assert evidence.findings.all == []
    assert [each.remote for each in evidence.calls] == [
        "redacted" if number == 5 else of_caller(number) for number in range(40)
    ]


def test_a_chain_whose_texts_are_lost_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    fill(path)
    path.with_name("calls.jsonl.clear").unlink()
    assert (wrong(path), told(path)) == ([], [])
    assert {each.local for each in look(path).calls} == {"redacted"}


def test_nothing_is_left_of_a_redacted_text_in_the_table(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    fill(path)
    redact(path, lambda opening: True)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM openings").fetchone() == (0,)
    connection.close()
    assert b"caller" not in path.read_bytes()


def test_what_is_not_there_cannot_be_redacted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be redacted"):
        redact(tmp_path / "calls.jsonl", lambda opening: True)
