"""The established session and its end (RFC 3261 §15, §12.2.2)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.machine import NOBODY
from tests.simulation.pair import established
from tests.usage.invite.callers import bob_and_peer, called_by_peer


def by(*agents: CoreAgent) -> tuple[str, ...]:
    return tuple(agent.last(Ended).by for agent in agents)


@pytest.mark.parametrize(("who", "cseq"), [("alice", 2), ("bob", 1)])
def test_either_side_may_hang_up(who: str, cseq: int) -> None:
    world = World()
    alice, bob = established(world)
    one, other = (alice, bob) if who == "alice" else (bob, alice)
    one.hang_up()
    one.hang_up()
    world.settle()
    assert world.ladder() == [
        f"{one.name} -> {other.name} BYE {other.uri} [{cseq}]",
        f"{other.name} -> {one.name} 200 OK [{cseq} BYE]",
    ]
    assert by(one, other) == ("local", "remote")
    assert (one.leftovers, other.leftovers) == ([], [])


def test_a_reason_goes_along_with_the_bye() -> None:
    world = World()
    alice, bob = established(world)
    alice.session.hang_up(world.now, (("Reason", "Q.850;cause=16"),))
    world.run()
    assert (bob.last(Ended).reason, alice.last(Ended).reason) == ("Q.850;cause=16", "")


def test_two_byes_cross() -> None:
    world = World(Link(delay=0.1))
    alice, bob = (CoreAgent(world, name, (f"192.0.2.{n}", 5060)) for n, name in ((1, "alice"), (2, "bob")))
    alice.call(bob.uri)
    world.run(0.15)
    bob.accept()
    world.run(0.85)
    world.ladder()
    alice.hang_up()
    bob.hang_up()
    world.settle()
    assert world.timed_ladder() == timed("""
        1.0  alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        1.0  bob -> alice    BYE sip:alice@192.0.2.1:5060 [1]
        1.1  bob -> alice    200 OK [2 BYE]
        1.1  alice -> bob    200 OK [1 BYE]
    """)
    assert by(alice, bob) == ("local", "local")
    assert (alice.leftovers, bob.leftovers) == ([], [])


@pytest.mark.parametrize("status", [200, 400, 408, 481, 500, 503, 603])
def test_whatever_the_answer_to_bye_the_call_is_over(status: int) -> None:
    world, bob, carol = called_by_peer()
    bob.hang_up()
    carol.answer(carol.request, status, None)
    assert by(bob) == ("local",)
    world.settle()
    assert bob.leftovers == []


def test_a_bye_that_nobody_answers_ends_the_call_after_64_t1() -> None:
    world, bob, _ = called_by_peer()
    bob.hang_up()
    world.settle()
    times = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert world.timed_ladder() == [(at, "bob -> carol BYE sip:carol@192.0.2.3:5060 [1]") for at in times]
    assert (by(bob), bob.leftovers, world.now) == (("local",), [], 32.0)


def test_once_over_the_dialog_is_unknown() -> None:
    world, bob, carol = called_by_peer()
    answer = carol.response
    for number, method in enumerate(["BYE", "BYE", "OPTIONS", "INVITE"], 2):
        carol.send(bob.address, carol.inside(answer, method, number))
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    200 OK [2 BYE]
        bob -> carol    481 Call/Transaction Does Not Exist [3 BYE]
        bob -> carol    481 Call/Transaction Does Not Exist [4 OPTIONS]
        bob -> carol    481 Call/Transaction Does Not Exist [5 INVITE]
    """)
    assert bob.told == ["InvitationReceived", "Acknowledged", "Ended"]


