"""What the tests of a cluster need, or why they are skipped."""

from __future__ import annotations

import shutil

import pytest

from interop.kamailio.server import program

MISSING = [
    name
    for name, found in (
        ("kamailio", program()),
        ("redis-server", shutil.which("redis-server")),
        ("sipp", shutil.which("sipp")),
    )
    if not found
]


@pytest.fixture(autouse=True)
def installed() -> None:
    if MISSING:
        pytest.skip(f"there is no {' and no '.join(MISSING)} on PATH")
    pytest.importorskip("redis", reason="the extra redis is not installed")
