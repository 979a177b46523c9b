"""Signatures that were seen are remembered for their minute, and are not too many."""

from __future__ import annotations

from sipstack.stir.replays import REMEMBERED, Replays


def test_a_signature_is_remembered_until_it_is_stale() -> None:
    replays = Replays()
    assert replays.is_new(b"a", "1", 0.0, 60.0)
    assert not replays.is_new(b"a", "2", 60.0, 60.0)
    assert replays.is_new(b"b", "1", 61.0, 121.0)
    assert len(replays) == 1


def test_the_same_call_is_no_replay() -> None:
    replays = Replays()
    assert replays.is_new(b"a", "1", 0.0, 60.0)
    assert replays.is_new(b"a", "1", 1.0, 60.0)
    assert not replays.is_new(b"a", "2", 2.0, 60.0)
    assert replays.is_new(b"a", "1", 3.0, 60.0)


def test_there_is_an_end_to_what_is_remembered() -> None:
    replays = Replays()
    for number in range(REMEMBERED + 5):
        assert replays.is_new(number.to_bytes(4, "big"), "1", 0.0, 60.0)
    assert len(replays) == REMEMBERED
    newest = (REMEMBERED + 4).to_bytes(4, "big")
    assert not replays.is_new(newest, "2", 0.0, 60.0)
