"""Peers that answer an UPDATE with 200, and yet keep to the Contact that they had (unlike RFC 3311 §5.1)."""

from __future__ import annotations

import pytest

from sipstack.core.events import SessionResumed
from sipstack.core.outputs import Warn
from sipstack.message import Request
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.core.sealing import UPDATES, back, called, calling, contact, inside, killed, user

TOLD = ["INVITE", "ACK", "UPDATE"]


def placed() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob has called carol, and told her by UPDATE; that was some time ago."""
    world, bob, carol = calling(*UPDATES)
    world.run(0.1)
    carol.answer(carol.request, 200, None)
    world.run(10)
    assert carol.methods == TOLD
    return world, bob, carol


def first(carol: ScriptedPeer) -> str:
    """The Contact of bob's first INVITE."""
    return str(contact(carol.requests[0]))


def agrees(world: World, carol: ScriptedPeer) -> Request:
    """Carol answers the re-INVITE that has come."""
    again = carol.request
    assert again.method == "INVITE"
    carol.answer(again, 200, None, body=ANSWER)
    world.run(5)
    assert carol.methods[-1] == "ACK"
    return again


def test_a_peer_whose_request_comes_to_an_older_contact_is_told_by_a_reinvite() -> None:
    world, bob, carol = placed()
    back(carol, "INFO", 1, contact=first(carol))
    assert carol.response.status == 200
    world.run(0.2)
    assert carol.methods == [*TOLD, "INVITE"]
    assert carol.request.body == OFFER
    again = agrees(world, carol)
    heir = killed(world, bob)
    back(carol, "OPTIONS", 2, contact=str(contact(again)))
    session = heir.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (OFFER, ANSWER)


def test_who_answers_an_update_without_a_contact_is_told_by_a_reinvite_at_once() -> None:
    """Such as linphone: a 2xx to UPDATE has one (RFC 3311 §5.2), where the target means anything."""
    world, bob, carol = calling(*UPDATES)
    world.run(0.1)
    carol.answer(carol.request, 200, None, contact="-")
    world.run(0.2)
    assert carol.methods == [*TOLD, "INVITE"]
    again = agrees(world, carol)
    heir = killed(world, bob)
    back(carol, "OPTIONS", 1, contact=str(contact(again)))
    assert heir.last(SessionResumed).session.exchange.remote == ANSWER


def test_who_comes_to_the_latest_one_is_told_nothing_more() -> None:
    world, _, carol = placed()
    back(carol, "INFO", 1)
    world.run(60)
    assert carol.methods == TOLD


def test_a_request_that_crosses_our_update_means_nothing() -> None:
    world, _, carol = calling(*UPDATES)
    world.run(0.1)
    carol.answer(carol.request, 200, None)
    back(carol, "INFO", 1, contact=first(carol))
    world.run(60)
    assert carol.methods == TOLD


def test_a_bye_is_answered_and_that_is_all() -> None:
    world, bob, carol = placed()
    back(carol, "BYE", 1, contact=first(carol))
    assert carol.response.status == 200
    world.settle()
    assert (carol.methods, bob.leftovers) == (TOLD, [])


def test_its_own_invite_is_answered_and_followed_by_a_reinvite() -> None:
    world, bob, carol = placed()
    back(carol, "INVITE", 1, body=b"v=0 again\r\n", contact=first(carol))
    bob.session.accept_offer(b"v=0 too\r\n", world.now)
    back(carol, "ACK", 1)
    world.run(0.3)
    assert carol.methods == [*TOLD, "INVITE"]
    assert carol.request.body == b"v=0 too\r\n"


def test_its_own_update_is_answered_and_followed_by_a_reinvite() -> None:
    """It may take no more notice of the Contact in our 200 to it."""
    world, _, carol = placed()
    back(carol, "UPDATE", 1, contact=first(carol))
    world.run(0.2)
    assert carol.methods == [*TOLD, "INVITE"]


def test_what_changes_later_is_told_by_a_reinvite_at_once() -> None:
    world, bob, carol = placed()
    back(carol, "INFO", 1, contact=first(carol))
    world.run(0.2)
    before = agrees(world, carol)
    bob.session.application = {"data": {"account": 7}}
    bob.session.keep(world.now)
    world.run(0.2)
    assert carol.methods == [*TOLD, "INVITE", "ACK", "INVITE"]
    assert user(carol.request) != user(before)


