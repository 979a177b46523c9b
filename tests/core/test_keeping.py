"""Sessions that are kept beyond the process: what the peer may rely on is written before it hears of it."""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered, Ended, OfferReceived, SessionResumed
from sipstack.core.keeping import PATIENCE, RESERVED
from sipstack.core.registry import Method
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World

AGAIN = b"v=0 again\r\n"


def kept_bob() -> tuple[World, SharedStore, CoreAgent, ScriptedPeer]:
    """Bob, whose sessions are kept, and carol, who is about to call him."""
    world, store = World(), SharedStore()
    return (
        world,
        store,
        CoreAgent(world, "bob", ("192.0.2.2", 5060), store=store),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )


def invited(bob: CoreAgent, carol: ScriptedPeer) -> None:
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))


def served(agent: CoreAgent, *methods: str) -> None:
    """Its application answers these with 200."""
    core = agent.core
    for method in methods:
        core.registry.add_method(
            Method(
                method,
                lambda request, transaction, now: core.respond(transaction, request.response(200), now),
            )
        )


def in_a_call() -> tuple[World, SharedStore, CoreAgent, ScriptedPeer]:
    world, store, bob, carol = kept_bob()
    invited(bob, carol)
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    return world, store, bob, carol


def killed_and_another(world: World, bob: CoreAgent, store: SharedStore) -> CoreAgent:
    """Bob's process is killed, and another one takes its address."""
    bob.kill()
    return CoreAgent(world, "bob", ("192.0.2.2", 5060), store=store)


# --- an incoming call ---


def test_the_200_waits_until_the_session_is_kept() -> None:
    world, store, bob, carol = kept_bob()
    store.waits = True
    invited(bob, carol)
    bob.accept()
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [1 INVITE]")
    assert [record.remote for record in store.sessions] == [OFFER]
    assert store.sessions[0].local == ANSWER


def test_a_call_that_cannot_be_kept_is_refused_for_now() -> None:
    world, store, bob, carol = kept_bob()
    store.down = True
    invited(bob, carol)
    bob.accept()
    world.run(0.1)
    assert carol.response.status == 503
    assert "Retry-After" in carol.response.headers
    assert bob.last(Ended).by == "local"
    store.down = False
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


def test_a_store_that_says_nothing_is_not_waited_for_longer_than_four_seconds() -> None:
    world, store, bob, carol = kept_bob()
    store.waits = True
    invited(bob, carol)
    bob.accept()
    world.run(PATIENCE - 0.1)
    assert [response.status for response in carol.responses] == [100]
    world.run(0.2)
    assert carol.response.status == 503
    store.answer()  # it was written after all: that is taken back
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


def test_a_cancel_while_the_200_waits_wins() -> None:
    world, store, bob, carol = kept_bob()
    store.waits = True
    invited(bob, carol)
    bob.accept()
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch=carol.branch))
    world.run(0.1)
    assert carol.response.status == 487
    store.answer()
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


# --- a call of ours ---


def calling() -> tuple[World, SharedStore, CoreAgent, ScriptedPeer]:
    world, store, bob, carol = kept_bob()
    bob.call(carol.uri)
    return world, store, bob, carol


def test_the_ack_waits_until_the_session_is_kept() -> None:
    world, store, bob, carol = calling()
    store.waits = True
    carol.answer(carol.request, 200, body=ANSWER)
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol INVITE sip:carol@192.0.2.3:5060 [1]")
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [1]")
    assert [(record.local, record.remote) for record in store.sessions] == [(OFFER, ANSWER)]
    assert bob.last(Answered).session.is_established


def test_a_call_of_ours_that_cannot_be_kept_is_acknowledged_and_ended() -> None:
    world, store, bob, carol = calling()
    store.down = True
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(2.1)
    assert world.ladder(by="bob")[1:] == ladder("""
        bob -> carol ACK sip:carol@192.0.2.3:5060 [1]
        bob -> carol BYE sip:carol@192.0.2.3:5060 [2]
    """)
    assert bob.last(Ended).by == "local"


