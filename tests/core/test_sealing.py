"""Sessions that their peers keep, sealed into our Contact: another node goes on with them, nobody else."""

from __future__ import annotations

import random

import pytest

from sipstack.core.events import Ended, OfferReceived, SessionResumed
from sipstack.core.numbers import BLOCK, NODES, STEP
from sipstack.core.outputs import Warn
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.core.sealing import (
    KEY,
    OTHER_KEY,
    UPDATES,
    back,
    called,
    calling,
    contact,
    inside,
    killed,
    node,
    parties,
    user,
)

AGAIN = b"v=0 again\r\n"


def over(world: World, *agents: CoreAgent) -> None:
    """Nothing is left of anything."""
    world.settle()
    assert [agent.leftovers for agent in agents] == [[] for _ in agents]


# --- a call that came in ---


def test_the_contact_of_a_200_is_the_session_and_that_of_a_180_is_not() -> None:
    world, bob, carol = parties()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    assert user(carol.response) == "bob"
    bob.accept()
    assert len(user(carol.response)) > 100
    assert len(str(contact(carol.response))) <= 512


def test_another_node_answers_a_bye() -> None:
    world, bob, carol = called()
    heir = killed(world, bob)
    inside(carol, "BYE", 2)
    assert carol.response.status == 200
    assert heir.told == ["SessionResumed", "Ended"]
    assert heir.last(Ended).by == "remote"
    over(world, heir)


def test_another_node_takes_an_offer_and_its_answer_seals_the_new_state() -> None:
    world, bob, carol = called()
    heir = killed(world, bob)
    inside(carol, "INVITE", 2, body=AGAIN)
    session = heir.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (ANSWER, OFFER)
    heir.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    inside(carol, "ACK", 2)
    third = killed(world, heir, 2)
    inside(carol, "OPTIONS", 3)
    assert carol.response.status == 200
    session = third.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (b"v=0 too\r\n", AGAIN)
    inside(carol, "BYE", 4)
    over(world, third)


@pytest.mark.parametrize("method", ["OPTIONS", "INFO", "MESSAGE", "UPDATE"])
def test_another_node_answers_what_comes_in_the_call(method: str) -> None:
    world, bob, carol = called(*UPDATES)
    heir = killed(world, bob)
    inside(carol, method, 2)
    assert carol.response.status == 200
    assert heir.told == ["SessionResumed"]
    inside(carol, "BYE", 3)
    over(world, heir)


def test_the_peer_is_the_refresher_and_refreshes_at_the_heir() -> None:
    world, bob, carol = called(*UPDATES)
    assert carol.response.headers.get("Session-Expires") == "1800;refresher=uac"
    heir = killed(world, bob)
    world.run(900)
    inside(carol, "UPDATE", 2)
    assert carol.response.headers.get("Session-Expires") == "1800;refresher=uac"
    world.run(1700)
    assert heir.told == ["SessionResumed"]
    world.run(100)
    assert heir.last(Ended).by == "session timer"


def test_dialog_and_application_are_those_of_before() -> None:
    world, bob, carol = parties()
    route = ("Record-Route", "<sip:192.0.2.3:5060;lr>")
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[route]))
    bob.invitation.application = {"data": {"account": 7}}
    dialog = bob.accept().dialog
    world.run(0.1)
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 2)
    session = heir.last(SessionResumed).session
    for name in ("key", "local", "remote", "remote_target", "route_set", "secure", "session_id"):
        assert getattr(session.dialog, name) == getattr(dialog, name)
    assert session.application is not None
    assert session.application["data"] == {"account": 7}


def test_the_heir_knows_how_long_the_call_has_lasted() -> None:
    world, bob, carol = called(*UPDATES)
    world.run(100)
    inside(carol, "UPDATE", 2)
    began = (bob.session.application or {})["began"]
    world.run(50)
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 3)
    resumed = (heir.last(SessionResumed).session.application or {})["began"]
    assert isinstance(began, float)
    assert resumed == pytest.approx(began, abs=2)


# --- a call of ours ---


