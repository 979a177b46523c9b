"""Who refreshes a session, by what, and what each side grants (RFC 4028 §7 to §9). Times are in seconds."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.core.events import Ended, OfferAnswered
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import timed
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.transaction.machine import NOBODY
from sipstack.usage.invite.session_timer import SessionTimer
from tests.usage.invite.timed_calls import (
    HELD,
    HOLD,
    SUPPORTED,
    UPDATES,
    accepted,
    both,
    calling,
    expires,
    in_call,
    short,
)

# --- who refreshes, and by what ---


def test_the_caller_refreshes_by_update_at_half_time_without_a_description() -> None:
    world = World()
    alice, bob = both(world)
    world.run(140)
    assert world.timed_ladder() == timed("""
         45.0 alice -> bob    UPDATE sip:bob@192.0.2.2:5060 [2]
         45.0 bob -> alice    200 OK [2 UPDATE]
         90.0 alice -> bob    UPDATE sip:bob@192.0.2.2:5060 [3]
         90.0 bob -> alice    200 OK [3 UPDATE]
        135.0 alice -> bob    UPDATE sip:bob@192.0.2.2:5060 [4]
        135.0 bob -> alice    200 OK [4 UPDATE]
    """)
    assert (alice.told, bob.told) == (["Answered"], ["InvitationReceived", "Acknowledged"])
    alice.hang_up()
    world.settle()
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_the_update_says_what_it_is() -> None:
    world, _, bob = in_call("90;refresher=uac", UPDATES)
    world.run(45)
    refresh = bob.request
    assert (refresh.method, refresh.body, expires(refresh)) == ("UPDATE", b"", "90;refresher=uac")
    assert refresh.headers.get("Content-Type") is None
    assert refresh.headers.get("Supported") == "timer"  # §7.1
    assert [str(each.uri) for each in refresh.contacts] == ["sip:alice@192.0.2.1:5060"]


def test_a_peer_without_update_is_refreshed_by_a_reinvite_that_changes_nothing() -> None:
    world, alice, bob = in_call("90;refresher=uac", ("Allow", "INVITE, ACK, BYE"))
    for _ in range(3):
        world.run(45)
        assert (bob.request.method, bob.request.body) == ("INVITE", OFFER)
        assert expires(bob.request) == "90;refresher=uac"
        bob.answer(bob.request, 200, None, body=ANSWER, headers=[("Session-Expires", "90;refresher=uac")])
    assert (bob.methods[2:], alice.told[1:]) == (["INVITE", "ACK"] * 3, ["OfferAnswered"] * 3)
    assert alice.session.exchange.local == OFFER


@pytest.mark.parametrize("status", [400, 405, 415, 488, 500, 501, 606])
def test_an_update_that_the_peer_does_not_take_is_followed_by_a_reinvite(status: int) -> None:
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    world.run(45)
    bob.answer(bob.request, status, None)
    assert bob.methods[2:] == ["UPDATE", "INVITE"]
    bob.answer(bob.request, 200, None, body=ANSWER, headers=[("Session-Expires", "90;refresher=uac")])
    world.run(45)
    assert bob.methods[4:] == ["ACK", "INVITE"]
    assert alice.last(OfferAnswered).body == ANSWER


def test_a_refresh_by_reinvite_that_is_refused_is_tried_again_until_the_end() -> None:
    world, alice, bob = in_call("1800;refresher=uac", timer=SessionTimer())
    bob.on_request = lambda request: [request.response(488)] if request.method == "INVITE" else []
    world.run(1801)
    tried = [time for time, _, method in short(world) if method == "INVITE"]
    assert tried == [900.0, 1350.0, 1575.0, 1687.5, 1743.75, 1776.75]
    assert alice.last(Ended).by == "session timer"


def test_an_offer_of_ours_that_is_under_way_is_refresh_enough() -> None:
    """It is a session refresh request, too."""
    world, alice, bob = in_call("90;refresher=uac")
    world.run(44)
    alice.session.reoffer(HOLD, world.now)
    bob.answer(bob.request, 180, None)
    world.run(2)
    bob.answer(bob.request, 200, None, body=HELD, headers=[("Session-Expires", "90;refresher=uac")])
    assert bob.methods[2:] == ["INVITE", "ACK"]
    world.run(45)
    assert (world.now, bob.methods[4:], bob.request.body) == (91.0, ["INVITE"], HOLD)


@pytest.mark.parametrize("ours", ["INVITE", "UPDATE"])
def test_an_offer_refreshes_as_well(ours: str) -> None:
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    world.run(30)
    alice.session.reoffer(HOLD, world.now, ours)
    assert expires(bob.request) == "90;refresher=uac"
    bob.answer(bob.request, 200, None, body=HELD, headers=[("Session-Expires", "90;refresher=uac")])
    world.ladder()
    world.run(45)
    assert short(world) == [(75.0, "alice", "UPDATE")]


@pytest.mark.parametrize(
    ("supported", "asked", "refresher", "answer", "require"),
    [
        (True, "90", None, "90;refresher=uac", "timer"),
        (True, "90", "local", "90;refresher=uas", "timer"),
        (True, "90", "remote", "90;refresher=uac", "timer"),
        (True, "90;refresher=uas", "remote", "90;refresher=uas", "timer"),
        (True, "90;refresher=uac", "local", "90;refresher=uac", "timer"),
        (True, "90;refresher=UAS", None, "90;refresher=uas", "timer"),
        (True, "90;refresher=me", None, "90;refresher=uac", "timer"),
        (True, None, None, "1800;refresher=uac", "timer"),
        (True, "3600", None, "1800;refresher=uac", "timer"),
        (False, "90", None, "90;refresher=uas", None),
        (False, "90;refresher=uac", None, "90;refresher=uas", None),
        (False, None, None, None, None),
    ],
)
def test_who_refreshes_by_table_2(
    supported: bool, asked: str | None, refresher: Any, answer: str | None, require: str | None
) -> None:
    """§9, and an interval not above what was asked for, nor above ours."""
    headers: list[tuple[str, object]] = [SUPPORTED] if supported else []
    if asked is not None:
        headers.append(("Session-Expires", asked))
    _, _, _, response = accepted(*headers, timer=SessionTimer(refresher=refresher))
    assert (expires(response), response.headers.get("Require")) == (answer, require)


@pytest.mark.parametrize(
    ("refresher", "field"), [(None, "90"), ("local", "90;refresher=uac"), ("remote", "90;refresher=uas")]
)
def test_the_caller_says_whom_it_wants(refresher: Any, field: str) -> None:
    _, _, bob = calling(SessionTimer(90, refresher=refresher))
    assert expires(bob.request) == field


def test_min_se_of_a_proxy_raises_what_we_grant() -> None:
    """§9: never below the Min-SE of the request."""
    *_, response = accepted(
        SUPPORTED, ("Session-Expires", "1000"), ("Min-SE", "500"), timer=SessionTimer(300)
    )
    assert expires(response) == "500;refresher=uac"


def test_a_callee_that_refreshes_does_so_by_what_the_caller_allows() -> None:
    for allow, method in (("INVITE, BYE", "INVITE"), ("INVITE, BYE, UPDATE", "UPDATE")):
        world, bob, carol, _ = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uas"), ("Allow", allow))
        world.run(45)
        assert (carol.request.method, expires(carol.request)) == (method, "90;refresher=uac")
        bob.hang_up()


def test_a_refresher_that_changes_is_followed() -> None:
    world, bob, carol, response = accepted(SUPPORTED, UPDATES, ("Session-Expires", "90;refresher=uac"))
    world.run(30)
    hand_over = [("Session-Expires", "90;refresher=uas")]
    carol.send(bob.address, carol.inside(response, "UPDATE", 2, headers=hand_over))
    assert expires(carol.response) == "90;refresher=uas"
    world.run(45)
    assert (carol.request.method, expires(carol.request), world.now) == ("UPDATE", "90;refresher=uac", 75.0)


def test_a_refresh_of_the_peer_moves_the_end() -> None:
    world, bob, carol, response = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uac"))
    for step in range(5):
        world.run(59)
        refresh = [SUPPORTED, ("Session-Expires", "90;refresher=uac")]
        carol.send(bob.address, carol.inside(response, "UPDATE", step + 2, headers=refresh))
        assert (carol.response.status, expires(carol.response)) == (200, "90;refresher=uac")
        assert carol.response.headers.get("Require") == "timer"
    assert bob.session.is_established
    world.run(60)
    assert bob.last(Ended).by == "session timer"


def test_a_refresh_that_asks_for_too_little_is_refused_and_moves_nothing() -> None:
    world, bob, carol, response = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uac"))
    world.run(30)
    moved = [("Session-Expires", "30;refresher=uac"), ("Contact", "<sip:carol@192.0.2.3:5060;moved=1>")]
    for method in ("UPDATE", "INVITE"):
        body = HOLD if method == "INVITE" else b""
        carol.send(bob.address, carol.inside(response, method, 2, headers=moved, body=body))
        assert (carol.response.status, carol.response.headers.get("Min-SE")) == (422, "90")
    assert bob.session.dialog.remote_target == carol.uri
    world.run(30)
    assert bob.last(Ended).by == "session timer"


def test_a_short_update_leaves_the_timer_on() -> None:
    world, bob, carol, response = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uac"))
    world.run(30)
    carol.send(bob.address, carol.inside(response, "UPDATE", 2))
    assert expires(carol.response) == "90;refresher=uac"
    world.run(59)
    assert bob.session.is_established


# --- a peer that takes no part ---


def test_a_callee_without_timers_is_looked_after_all_the_same() -> None:
    """It is refreshed at half time, and what it answers is enough; nothing ends but what is gone."""
    world, alice, bob = in_call(None, UPDATES)
    bob.on_request = lambda request: [request.response(200, headers=[("Contact", f"<{bob.uri}>")])]
    world.run(450)
    assert [time for time, _, method in short(world) if method == "UPDATE"] == [
        45.0 * n for n in range(1, 11)
    ]
    bob.on_request = lambda request: [request.response(503)]
    world.run(450)
    assert alice.told[-1] != "Ended"
    bob.on_request = lambda request: [request.response(481)]
    world.run(45)
    assert alice.last(Ended).by == "remote"


def test_a_caller_without_timers_has_none() -> None:
    world, bob, carol, response = accepted()
    assert [response.headers.get(name) for name in ("Session-Expires", "Require")] == [None, None]
    world.run(100000)
    assert short(world) == []
    assert bob.session.is_established


def test_a_2xx_without_the_field_switches_off_a_timer_that_was_theirs_to_refresh() -> None:
    """§7.2."""
    world, bob, carol, response = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uac"))
    bob.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 200, None, body=HELD)
    world.ladder()
    world.run(10000)
    assert short(world) == []


@pytest.mark.parametrize("value", ["0", "1", "5;refresher=uac"])
def test_a_peer_that_grants_next_to_nothing_is_not_refreshed_faster_than_every_five_seconds(
    value: str,
) -> None:
    world, _, bob = in_call(value, UPDATES)
    bob.on_request = lambda request: [
        request.response(200, headers=[("Contact", f"<{bob.uri}>"), ("Session-Expires", value)])
    ]
    world.run(60)
    assert len([1 for _, _, method in short(world) if method == "UPDATE"]) == 12


@pytest.mark.parametrize("value", ["", "x", "-1", "99999999999", "90;refresher"])
def test_a_field_that_cannot_be_read_is_none(value: str) -> None:
    world, alice, bob = in_call(value, UPDATES)
    world.run(44.9)
    assert short(world) == []
    world.run(0.1)
    assert bob.request.method == "UPDATE"
    assert alice.session.is_established


# --- what crosses a refresh ---


def crossing() -> tuple[World, CoreAgent, CoreAgent]:
    """Alice's refresh is on its way to bob, and he does not know it yet."""
    world = World(Link(delay=0.1))
    alice, bob = both(world, pause=1.0)
    world.run_until(46.15)
    return world, alice, bob


