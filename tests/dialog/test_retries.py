"""Which refusals may be tried again, and when (RFC 3261 §14.1, §14.2, §20.33)."""

from __future__ import annotations

import random

import pytest

from sipstack.dialog.retries import MAXIMUM_TRIES, MAXIMUM_WAIT, retry_after, wait_before_retry
from sipstack.identifiers import Identifiers
from sipstack.message import Response

IDENTIFIERS = Identifiers(random.Random(1))


def wait(status: int, *fields: tuple[str, object], tries: int = 0, owner: bool = True) -> float | None:
    return wait_before_retry(Response(status, None, fields), tries, IDENTIFIERS, owns_call_id=owner)


@pytest.mark.parametrize(("owner", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_glare_the_owner_of_the_call_id_waits_longer(owner: bool, low: float, high: float) -> None:
    waits = [wait(491, owner=owner) for _ in range(200)]
    assert all(each is not None and low <= each <= high and round(each, 2) == each for each in waits)
    assert len(set(waits)) > 50


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("seconds", [1, 10, 32])
def test_who_names_a_time_is_left_alone_so_long(status: int, seconds: int) -> None:
    assert wait(status, ("Retry-After", seconds)) == seconds


def test_a_time_of_0_grows_with_each_try() -> None:
    """Peers that still wait for our ACK say so: one that was lost comes again after T1, 2*T1 ..."""
    waits = [wait(500, ("Retry-After", 0), tries=tries) for tries in range(MAXIMUM_TRIES)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 4.0, None]


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (500, ()),
        (503, ()),
        (500, (("Retry-After", "soon"),)),
        (500, (("Retry-After", int(MAXIMUM_WAIT) + 1),)),
        *((status, (("Retry-After", 0),)) for status in (400, 404, 408, 480, 481, 486, 488, 501, 600, 603)),
    ],
)
def test_every_other_refusal_is_final(status: int, fields: tuple[tuple[str, object], ...]) -> None:
    assert wait(status, *fields) is None


def test_nothing_is_tried_for_ever() -> None:
    assert wait(491, tries=MAXIMUM_TRIES - 2) is not None
    assert wait(491, tries=MAXIMUM_TRIES - 1) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("5 (a comment);duration=60", 5), ("-1", None), ("", None), ("x", None)]
)
def test_the_time_that_is_named(text: str, seconds: int | None) -> None:
    assert retry_after(Response(500, None, [("Retry-After", text)])) == seconds