@pytest.mark.parametrize("requests", [1, 3])
def test_who_keeps_to_an_old_one_even_then_is_left_alone_which_is_said_once(requests: int) -> None:
    world, bob, carol = placed()
    warned: list[str] = []
    perform = bob._perform
    bob._perform = lambda output: (  # type: ignore[method-assign]
        warned.append(output.text) if isinstance(output, Warn) else perform(output)
    )
    old = first(carol)
    back(carol, "INFO", 1, contact=old)
    world.run(0.2)
    agrees(world, carol)
    assert warned == []
    for number in range(requests):
        back(carol, "INFO", 2 + number, contact=old)
        world.run(5)
    assert carol.methods == [*TOLD, "INVITE", "ACK"]
    assert len(warned) == 1
    assert "keeps to an old Contact" in warned[0]
    bob.core.hand_over(world.now)
    assert bob.session.is_established  # nobody could go on with it


def test_the_contact_of_a_refused_reinvite_was_not_told() -> None:
    world, bob, carol = placed()
    told = str(contact(carol.requests[-1]))
    bob.session.reoffer(b"v=0 hold\r\n", world.now)
    carol.answer(carol.request, 488, None)
    for number in range(3):
        world.run(5)
        back(carol, "INFO", 1 + number, contact=told)
    world.run(5)
    assert carol.methods == [*TOLD, "INVITE", "ACK"]
    bob.core.hand_over(world.now)
    assert not bob.session.is_established


def test_a_refused_reinvite_is_not_repeated_and_the_call_is_not_handed_over() -> None:
    world, bob, carol = placed()
    back(carol, "INFO", 1, contact=first(carol))
    world.run(0.2)
    carol.answer(carol.request, 488, None)
    world.run(60)
    back(carol, "INFO", 2, contact=first(carol))
    world.run(60)
    assert carol.methods == [*TOLD, "INVITE", "ACK"]
    bob.core.hand_over(world.now)
    assert bob.session.is_established


# --- who takes no Contact from a 2xx to its own re-INVITE (unlike RFC 3261 §12.2.1.2), such as SIP.js ---


def came() -> tuple[World, CoreAgent, ScriptedPeer, str]:
    """Carol has called bob, and changed that once: with the Contact of his first 200, to which she keeps."""
    world, bob, carol = called(*UPDATES)
    old = str(contact(carol.response))
    world.run(5)
    change(world, bob, carol, 2, old)
    world.run(5)
    assert carol.methods == []
    return world, bob, carol, old


def change(world: World, bob: CoreAgent, carol: ScriptedPeer, cseq: int, target: str) -> None:
    """Carol's offer, and bob's answer."""
    inside(carol, "INVITE", cseq, body=b"v=0 offer %d\r\n" % cseq, contact=target)
    bob.session.accept_offer(b"v=0 answer %d\r\n" % cseq, world.now)
    inside(carol, "ACK", cseq, contact=target)


def told_by_reinvite() -> tuple[World, CoreAgent, ScriptedPeer, str]:
    """Carol has changed it once more at the old Contact, and has taken the one of our re-INVITE."""
    world, bob, carol, old = came()
    change(world, bob, carol, 3, old)
    world.run(0.3)
    assert carol.methods == ["INVITE"]
    told = str(contact(carol.request))
    carol.answer(carol.request, 200, None, body=b"v=0 offer 3\r\n")
    world.run(5)
    return world, bob, carol, told


def test_a_second_change_at_the_first_contact_is_followed_by_a_reinvite() -> None:
    world, bob, carol, told = told_by_reinvite()
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 4, contact=told)
    session = heir.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (b"v=0 answer 3\r\n", b"v=0 offer 3\r\n")


def test_from_then_on_each_change_of_its_is_followed_by_one() -> None:
    world, bob, carol, told = told_by_reinvite()
    change(world, bob, carol, 4, told)
    world.run(0.3)
    assert carol.methods == ["INVITE", "ACK", "INVITE"]
    carol.answer(carol.request, 200, None, body=b"v=0 offer 4\r\n")
    world.run(60)
    assert carol.methods == ["INVITE", "ACK", "INVITE", "ACK"]


def test_its_seal_outlasts_the_session_timer_that_it_refreshes_without_taking_another() -> None:
    world, bob, carol, told = told_by_reinvite()
    for number in range(6):
        world.run(900)
        inside(carol, "UPDATE", 4 + number, contact=told)
        assert carol.response.status == 200
    assert bob.session.is_established
    heir = killed(world, bob)
    inside(carol, "UPDATE", 20, contact=told)
    assert (carol.response.status, heir.told) == (200, ["SessionResumed"])


def test_who_was_only_late_is_believed_again_once_it_comes_to_the_contact_of_a_200() -> None:
    world, bob, carol, told = told_by_reinvite()
    inside(carol, "UPDATE", 4, contact=told)
    latest = str(contact(carol.response))
    assert latest != told
    world.run(5)
    inside(carol, "INFO", 5, contact=latest)
    change(world, bob, carol, 6, latest)
    world.run(60)
    assert carol.methods == ["INVITE", "ACK"]
    bob.core.hand_over(world.now)
    assert not bob.session.is_established
