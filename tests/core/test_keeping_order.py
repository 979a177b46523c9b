"""What the peer hears first, where a 2xx or an ACK waits for the store: requests of ours wait behind it."""

from __future__ import annotations

import pytest

from sipstack.core.events import Accepted, Answered, Ended, InvitationCancelled, OfferAnswered, OfferReceived
from sipstack.core.keeping import PATIENCE
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.session import Session
from tests.core.test_keeping import AGAIN, calling, in_a_call, invited, kept_bob, served


def ask(session: Session, method: str, now: float) -> None:
    """A request of ours in the call."""
    session.usages.send(session.usages.draft(method), session, now)


# --- a call of ours ---


@pytest.mark.parametrize("method", ["INFO", "REFER", "MESSAGE", "UPDATE", "INVITE"])
def test_no_request_of_ours_overtakes_the_ack(method: str) -> None:
    world, store, bob, carol = calling()
    store.waits = True
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(0.1)
    session = bob.last(Answered).session
    ask(session, method, world.now)
    ask(session, "INFO", world.now)
    world.run(0.1)
    assert world.ladder(by="bob")[1:] == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder(f"""
        bob -> carol ACK sip:carol@192.0.2.3:5060 [1]
        bob -> carol {method} sip:carol@192.0.2.3:5060 [2]
        bob -> carol INFO sip:carol@192.0.2.3:5060 [3]
    """)


def test_the_ack_and_what_waits_behind_it_go_out_though_the_store_says_nothing() -> None:
    world, store, bob, carol = in_a_call_of_ours()
    bob.session.reoffer(AGAIN, world.now)
    world.run(0.1)
    store.waits = True
    carol.answer(carol.requests[-1], 200, body=ANSWER)
    world.run(0.1)
    ask(bob.session, "INFO", world.now)
    world.run(PATIENCE - 0.2)
    assert world.ladder(by="bob") == ladder("bob -> carol INVITE sip:carol@192.0.2.3:5060 [2]")
    world.run(0.2)
    assert world.ladder(by="bob") == ladder("""
        bob -> carol ACK sip:carol@192.0.2.3:5060 [2]
        bob -> carol INFO sip:carol@192.0.2.3:5060 [3]
    """)


def test_a_request_that_nobody_waits_for_any_more_stays_here() -> None:
    world, store, bob, carol = calling()
    store.waits = True
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(0.1)
    session = bob.last(Answered).session
    sent = session.usages.send(session.usages.draft("INFO"), session, world.now)
    sent.give_up(world.now)
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob")[1:] == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [1]")


def test_a_number_that_is_another_process_s_by_now_is_not_sent() -> None:
    world, store, bob, carol = in_a_call_of_ours()
    bob.session.reoffer(AGAIN, world.now)
    world.run(0.1)
    session = bob.session
    store.waits = True
    carol.answer(carol.requests[-1], 200, body=ANSWER)
    world.run(0.1)
    told: list[str] = []

    class Teller:
        def response_received(self, response: object, now: float) -> None:
            raise AssertionError("it was sent")

        def request_failed(self, error: Exception, now: float) -> None:
            told.append(str(error))

    session.usages.send(session.usages.draft("INFO"), Teller(), world.now)
    for entry in store.entries.values():
        entry.epoch += 1
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob")[1:] == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [2]")
    assert told == ["call ended by elsewhere: another process has taken the call over"]
    assert bob.last(Ended).by == "elsewhere"


def test_the_ack_of_a_re_invite_goes_out_when_what_was_agreed_is_kept() -> None:
    world, store, bob, carol = in_a_call_of_ours()
    writes = store.writes
    bob.session.reoffer(AGAIN, world.now)
    world.run(0.1)
    world.ladder()
    store.waits = True
    carol.answer(carol.requests[-1], 200, body=b"v=0 agreed\r\n")
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol ACK sip:carol@192.0.2.3:5060 [2]")
    assert (store.sessions[0].local, store.sessions[0].remote) == (AGAIN, b"v=0 agreed\r\n")
    assert store.writes == writes + 1
    assert bob.last(OfferAnswered).body == b"v=0 agreed\r\n"