def test_until_the_peer_has_the_state_another_node_answers_bye_and_options_and_puts_off_the_rest() -> None:
    world, bob, carol = calling(*UPDATES)
    heir = killed(world, bob)
    back(carol, "OPTIONS", 1)
    assert carol.response.status == 200
    back(carol, "INVITE", 2, body=AGAIN)
    assert (carol.response.status, "Retry-After" in carol.response.headers) == (503, True)
    back(carol, "BYE", 3)
    assert carol.response.status == 200
    back(carol, "OPTIONS", 4)
    assert carol.response.status == 481
    assert heir.told == []
    over(world, heir)


def test_an_update_after_the_ack_tells_the_peer_the_state_and_asks_it_to_refresh() -> None:
    world, bob, carol = calling(*UPDATES, ("Session-Expires", "1800;refresher=uas"))
    world.run(0.1)
    assert carol.methods == ["INVITE", "ACK", "UPDATE"]
    assert carol.request.headers.get("Session-Expires") == "1800;refresher=uas"
    assert carol.request.body == b""
    carol.answer(carol.request, 200, None, headers=[("Session-Expires", "1800;refresher=uas")])
    world.run(60)
    assert carol.methods == ["INVITE", "ACK", "UPDATE"]
    heir = killed(world, bob)
    back(carol, "INVITE", 1, body=AGAIN)
    session = heir.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (OFFER, ANSWER)
    session.refuse_offer(488, world.now)
    back(carol, "BYE", 2)
    assert carol.response.status == 200
    over(world, heir)


def test_a_peer_without_update_gets_one_reinvite_whatever_it_answers() -> None:
    world, bob, carol = calling()
    world.run(0.1)
    assert carol.methods == ["INVITE", "ACK", "INVITE"]
    assert carol.request.body == OFFER
    carol.answer(carol.request, 200, None, body=b"v=0 another version\r\n")
    world.run(60)
    assert carol.methods == ["INVITE", "ACK", "INVITE", "ACK"]
    heir = killed(world, bob)
    back(carol, "BYE", 1)
    assert heir.told == ["SessionResumed", "Ended"]
    over(world, heir)


@pytest.mark.parametrize("status", [405, 488, 501])
def test_an_update_that_is_refused_is_followed_by_a_reinvite(status: int) -> None:
    world, _, carol = calling(*UPDATES)
    world.run(0.1)
    carol.answer(carol.request, status, None)
    world.run(0.2)
    assert carol.methods == ["INVITE", "ACK", "UPDATE", "INVITE"]
    carol.answer(carol.request, 488, None)
    world.run(60)
    assert carol.methods == ["INVITE", "ACK", "UPDATE", "INVITE", "ACK"]


def test_a_peer_that_is_busy_is_asked_again_but_not_for_ever() -> None:
    world, bob, carol = calling(*UPDATES)
    for _ in range(3):
        world.run(0.1)
        carol.answer(carol.request, 491, None)
        world.run(1)
    world.run(0.1)
    assert carol.methods == ["INVITE", "ACK", "UPDATE", "UPDATE", "UPDATE", "INVITE"]
    carol.answer(carol.request, 491, None)
    world.run(60)
    assert carol.methods[6:] == ["ACK"]
    assert bob.told[-1] == "OfferDue"  # it is the application's turn


def test_after_a_refused_reinvite_the_next_change_is_told_again() -> None:
    world, bob, carol = calling()
    world.run(0.1)
    carol.answer(carol.request, 488, None)
    world.run(60)
    bob.session.reoffer(AGAIN, world.now)
    carol.answer(carol.request, 200, None, body=b"v=0 held\r\n")
    world.run(0.2)
    assert carol.methods == ["INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK", "INVITE"]


def test_a_call_that_ends_at_once_is_told_nothing() -> None:
    world, bob, carol = calling(*UPDATES)
    bob.hang_up()
    world.run(0.2)
    assert carol.methods == ["INVITE", "ACK", "BYE"]
    carol.answer(carol.request, 200, None)
    over(world, bob)


def test_a_peer_that_knows_no_such_call_ends_it() -> None:
    world, bob, carol = calling(*UPDATES)
    world.run(0.1)
    carol.answer(carol.request, 481, None)
    world.run(0.1)
    assert bob.last(Ended).by == "remote"