def test_a_call_that_we_hang_up_while_its_ack_waits_is_acknowledged_first() -> None:
    world, store, bob, carol = calling()
    store.waits = True
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(0.1)
    bob.hang_up()
    world.run(0.1)
    assert world.ladder(by="bob")[1:] == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [1]")
    world.run(2)
    assert world.ladder(by="bob")[:1] == ladder("bob -> carol BYE sip:carol@192.0.2.3:5060 [2]")


def test_a_2xx_that_comes_once_the_call_is_over_is_acknowledged_at_once() -> None:
    """Ours to a new offer of ours, which crossed our BYE."""
    world, store, bob, carol = in_a_call()
    bob.session.reoffer(AGAIN, world.now)
    invite = carol.request
    assert invite.method == "INVITE"
    bob.hang_up()
    bye = carol.request
    carol.answer(bye, 200, None)
    world.run(1.0)
    world.ladder()
    carol.answer(invite, 200, None, body=ANSWER)
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [1]")
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


# --- what is in it, and when it is written again ---


def test_our_cseq_numbers_are_reserved_a_thousand_at_a_time() -> None:
    _, store, bob, _ = in_a_call()
    assert store.sessions[0].dialog.local_cseq == bob.session.dialog.local_cseq + RESERVED
    assert store.writes == 1
    bob.session.dialog.local_cseq = RESERVED - 1
    usages = bob.session.usages
    usages.send(usages.draft("INFO"), bob.session, 0.0)
    bob.world.run(0.1)
    assert store.sessions[0].dialog.local_cseq == 2 * RESERVED


def test_a_new_offer_of_the_peer_is_kept_before_our_answer_goes_out() -> None:
    world, store, bob, carol = in_a_call()
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    bob.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 INVITE]")
    assert (store.sessions[0].remote, store.sessions[0].dialog.remote_cseq) == (AGAIN, 2)


def test_a_call_goes_on_while_its_store_is_down_and_is_kept_again_afterwards() -> None:
    world, store, bob, carol = in_a_call()
    store.down = True
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    bob.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    world.run(0.1)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 2))
    assert bob.session.is_established
    assert store.sessions[0].remote == OFFER
    store.down = False
    world.run(3)
    assert store.sessions[0].remote == AGAIN


def test_what_is_too_large_for_the_store_is_not_tried_again_until_it_changes() -> None:
    world, store, bob, carol = in_a_call()
    store.largest = len(OFFER)
    before = store.writes
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=OFFER + OFFER))
    bob.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    world.run(0.1)
    assert carol.response.status == 200  # the call goes on, and what is kept of it is older
    carol.send(bob.address, carol.inside(carol.response, "ACK", 2))
    world.run(60)
    assert store.writes == before + 1
    assert store.sessions[0].remote == OFFER
    bob.core.hand_over(world.now)
    assert bob.session.is_established  # nobody is handed a state that is not the last
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 3, body=AGAIN))
    bob.last(OfferReceived).session.accept_offer(b"v=0 three\r\n", world.now)
    world.run(0.1)
    assert store.sessions[0].local == b"v=0 three\r\n"
    carol.send(bob.address, carol.inside(carol.response, "BYE", 4))
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "REFER"])
def test_what_must_not_be_done_twice_is_noted_before_it_is_done(method: str) -> None:
    world, store, bob, carol = in_a_call()
    served(bob, method)
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, method, 2))
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert carol.response.cseq.number == 2
    assert store.sessions[0].dialog.remote_cseq == 2


# --- the end ---


def test_a_bye_is_answered_once_nobody_can_bring_the_call_back() -> None:
    world, store, bob, carol = in_a_call()
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    world.run(0.1)
    assert (world.ladder(by="bob"), bob.told[-1]) == ([], "Ended")
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 BYE]")
    assert store.sessions == []


def test_a_bye_waits_as_long_as_its_peer_while_the_store_is_down() -> None:
    world, store, bob, carol = in_a_call()
    store.down = True
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    world.run(10)
    assert world.ladder(by="bob") == []
    store.down = False
    world.run(3)
    assert carol.response.status == 200
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


