"""Calls that end at some age, whatever happens in them; and go on to age in another process."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.core.events import Answered, Ended, OfferReceived
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.expiring_call import ExpiringCall, expiry
from sipstack.usage.invite.expiry import NAME, Expiry

HOUR = Expiry(age=3600.0)


def bob_and_carol(default: Expiry | None, **options: Any) -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), **options)
    if default is not None:
        bob.core.registry.add_extension(expiry(default))
    return world, bob, ScriptedPeer(world, "carol", ("192.0.2.3", 5060))


def invited(bob: CoreAgent, carol: ScriptedPeer, chosen: Expiry | None = None) -> None:
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    if chosen is not None:
        early = bob.invitation.early_session
        assert early is not None
        bob.core.expire(early, chosen)
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))


def calling(bob: CoreAgent, carol: ScriptedPeer, chosen: Expiry | None = None) -> None:
    bob.call(carol.uri, wishes={} if chosen is None else {NAME: chosen})
    carol.answer(carol.request, 200, body=ANSWER)
    assert bob.last(Answered).session.is_established


@pytest.mark.parametrize("chosen", [None, HOUR])
@pytest.mark.parametrize("begin", [invited, calling])
def test_a_call_ends_at_its_age_by_a_bye_that_says_so(begin: Any, chosen: Expiry | None) -> None:
    world, bob, carol = bob_and_carol(HOUR if chosen is None else Expiry(age=1.0))
    begin(bob, carol, chosen)
    world.run(3599)
    assert "BYE" not in carol.methods
    world.run(2)
    assert carol.request.method == "BYE"
    assert carol.request.headers.get("Reason") == 'SIP;cause=408;text="the call has lasted 3600 s"'
    assert (bob.last(Ended).by, bob.last(Ended).reason) == ("expired", "the call has lasted 3600 s")
    carol.answer(carol.request, 200, None)
    world.settle()
    assert bob.leftovers == []


@pytest.mark.parametrize("begin", [invited, calling])
def test_the_choice_of_one_call_where_others_last_for_ever(begin: Any) -> None:
    world, bob, carol = bob_and_carol(None)
    begin(bob, carol, HOUR)
    world.run(3601)
    assert carol.request.method == "BYE"


def test_neither_ringing_counts_nor_does_a_reinvite_begin_it_anew() -> None:
    world, bob, carol = bob_and_carol(HOUR)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    world.run(100)
    bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    world.run(3000)
    carol.send(bob.address, carol.inside(accepted, "INVITE", 2, body=OFFER))
    bob.last(OfferReceived).session.accept_offer(ANSWER, world.now)
    carol.send(bob.address, carol.inside(accepted, "ACK", 2))
    world.run(590)
    assert carol.methods == []
    world.run(20)
    assert carol.methods[:1] == ["BYE"]


def test_a_call_that_is_over_before_leaves_nothing_for_an_hour() -> None:
    world, bob, carol = bob_and_carol(HOUR)
    invited(bob, carol)
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    assert carol.response.status == 200
    world.run(61)
    assert list(bob.core.deadlines.heap) == []


def test_without_an_age_there_is_no_deadline() -> None:
    world, bob, carol = bob_and_carol(Expiry(idle=60.0))
    invited(bob, carol)
    world.run(100_000)
    assert carol.methods == []


# --- another process ---


@pytest.mark.parametrize("default", [None, Expiry(age=5.0)])
def test_the_heir_goes_on_with_what_is_left_whatever_it_would_choose_itself(default: Expiry | None) -> None:
    store = SharedStore()
    world, bob, carol = bob_and_carol(Expiry(age=3600.0, idle=60.0), store=store)
    invited(bob, carol)
    accepted = carol.response
    world.run(100)
    bob.kill()
    (record,) = store.sessions
    assert record.extensions[NAME] == {"idle": 60.0, "age": 3600.0, "left": 3600.0}
    heir = CoreAgent(world, "bob", bob.address, store=store)
    if default is not None:
        heir.core.registry.add_extension(expiry(default))
    (entry,) = store.entries.values()
    entry.record = record.aged(100.0)
    carol.send(bob.address, carol.inside(accepted, "OPTIONS", 2))
    assert carol.response.status == 200
    (usages,) = heir.core._dialogs.values()
    part = usages.invite.extensions.find(NAME)  # type: ignore[union-attr]
    assert isinstance(part, ExpiringCall)
    assert part.idle == 60.0
    world.run(3490)
    assert carol.methods == []
    world.run(20)
    assert carol.methods[:1] == ["BYE"]
    assert heir.last(Ended).by == "expired"


def test_what_is_too_old_already_is_answered_and_ended() -> None:
    part = ExpiringCall()
    part.restore({"age": 10.0, "left": -5.0}, 100.0)
    assert part.deadline <= 100.0
    assert part.timeout(100.0) is not None


@pytest.mark.parametrize("left", [None, "soon", True, 1e9])
def test_an_odd_record_makes_no_call_older_than_its_age(left: object) -> None:
    part = ExpiringCall()
    part.restore({"age": 10.0, "left": left, "idle": "never"}, 100.0)
    assert part.idle is None
    assert part.timeout(109.0) is None
    assert part.timeout(110.0) is not None


# --- what cannot be chosen ---


@pytest.mark.parametrize("wrong", [{"age": 0.0}, {"idle": -1.0}, {"age": float("nan")}])
def test_a_call_that_cannot_last(wrong: dict[str, float]) -> None:
    with pytest.raises(LocalProtocolError, match="above 0, or None"):
        Expiry(**wrong)