def test_a_late_offer_is_complete_once_its_answer_has_come_and_the_peer_was_told() -> None:
    world, bob, carol = parties()
    carol.send(bob.address, carol.write("INVITE", bob.uri, headers=UPDATES))
    bob.accept(OFFER)
    answer = carol.response
    carol.send(
        bob.address,
        carol.inside(answer, "ACK", 1, body=ANSWER, headers=[("Content-Type", "application/sdp")]),
    )
    world.run(0.2)
    assert carol.methods == ["UPDATE"]
    assert user(carol.request) != user(answer)
    carol.answer(carol.request, 200, None, headers=UPDATES)
    told = str(contact(carol.request))
    world.run(0.2)
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 2, contact=told)
    assert heir.last(SessionResumed).session.exchange.remote == ANSWER


def test_while_the_answer_to_a_late_offer_is_on_its_way_another_node_answers_bye() -> None:
    world, bob, carol = parties()
    carol.send(bob.address, carol.write("INVITE", bob.uri))
    bob.accept(OFFER)
    world.run(0.1)
    heir = killed(world, bob)
    inside(carol, "INVITE", 2, body=AGAIN)
    assert carol.response.status == 503
    inside(carol, "BYE", 3)
    assert (carol.response.status, heir.told) == (200, [])


def test_what_we_change_is_told_soon_afterwards() -> None:
    """Our hold: the seal in its re-INVITE has the state before; the answer changes it."""
    world, bob, carol = called(*UPDATES)
    bob.session.reoffer(AGAIN, world.now)
    carol.answer(carol.request, 200, None, body=b"v=0 held\r\n", headers=UPDATES)
    world.run(0.2)
    assert carol.methods == ["INVITE", "ACK", "UPDATE"]
    carol.answer(carol.request, 200, None)
    told = str(contact(carol.request))
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 2, contact=told)
    session = heir.last(SessionResumed).session
    assert (session.exchange.local, session.exchange.remote) == (AGAIN, b"v=0 held\r\n")


# --- numbers ---


def test_the_heir_begins_with_numbers_that_nobody_else_has() -> None:
    world, bob, carol = called()
    heir = killed(world, bob, 3)
    inside(carol, "OPTIONS", 2)
    session = heir.last(SessionResumed).session
    session.hang_up(world.now)
    world.run(0.1)
    assert (carol.request.method, carol.request.cseq.number) == ("BYE", 3 * BLOCK + 1)


def test_a_node_that_opens_a_seal_again_later_has_other_numbers() -> None:
    world, bob, carol = called()
    numbers = []
    heir = bob
    for cseq in (2, 3):
        heir = killed(world, heir, 1)
        inside(carol, "OPTIONS", cseq)
        numbers.append(heir.last(SessionResumed).session.dialog.local_cseq)
        world.run(STEP)
    assert numbers == [BLOCK, BLOCK + NODES * BLOCK]