def in_a_call_of_ours() -> tuple[World, SharedStore, CoreAgent, ScriptedPeer]:
    world, store, bob, carol = calling()
    carol.answer(carol.request, 200, body=ANSWER)
    world.run(0.1)
    assert bob.session is bob.last(Answered).session
    world.ladder()
    return world, store, bob, carol


def test_a_request_of_theirs_that_waits_to_be_noted_holds_nothing_of_ours_up() -> None:
    world, store, bob, carol = in_a_call()
    store.waits = True
    served(bob, "INFO")
    carol.send(bob.address, carol.inside(carol.response, "INFO", 2))
    ask(bob.session, "INFO", world.now)
    bob.drain()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol INFO sip:carol@192.0.2.3:5060 [1]")
    store.answer()
    world.run(0.1)
    assert "bob -> carol 200 OK [2 INFO]" in world.ladder(by="bob")


# --- a call to us ---


def accepted(user: object) -> tuple[World, SharedStore, CoreAgent, ScriptedPeer, Session]:
    """Bob has accepted, and his 200 waits for the store."""
    world, store, bob, carol = kept_bob()
    store.waits = True
    invited(bob, carol)
    session = bob.accept()
    session.user = user
    world.run(0.1)
    assert world.ladder(by="bob") == []
    return world, store, bob, carol, session


def test_who_waits_for_the_200_is_told_when_it_is_out() -> None:
    world, store, bob, carol, session = accepted(user="a call")
    assert not [event for event in bob.events if isinstance(event, Accepted)]
    store.answer()
    world.run(0.1)
    assert carol.response.status == 200
    assert bob.last(Accepted).session is session
    assert session.is_established


def test_a_call_that_we_hang_up_while_its_200_waits_is_refused() -> None:
    """Before, nothing happened, and the peer had a call of which nobody here knew."""
    world, store, bob, carol, session = accepted(user="a call")
    session.hang_up(world.now)
    bob.drain()
    world.run(0.1)
    assert carol.response.status == 480
    assert (bob.last(Ended).session, bob.last(Ended).by) == (session, "local")
    store.answer()  # it was written after all: that is taken back
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


def test_a_call_that_is_cancelled_while_its_200_waits_ends() -> None:
    world, store, bob, carol, session = accepted(user="a call")
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch=carol.branch))
    world.run(0.1)
    assert carol.response.status == 487
    ends = [event for event in bob.events if isinstance(event, InvitationCancelled | Ended)]
    assert [type(event) for event in ends] == [InvitationCancelled, Ended]
    assert (bob.last(Ended).session, bob.last(Ended).by) == (session, "remote")


def test_our_offer_waits_while_the_answer_to_theirs_is_not_out() -> None:
    """RFC 3261 §14.1: not while another INVITE is in progress, in either direction."""
    world, store, bob, carol = in_a_call()
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    session = bob.last(OfferReceived).session
    session.accept_offer(b"v=0 too\r\n", world.now)
    session.reoffer(b"v=0 ours\r\n", world.now)
    bob.drain()
    world.run(0.1)
    assert world.ladder(by="bob") == []
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 INVITE]")
    assert session.received_offer is None


def test_a_second_offer_of_theirs_is_put_off_while_the_answer_to_the_first_is_not_out() -> None:
    """§14.2: 500 with Retry-After."""
    world, store, bob, carol = in_a_call()
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    bob.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 3, body=AGAIN))
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 500 Server Internal Error [3 INVITE]")
    assert "Retry-After" in carol.response.headers
    store.answer()
    world.run(0.1)
    assert ladder("bob -> carol 200 OK [2 INVITE]") == world.ladder(by="bob")[:1]


def test_a_re_invite_that_is_accepted_is_answered_once_when_the_call_ends_meanwhile() -> None:
    world, store, bob, carol = in_a_call()
    store.waits = True
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=AGAIN))
    bob.last(OfferReceived).session.accept_offer(b"v=0 too\r\n", world.now)
    carol.send(bob.address, carol.inside(carol.responses[0], "BYE", 3))
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 INVITE]")
    store.answer()
    world.run(0.1)
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [3 BYE]")
