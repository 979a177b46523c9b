"""RFC 3261 appendix A."""

from __future__ import annotations

from sipstack.transaction.timers import NEVER, Timers


def test_the_defaults_are_those_of_the_rfc() -> None:
    timers = Timers()
    assert (timers.t1, timers.t2, timers.t4, timers.timeout, timers.d) == (0.5, 4.0, 5.0, 32.0, 32.0)
    assert timers.trying_after == 0.2


def test_what_derives_from_t1_follows_it() -> None:
    timers = Timers(t1=0.01)
    assert (timers.timeout, timers.d) == (0.64, 0.64)


def test_never_is_later_than_any_time() -> None:
    assert NEVER > 1e300