def test_a_node_that_has_used_up_its_thousand_goes_on_with_another_of_its_own() -> None:
    _, bob, carol = called()
    usages = bob.session.usages
    for _ in range(1200):
        usages.send(usages.draft("INFO"), bob.session, 0.0)
    numbers = {request.cseq.number for request in carol.requests}
    assert len(numbers) == 1200
    assert {number // BLOCK % NODES for number in numbers} == {0}


def test_numbers_do_not_run_out_of_31_bits() -> None:
    world, bob, carol = called()
    bob.session.usages.ceiling = 2**31 - 10
    inside(carol, "UPDATE", 2)
    heir = killed(world, bob)
    inside(carol, "OPTIONS", 3)
    assert carol.response.status == 503
    assert heir.told == []


# --- what is refused ---


def test_a_request_from_before_the_seal_is_refused() -> None:
    world, bob, carol = called(*UPDATES)
    inside(carol, "UPDATE", 5)
    heir = killed(world, bob)
    for cseq in (4, 5):
        inside(carol, "BYE", cseq)
        assert carol.response.status == 500
    assert heir.told == []


def test_an_old_seal_in_a_new_call_is_nothing() -> None:
    world, bob, carol = called()
    old = str(contact(carol.response))
    heir = killed(world, bob)
    request = carol.write("BYE", old, to="<sip:bob@example.com>;tag=mine", call_id="another", cseq=9)
    carol.send(bob.address, request)
    assert carol.response.status == 481
    assert heir.told == []


def test_what_was_answered_does_not_come_back_at_the_same_node() -> None:
    world, bob, carol = called()
    heir = killed(world, bob)
    inside(carol, "BYE", 2)
    inside(carol, "OPTIONS", 3)
    assert carol.response.status == 481
    world.run(31)
    inside(carol, "INVITE", 4, body=AGAIN)
    assert carol.response.status == 481
    assert heir.told == ["SessionResumed", "Ended"]


def test_our_own_bye_is_the_end_at_this_node_as_well() -> None:
    world, bob, carol = called()
    bob.hang_up()
    carol.answer(carol.request, 200, None)
    inside(carol, "OPTIONS", 3)
    assert carol.response.status == 481


def test_a_key_that_is_gone_opens_nothing_and_a_new_one_opens_the_old_beside() -> None:
    world, bob, carol = called()
    stranger = killed(world, bob, keys=(OTHER_KEY,))
    inside(carol, "OPTIONS", 2)
    assert carol.response.status == 481
    heir = killed(world, stranger, 2, keys=(OTHER_KEY, KEY))
    inside(carol, "OPTIONS", 3)
    assert (carol.response.status, heir.told) == (200, ["SessionResumed"])


def test_a_call_that_outlived_its_session_timer_by_an_interval_is_over() -> None:
    world, bob, carol = called(*UPDATES)
    heir = killed(world, bob)
    world.run(3 * 1800)
    inside(carol, "OPTIONS", 2)
    assert (carol.response.status, heir.told) == (481, [])


def test_a_clock_that_is_an_interval_ahead_ends_no_call_whose_peer_is_there() -> None:
    world, bob, carol = called(*UPDATES)
    heir = killed(world, bob)
    world.run(2000)
    inside(carol, "UPDATE", 2)
    world.run(60)
    assert (carol.response.status, heir.told) == (200, ["SessionResumed"])


def test_who_comes_from_elsewhere_is_not_let_in_where_only_the_flow_counts() -> None:
    world = World()
    bob = node(world, 0, peers="flow")
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    world.run(0.1)
    thief = ScriptedPeer(world, "carol", ("192.0.2.9", 5060))
    heir = killed(world, bob, peers="flow")
    target = str(contact(carol.response))
    thief.send(heir.address, carol.inside(carol.response, "BYE", 2))
    assert thief.response.status == 481
    inside(carol, "OPTIONS", 3, contact=target)
    assert (carol.response.status, heir.told) == (200, ["SessionResumed"])


# --- what does not fit ---


def test_of_what_does_not_fit_another_node_answers_the_bye_and_no_more_which_is_said_once() -> None:
    world, bob, carol = parties()
    warned: list[str] = []
    perform = bob._perform
    bob._perform = lambda output: (  # type: ignore[method-assign]
        warned.append(output.text) if isinstance(output, Warn) else perform(output)
    )
    for number in range(2):
        noise = random.Random(number).randbytes(300).hex().encode()
        carol.send(bob.address, carol.write("INVITE", bob.uri, body=noise, call_id=f"{number}"))
        bob.accept()
        assert len(user(carol.response)) == 50
        carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.run(1)
    assert len(warned) == 1
    assert "does not fit" in warned[0]
    assert carol.requests == []
    heir = killed(world, bob)
    first = next(each for each in carol.responses if each.status == 200)
    inside(carol, "BYE", 2, contact=str(contact(first)))
    assert (carol.response.status, heir.told) == (200, [])


def test_who_keeps_no_sessions_has_a_plain_contact() -> None:
    world = World()
    bob, carol = CoreAgent(world, "bob"), ScriptedPeer(world, "carol")
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    assert user(carol.response) == "bob"
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [1 INVITE]")


def test_data_that_cannot_be_kept_costs_no_call() -> None:
    world, bob, carol = parties()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.application = {"data": {"what": object()}}
    bob.accept()
    world.run(0.1)
    assert (carol.response.status, len(user(carol.response)), bob.faults) == (200, 50, [])
