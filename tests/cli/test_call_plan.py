"""The check that a recording can be written, before a call is placed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipstack.cli.call_plan import check_writable
from sipstack.errors import MediaError


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "out.wav"
    with pytest.raises(MediaError) as error:
        check_writable(path)
    assert str(error.value) == f"cannot write {path}: No such file or directory"


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as error:
        check_writable(tmp_path)
    assert str(error.value).startswith(f"cannot write {tmp_path}: ")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.wav")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    check_writable(path)
    assert path.read_bytes() == b"before"


def test_no_recording_needs_no_file() -> None:
    check_writable(None)
