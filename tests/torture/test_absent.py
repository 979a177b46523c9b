"""Torture messages that are absent are skipped one by one, and the run says how many and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.shared import TORTURE

PROJECT = Path(__file__).parents[2]
GOOD = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\n"


def run(folder: Path, *arguments: str) -> tuple[str, Counter[str]]:
    """The torture tests in a checkout of their own: the last line of the run, and skips by their reason."""
    tests = folder / "checkout" / "tests"
    tests.mkdir(parents=True)
    for name in ("__init__.py", "shared.py"):
        shutil.copy(PROJECT / "tests" / name, tests)
    ours = shutil.ignore_patterns("__pycache__", Path(__file__).name)
    shutil.copytree(PROJECT / "tests" / "torture", tests / "torture", ignore=ours)
    pytest = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests/torture"]
    done = subprocess.run(
        [*pytest, *arguments],
        cwd=tests.parent,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    skips: Counter[str] = Counter()
    for count, reason in re.findall(r"^SKIPPED \[(\d+)\] [^ ]+ (.+)$", done.stdout, re.MULTILINE):
        skips[reason] += int(count)
    return done.stdout.splitlines()[-1], skips


def test_without_the_folders_each_message_is_skipped_with_the_reason(tmp_path: Path) -> None:
    last, skips = run(tmp_path, "-k", "test_verdict")
    assert skips == {
        "not beside this checkout: ../shared/rfc4475": 49,
        "not beside this checkout: ../shared/rfc5118": 12,
    }
    assert re.match("61 skipped", last)


def test_without_the_folders_no_torture_test_passes_or_vanishes(tmp_path: Path) -> None:
    last, skips = run(tmp_path)
    assert sorted(skips) == [f"not beside this checkout: ../shared/{name}" for name in sorted(TORTURE)]
    assert re.match(f"{skips.total()} skipped", last)


def test_a_single_message_that_is_absent_is_skipped(tmp_path: Path) -> None:
    """The folder is there with its index, two messages of its twelve, and one of their files."""
    folder = tmp_path / "shared" / "rfc5118"
    folder.mkdir(parents=True)
    rows = ["name\tverdict", "ipv6-good\taccept", "ipv6-bad\treject"]
    (folder / "index.tsv").write_text("\n".join(rows))
    (folder / "ipv6-good.dat").write_bytes(GOOD + b"CSeq: 1 OPTIONS\r\n\r\n")
    last, skips = run(tmp_path, "-k", "test_verdict and rfc5118")
    assert skips == {
        "not beside this checkout: ../shared/rfc5118/index.tsv": 10,
        "not beside this checkout: ../shared/rfc5118/ipv6-bad.dat": 1,
    }
    assert re.match("1 passed, 11 skipped", last)
