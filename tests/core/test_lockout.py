"""How long who guesses has to wait, and who does not."""

from __future__ import annotations

from sipstack.core.lockout import (
    FORGOTTEN_AFTER,
    FREE_OF_SOURCE,
    FREE_OF_USER,
    FREE_TRIES,
    LONGEST_WAIT,
    MAXIMUM,
    Lockout,
)

HERE, THERE = "192.0.2.1", "192.0.2.2"


def after(failures: int, source: str = HERE, user: str = "alice") -> Lockout:
    lockout = Lockout()
    for _ in range(failures):
        lockout.failed(source, user, 0.0)
    return lockout


def test_a_person_may_mistype() -> None:
    assert not after(FREE_TRIES - 1).is_locked(HERE, "alice", 0.0)
    assert after(FREE_TRIES).is_locked(HERE, "alice", 0.0)


def test_the_wait_doubles_up_to_a_bound() -> None:
    waits = []
    for extra in range(10):
        lockout = after(FREE_TRIES + extra)
        waits.append(next(t for t in range(1000) if not lockout.is_locked(HERE, "alice", t)))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, int(LONGEST_WAIT)]
    assert not after(10_000).is_locked(HERE, "alice", LONGEST_WAIT)


def test_one_source_does_not_lock_a_user_out_elsewhere() -> None:
    lockout = after(FREE_TRIES)
    assert [lockout.is_locked(*each, 0.0) for each in ((THERE, "alice"), (HERE, "bob"))] == [False, False]


def test_who_tries_name_after_name_is_held_up_as_a_whole() -> None:
    lockout = Lockout()
    for number in range(FREE_OF_SOURCE):
        lockout.failed(HERE, f"user{number}", 0.0)
    assert lockout.is_locked(HERE, "another", 0.0)
    assert lockout.is_locked(HERE, "", 0.0)
    assert not lockout.is_locked(THERE, "another", 0.0)


def test_who_shares_the_work_among_many_sources_is_held_up_too() -> None:
    lockout = Lockout()
    for number in range(FREE_OF_USER):
        lockout.failed(f"198.51.100.{number}", "alice", 0.0)
    assert lockout.is_locked("203.0.113.1", "alice", 0.0)
    assert not lockout.is_locked("203.0.113.1", "bob", 0.0)


def test_a_user_known_at_his_source_is_not_locked_out_by_others() -> None:
    """Neither by a neighbour behind the same address, nor by strangers who guess at his name."""
    lockout = Lockout()
    lockout.succeeded(HERE, "alice")
    for number in range(FREE_OF_USER):
        lockout.failed(HERE, f"user{number}", 0.0)
        lockout.failed(f"198.51.100.{number}", "alice", 0.0)
    assert not lockout.is_locked(HERE, "alice", 0.0)
    for _ in range(FREE_TRIES):
        lockout.failed(HERE, "alice", 0.0)
    assert lockout.is_locked(HERE, "alice", 0.0)


def test_success_and_time_wipe_the_slate() -> None:
    lockout = after(FREE_TRIES - 1)
    lockout.succeeded(HERE, "alice")
    lockout.failed(HERE, "alice", 1.0)
    assert not lockout.is_locked(HERE, "alice", 1.0)
    lockout = after(FREE_TRIES + 5)
    later = FORGOTTEN_AFTER + 1
    lockout.failed(HERE, "alice", later)
    assert not lockout.is_locked(HERE, "alice", later)


def test_the_tables_are_bounded() -> None:
    lockout = Lockout()
    for number in range(2 * MAXIMUM):
        lockout.failed(str(number), f"u{number}", 0.0)
        lockout.succeeded(str(number), f"u{number}")
    assert len(lockout) <= 2 * MAXIMUM
