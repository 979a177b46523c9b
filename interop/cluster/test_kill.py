"""kill -9 of a node with calls up. The callers are a plain SIPp, which knows nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.cluster.kill import Killed, kill

CALLS = 100


@pytest.mark.parametrize("kind", ["redis", "sealed", "sqlite"])
def test_no_call_is_lost_when_its_node_is_killed(kind: str, tmp_path: Path) -> None:
    killed: Killed = kill(kind, CALLS, 50.0, tmp_path)
    assert killed.lost == 0, killed.result.problems
    assert len(killed.of("bye")) == CALLS
    assert len(killed.of("change")) > CALLS // 2
    assert killed.first_answer < 5.0


def test_who_supports_session_timers_refreshes_sealed_calls_at_the_node_that_is_left(tmp_path: Path) -> None:
    """After a crash nobody else does: SIPp checks that it is asked to, before the kill and after it."""
    killed = kill("sealed", CALLS // 2, 50.0, tmp_path, scenario="uac_refreshes")
    assert killed.lost == 0, killed.result.problems
    assert len(killed.of("refresh")) > CALLS // 2