def test_a_bye_that_nobody_can_note_is_put_off() -> None:
    world, store, bob, carol = in_a_call()
    store.down = True
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    world.run(30)
    assert (carol.response.status, carol.response.headers.raw("Retry-After")) == (503, ("10",))


def test_our_bye_goes_out_after_two_seconds_in_any_case() -> None:
    world, store, bob, carol = in_a_call()
    store.down = True
    bob.hang_up()
    world.run(1.9)
    assert world.ladder(by="bob") == []
    world.run(0.2)
    carol.answer(carol.request, 200, None)
    store.down = False
    world.settle()
    assert (bob.told[-1], bob.leftovers, store.sessions) == ("Ended", [], [])


# --- another process ---


def test_another_process_answers_the_bye_of_a_call_that_it_never_saw() -> None:
    world, store, bob, carol = in_a_call()
    heir = killed_and_another(world, bob, store)
    carol.send(heir.address, carol.inside(carol.response, "BYE", 2))
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 BYE]")
    assert (heir.told, store.sessions) == (["SessionResumed", "Ended"], [])
    world.settle()
    assert heir.leftovers == []


def test_the_heir_takes_offers_and_its_own_numbers_are_new() -> None:
    world, store, bob, carol = in_a_call()
    heir = killed_and_another(world, bob, store)
    carol.send(heir.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    world.run(0.1)
    session = heir.last(SessionResumed).session
    session.accept_offer(b"v=0 too\r\n", world.now)
    world.run(0.1)
    carol.send(heir.address, carol.inside(carol.response, "ACK", 2))
    session.hang_up(world.now)
    world.run(0.1)
    assert carol.request.method == "BYE"
    assert carol.request.cseq.number == RESERVED + 1


def test_requests_that_come_while_the_session_is_loaded_wait_in_their_order() -> None:
    world, store, bob, carol = in_a_call()
    heir = killed_and_another(world, bob, store)
    store.waits = True
    for cseq, method in ((3, "BYE"), (2, "OPTIONS")):
        carol.send(heir.address, carol.inside(carol.response, method, cseq))
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("""
        bob -> carol 200 OK [2 OPTIONS]
        bob -> carol 200 OK [3 BYE]
    """)


def test_who_has_no_session_gets_481() -> None:
    world, _, bob, carol = kept_bob()
    carol.send(bob.address, carol.write("BYE", bob.uri, to=f"<{bob.uri}>;tag=none"))
    world.run(0.1)
    assert carol.response.status == 481


def test_while_nobody_knows_it_is_503_and_never_481() -> None:
    world, store, bob, carol = in_a_call()
    heir = killed_and_another(world, bob, store)
    store.down = True
    carol.send(heir.address, carol.inside(carol.response, "BYE", 2))
    world.run(0.1)
    assert carol.response.status == 503
    assert "Retry-After" in carol.response.headers


def test_a_call_that_is_over_is_not_brought_back() -> None:
    world, store, bob, carol = in_a_call()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "BYE", 2))
    heir = killed_and_another(world, bob, store)
    carol.send(heir.address, carol.inside(answer, "OPTIONS", 3))
    world.run(0.1)
    assert carol.response.status == 481


def test_who_is_not_the_owner_any_more_goes_without_a_word() -> None:
    """Both processes live: the old one had only lost its way to the peer."""
    world, store, bob, carol = in_a_call()
    heir = CoreAgent(world, "bob2", ("192.0.2.4", 5060), store=store)
    answer = carol.response
    carol.send(heir.address, carol.inside(answer, "OPTIONS", 2))
    world.run(0.1)
    assert heir.told == ["SessionResumed"]
    served(bob, "INFO")
    carol.send(bob.address, carol.inside(answer, "INFO", 3))
    world.run(0.1)
    assert carol.response.status == 500
    assert bob.last(Ended).by == "elsewhere"
    assert [each.method for each in carol.requests] == []
    assert len(store.sessions) == 1
    world.settle()
    assert bob.leftovers == []
