"""The crossing of every pair of requests inside of a call (RFC 3261 §14 and §15, RFC 3311 §5.2, RFC 5407),
and each of them behind another one of the same side that is still open.

"late" is a re-INVITE without an offer, "bare" an UPDATE without one, "refresh" the session timer's UPDATE.
"""

from __future__ import annotations

import pytest

from tests.rfcs.crossing import WAY, Crossing

SHORT = {"late": "late INVITE", "bare": "bare UPDATE"}


def cells(table: str) -> list[tuple[str, str, str]]:
    """First request, second request, and the status of each."""
    head, *rows = [line.split() for line in table.strip().splitlines()]
    return [(row[0], kind, cell) for row in rows for kind, cell in zip(head, row[1:], strict=True)]


# The row is alice's request, the column bob's; the statuses in this order. Offers that meet are glare, and
# go out again. What meets a BYE finds no dialog any more, but a NOTIFY that of its subscription (RFC 5057).
CROSSED = """
                INVITE  late    UPDATE  bare    refresh BYE     INFO    REFER   MESSAGE OPTIONS NOTIFY
    INVITE      491/491 491/491 491/491 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    late        491/491 491/491 491/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    UPDATE      491/491 200/491 491/491 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    bare        200/200 200/200 200/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    refresh     200/200 200/200 200/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    BYE         200/481 200/481 200/481 200/481 200/481 200/200 200/481 200/481 200/481 200/481 200/200
    INFO        200/200 200/200 200/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    REFER       202/200 202/200 202/200 202/200 202/200 481/200 202/200 202/202 202/200 202/200 202/200
    MESSAGE     200/200 200/200 200/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    OPTIONS     200/200 200/200 200/200 200/200 200/200 481/200 200/200 200/202 200/200 200/200 200/200
    NOTIFY      200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
"""

# Both are alice's, the column's right behind the row's, which waits 0.3 s for its answer. An INVITE, or an
# UPDATE with an offer, has to come again while another is open (500); a BYE ends what is open (487).
OVERTAKEN = """
                INVITE  late    UPDATE  bare    refresh BYE     INFO    REFER   MESSAGE OPTIONS NOTIFY
    INVITE      200/500 200/500 200/500 200/200 200/200 487/200 200/200 200/202 200/200 200/200 200/200
    late        200/500 200/500 200/500 200/200 200/200 487/200 200/200 200/202 200/200 200/200 200/200
    UPDATE      200/500 200/500 200/500 200/500 200/500 487/200 200/200 200/202 200/200 200/200 200/200
    bare        200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
    refresh     200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
    BYE         200/481 200/481 200/481 200/481 200/481 200/481 200/481 200/481 200/481 200/481 200/200
    INFO        200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
    REFER       202/200 202/200 202/200 202/200 202/200 202/200 202/200 202/202 202/200 202/200 202/200
    MESSAGE     200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
    OPTIONS     200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
    NOTIFY      200/200 200/200 200/200 200/200 200/200 200/200 200/200 200/202 200/200 200/200 200/200
"""


def begun(*kinds: str) -> Crossing:
    """With a subscription of each side where a NOTIFY is to be sent."""
    return Crossing(referred="NOTIFY" in kinds)


def lives(*kinds: str) -> str:
    return "over" if "BYE" in kinds else "lives"


@pytest.mark.parametrize(("ours", "theirs", "statuses"), cells(CROSSED))
def test_requests_that_cross(ours: str, theirs: str, statuses: str) -> None:
    crossing = begun(ours, theirs)
    crossing.send("alice", SHORT.get(ours, ours))
    crossing.send("bob", SHORT.get(theirs, theirs))
    crossing.world.run(2.0)
    assert crossing.statuses("alice", "bob") == statuses
    assert crossing.end() == lives(ours, theirs)


@pytest.mark.parametrize(("first", "second", "statuses"), cells(OVERTAKEN))
def test_a_request_behind_one_that_is_open(first: str, second: str, statuses: str) -> None:
    crossing = begun(first, second)
    crossing.send("alice", SHORT.get(first, first))
    crossing.send_wrongly("alice", SHORT.get(second, second))
    crossing.world.run(2.0)
    assert crossing.statuses("alice", "alice") == statuses
    assert crossing.end() == lives(first, second)


@pytest.mark.parametrize("delay", [0.0, WAY / 2, WAY, 2 * WAY - 0.001])
@pytest.mark.parametrize(("ours", "theirs"), [cell[:2] for cell in cells(CROSSED)])
def test_the_later_of_two_that_cross(ours: str, theirs: str, delay: float) -> None:
    """Whichever of them is on its way first, both sides agree in the end."""
    crossing = begun(ours, theirs)
    crossing.send("alice", SHORT.get(ours, ours))
    crossing.world.run(delay)
    crossing.send_wrongly("bob", SHORT.get(theirs, theirs))
    assert crossing.end() == lives(ours, theirs)