def test_a_request_out_of_order_gets_500_and_changes_nothing() -> None:
    """§12.2.2: "If the remote sequence number is ... lower ... the request is out of order"."""
    world, bob, carol = called_by_peer()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "OPTIONS", 9))
    carol.send(bob.address, carol.inside(answer, "BYE", 8))
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    200 OK [9 OPTIONS]
        bob -> carol    500 Server Internal Error [8 BYE]
    """)
    assert bob.session.is_established


def test_what_the_session_does_not_know_is_answered_by_the_endpoint() -> None:
    world, bob, carol = called_by_peer()
    answer, statuses = carol.response, []
    for number, method in enumerate(["OPTIONS", "MESSAGE", "INFO", "NEWMETHOD"], 2):
        carol.send(bob.address, carol.inside(answer, method, number))
        statuses.append(carol.response.status)
    assert statuses == [200, 405, 405, 501]
    assert world.ladder()[1::2] == ladder("""
        bob -> carol    200 OK [2 OPTIONS]
        bob -> carol    405 Method Not Allowed [3 MESSAGE]
        bob -> carol    405 Method Not Allowed [4 INFO]
        bob -> carol    501 Not Implemented [5 NEWMETHOD]
    """)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS"])
def test_an_extension_that_we_lack_cannot_be_required_inside_a_dialog_either(method: str) -> None:
    """§8.2.2.3"""
    world, bob, carol = called_by_peer()
    require = [("Require", "100rel, timer")]
    carol.send(bob.address, carol.inside(carol.response, method, 2, headers=require))
    assert (carol.response.status, carol.response.headers.get("Unsupported")) == (420, "100rel, timer")
    assert bob.session.is_established


def test_a_caller_of_rfc_2543_has_no_tag_and_can_still_say_bye() -> None:
    world, bob, carol = bob_and_peer()
    old = [("From", "<sip:carol@example.com>")]
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=old))
    bob.accept()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "ACK", 1))
    carol.send(bob.address, carol.inside(answer, "BYE", 2))
    assert carol.response.status == 200
    assert bob.told == ["InvitationReceived", "Acknowledged", "Ended"]


def test_a_callee_of_rfc_2543_has_no_tag_and_can_still_be_told_bye() -> None:
    world = World()
    alice, carol = (
        CoreAgent(world, "alice", ("192.0.2.1", 5060)),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )
    alice.call(carol.uri)
    carol.answer(carol.request, 200, None, body=ANSWER)
    alice.hang_up()
    assert (carol.request.method, carol.request.to.tag) == ("BYE", None)
    carol.answer(carol.request, 200, None)
    assert alice.told == ["Answered", "Ended"]


def test_what_comes_after_the_end_is_refused_loudly() -> None:
    world, bob, carol = called_by_peer()
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    session = bob.session
    with pytest.raises(LocalProtocolError, match="the call is over"):
        session.reoffer(OFFER, world.now)
    with pytest.raises(LocalProtocolError, match="no offer of the peer waits"):
        session.accept_offer(ANSWER, world.now)
    with pytest.raises(LocalProtocolError, match="no offer of the peer waits"):
        session.refuse_offer(488, world.now)
    with pytest.raises(LocalProtocolError, match="no answer may be sent"):
        session.answer(ANSWER, world.now)
    session.hang_up(world.now)
    assert world.ladder(by="bob") == ["bob -> carol 200 OK [2 BYE]"]


def test_its_repr_tells_the_state() -> None:
    _, bob, _ = called_by_peer()
    assert repr(bob.session) == "<Session ESTABLISHED call-of-carol>"
    bob.hang_up()
    assert repr(bob.session) == "<Session CLOSING call-of-carol>"


def test_a_bye_that_a_later_request_has_overtaken_goes_out_again() -> None:
    """A NOTIFY of the same dialog, say: the peer answers 500 and does not know yet that it is over."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=b"v=0 the answer\r\n")
    usages = alice.session.usages
    alice.hang_up()
    bye = bob.request
    usages.send(usages.draft("NOTIFY"), NOBODY, world.now)
    bob.answer(bob.request, 481)
    bob.answer(bye, 500)
    assert (bob.request.method, bob.request.cseq.number) == ("BYE", bye.cseq.number + 2)
    assert "Ended" not in alice.told
    bob.answer(bob.request, 500)
    assert (alice.last(Ended).by, bob.methods.count("BYE")) == ("local", 2)
    world.settle()
    assert alice.leftovers == []
