"""The hosts file: the names that count before the DNS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipstack.net.hosts_file import MAXIMUM_OCTETS, HostsFile


def hosts(path: Path, text: str) -> HostsFile:
    file = path / "hosts"
    file.write_text(text, encoding="utf-8")
    return HostsFile(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = HostsFile(str(tmp_path / "nothing"))
    assert (file.addresses("pbx.test", "A"), file.has("pbx.test")) == ([], False)


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    assert HostsFile(str(tmp_path)).addresses("pbx.test", "A") == []


@pytest.mark.parametrize(
    "line", ["", "pbx.test", "300.0.0.1 pbx.test", "# 192.0.2.9 pbx.test", "\x00\xff \t"]
)
def test_an_odd_line_does_not_spoil_the_next(tmp_path: Path, line: str) -> None:
    file = hosts(tmp_path, f"{line}\n192.0.2.1 pbx.test\n")
    assert file.addresses("pbx.test", "A") == ["192.0.2.1"]


def test_octets_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"\xff\xfe\n192.0.2.1 pbx.test\n")
    assert HostsFile(str(path)).addresses("pbx.test", "A") == ["192.0.2.1"]


def test_what_is_behind_the_bound_is_not_read(tmp_path: Path) -> None:
    file = hosts(tmp_path, "192.0.2.1 near.test\n" + "#" * MAXIMUM_OCTETS + "\n192.0.2.2 far.test\n")
    assert (file.has("near.test"), file.has("far.test")) == (True, False)


def test_aliases_both_families_and_comments(tmp_path: Path) -> None:
    file = hosts(tmp_path, "192.0.2.1\tPBX.test pbx # ours\n2001:DB8::1 pbx\n192.0.2.2 pbx\n")
    assert file.addresses("pbx", "A") == ["192.0.2.1", "192.0.2.2"]
    assert file.addresses("pbx", "AAAA") == ["2001:db8::1"]
    assert file.addresses("pbx.TEST.", "A") == ["192.0.2.1"]
    assert not file.has("ours")


def test_a_change_is_seen(tmp_path: Path) -> None:
    file = hosts(tmp_path, "192.0.2.1 pbx.test\n")
    assert file.addresses("pbx.test", "A") == ["192.0.2.1"]
    path = tmp_path / "hosts"
    path.write_text("192.0.2.2 pbx.test\n", encoding="utf-8")
    os.utime(path, (1, 1))
    assert file.addresses("pbx.test", "A") == ["192.0.2.2"]
    path.unlink()
    assert not file.has("pbx.test")
