"""Calls that nobody watches end at an age, unless their caller refreshes them."""

from __future__ import annotations

from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.events import Ended

AGE = 80.0


def bob_and_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), maximum_age=AGE)
    return world, bob, ScriptedPeer(world, "carol", ("192.0.2.3", 5060))


def accept(world: World, bob: CoreAgent, carol: ScriptedPeer, call_id: str) -> None:
    """A call that a policy takes: nobody is its user."""
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id=call_id))
    bob.accept()
    bob.core.expire_unwatched(world.now)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))


def test_a_call_that_nobody_watches_ends_by_bye_at_its_age() -> None:
    world, bob, carol = bob_and_peer()
    accept(world, bob, carol, "one")
    world.run(AGE - 1)
    assert carol.methods == []
    world.run(AGE / 8 + 1)
    assert carol.methods[:1] == ["BYE"]
    ended = [event for event in bob.events if isinstance(event, Ended)]
    assert [(event.by, event.reason) for event in ended] == [("timeout", "nobody refreshed the session")]
    carol.send(bob.address, carol.request.response(200))
    world.settle()
    assert bob.leftovers == []


def test_a_re_invite_is_a_sign_of_life() -> None:
    world, bob, carol = bob_and_peer()
    accept(world, bob, carol, "one")
    accepted = carol.response
    world.run(AGE / 2)
    carol.send(bob.address, carol.inside(accepted, "INVITE", cseq=2, body=OFFER))
    bob.session.accept_offer(ANSWER, world.now)
    carol.send(bob.address, carol.inside(accepted, "ACK", cseq=2))
    world.run(AGE - 1)
    assert carol.methods == []
    world.run(AGE / 8 + 1)
    assert carol.methods[:1] == ["BYE"]


def test_a_call_that_has_a_user_is_its_users_business() -> None:
    world, bob, carol = bob_and_peer()
    accept(world, bob, carol, "one")
    bob.session.user = object()
    world.run(3 * AGE)
    assert carol.methods == []


def test_many_old_calls_end_a_few_at_a_time() -> None:
    world, bob, carol = bob_and_peer()
    for number in range(100):
        accept(world, bob, carol, f"call{number}")
    world.run(AGE)
    first = [event for event in bob.events if isinstance(event, Ended)]
    world.run(0.15)
    then = [event for event in bob.events if isinstance(event, Ended)]
    assert (len(first), len(then)) == (64, 100)


def test_nothing_waits_once_the_calls_are_over_and_the_next_call_is_watched_again() -> None:
    world, bob, carol = bob_and_peer()
    accept(world, bob, carol, "one")
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    world.settle()
    assert bob.leftovers == []
    accept(world, bob, carol, "two")
    world.run(AGE * 9 / 8 + 1)
    assert carol.methods[:1] == ["BYE"]


def test_a_call_that_was_taken_over_and_that_nobody_takes_ends_as_well() -> None:
    world, store = World(), SharedStore()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), store=store)
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    accept(world, bob, carol, "one")
    accepted = carol.response
    bob.kill()
    heir = CoreAgent(world, "bob", bob.address, store=store, maximum_age=AGE)
    carol.send(heir.address, carol.inside(accepted, "OPTIONS", cseq=2))
    assert carol.response.status == 200
    world.run(AGE - 1)
    assert carol.methods == []
    world.run(AGE / 8 + 1)
    assert carol.methods[:1] == ["BYE"]
    assert store.sessions == []