@pytest.mark.parametrize("theirs", ["INVITE", "UPDATE"])
def test_an_offer_that_crosses_a_refresh_is_taken_and_so_is_the_refresh(theirs: str) -> None:
    """A refresh has no description: there is no glare."""
    world, alice, bob = crossing()
    bob.session.reoffer(HOLD, world.now, theirs)
    world.run(0.15)
    alice.session.accept_offer(HELD, world.now)
    world.run(1)
    assert {line.split()[3] for line in world.ladder()} == {theirs, "UPDATE", "200"} | (
        {"ACK"} if theirs == "INVITE" else set()
    )
    assert alice.session.exchange.local == bob.session.exchange.remote == HELD
    world.run(200)
    assert (alice.session.is_established, bob.session.is_established) == (True, True)


def test_a_bye_that_crosses_a_refresh_ends_the_call_once() -> None:
    world, alice, bob = crossing()
    bob.hang_up()
    world.settle()
    assert (alice.told[-1], bob.told[-1]) == ("Ended", "Ended")
    assert (alice.told.count("Ended"), bob.told.count("Ended")) == (1, 1)
    assert (alice.last(Ended).by, bob.last(Ended).by) == ("remote", "local")
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_two_refreshes_that_cross_are_both_answered() -> None:
    world, alice, bob = crossing()
    bob.session.usages.send(bob.session.usages.draft("UPDATE", contact=True), NOBODY, world.now)
    world.run(1)
    assert [line.split()[3] for line in world.ladder()] == ["UPDATE", "UPDATE", "200", "200"]
    world.run(200)
    assert (alice.session.is_established, bob.session.is_established) == (True, True)
