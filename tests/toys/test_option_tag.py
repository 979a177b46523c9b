"""An option tag in one new file: fields, a refusal with a hint, one retry, a deadline, a record."""

from __future__ import annotations

import json

import pytest

from sipstack.core.events import Ended, OfferAnswered, OfferReceived, OfferRefused, Progressed, Refused
from sipstack.errors import LocalProtocolError
from sipstack.message import Request, Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.record import SessionRecord
from tests.simulation.pair import alice_and_bob
from tests.toys.option_tag import lease
from tests.usage.invite.callers import alice_and_peer, bob_and_peer

HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"


def leased_call(world: World) -> tuple[CoreAgent, CoreAgent]:
    """Alice, who has called bob for 60 s; the ladder begins after it."""
    alice, bob = alice_and_bob(world)
    for agent in (alice, bob):
        agent.core.registry.add_extension(lease())
    alice.call(bob.uri)
    world.run()
    bob.accept()
    world.run()
    world.ladder()
    return alice, bob


def calling_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, who calls bob with the option tag."""
    world, alice, bob = alice_and_peer()
    alice.core.registry.add_extension(lease())
    alice.call(bob.uri)
    return world, alice, bob


def called_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, in a call with bob, who took no notice of the option tag."""
    world, alice, bob = calling_peer()
    bob.answer(bob.request, 200, body=ANSWER)
    world.ladder()
    return world, alice, bob


def fields(*messages: Request | Response, name: str = "Lease") -> list[str | None]:
    return [message.headers.get(name) for message in messages]


# --- refused with a hint ---


def test_a_second_refusal_is_told() -> None:
    world, alice, bob = calling_peer()
    bob.answer(bob.request, 475, "first", headers=[("Min-Lease", 90)])
    bob.answer(bob.request, 475, "second", headers=[("Min-Lease", 120)])
    world.settle()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    475 Request Failure [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    475 Request Failure [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
    """)
    assert alice.told == ["Refused"]
    assert alice.last(Refused).response.headers.get("Min-Lease") == "120"
    assert alice.leftovers == []


@pytest.mark.parametrize(("status", "hint"), [(475, []), (475, [("Min-Lease", "soon")]), (488, [])])
def test_a_refusal_without_a_hint_is_told_at_once(status: int, hint: list[tuple[str, object]]) -> None:
    _, alice, bob = calling_peer()
    bob.answer(bob.request, status, headers=hint)
    assert (alice.told, bob.methods) == (["Refused"], ["INVITE", "ACK"])


def test_a_cancelled_invite_is_not_tried_again() -> None:
    world, alice, bob = alice_and_peer()
    alice.core.registry.add_extension(lease())
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    outgoing.cancel(world.now)
    bob.answer(invite, 475, headers=[("Min-Lease", 90)])
    assert (alice.told, bob.methods) == (["Progressed", "Refused"], ["INVITE", "CANCEL", "ACK"])


def test_the_invite_is_tried_once_more_with_the_hint() -> None:
    world, alice, bob = calling_peer()
    first = bob.request
    bob.answer(first, 180, "early")
    bob.answer(first, 475, "first", headers=[("Min-Lease", 90)])
    second = bob.request
    bob.answer(second, 200, "second", body=ANSWER, headers=[("Lease", 90)])
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    475 Request Failure [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
    """)
    assert fields(first, second) == ["60", "90"]
    same = ("From", "To", "Call-ID", "Contact", "Max-Forwards", "Supported", "Allow", "Content-Type")
    assert [first.headers.get(name) for name in same] == [second.headers.get(name) for name in same]
    assert (first.body, second.body) == (OFFER, OFFER)
    assert first.via.branch != second.via.branch
    assert alice.told == ["Progressed", "Answered"]
    assert (alice.session.exchange.local, alice.session.exchange.remote) == (OFFER, ANSWER)
    assert alice.session.dialog.local_cseq == 2


def test_the_second_invite_may_be_cancelled() -> None:
    world, alice, bob = alice_and_peer()
    alice.core.registry.add_extension(lease())
    outgoing = alice.call(bob.uri)
    bob.answer(bob.request, 475, headers=[("Min-Lease", 90)])
    second = bob.request
    bob.answer(second, 180)
    outgoing.cancel(world.now)
    cancel = bob.request
    assert (cancel.method, cancel.cseq.number, cancel.via.branch) == ("CANCEL", 2, second.via.branch)
    bob.answer(cancel, 200)
    bob.answer(second, 487)
    world.settle()
    assert (alice.told, alice.leftovers) == (["Progressed", "Refused"], [])


def test_a_reinvite_is_tried_once_more_with_the_hint() -> None:
    world, alice, bob = called_peer()
    alice.session.reoffer(HOLD, world.now)
    first = bob.request
    bob.answer(first, 475, None, headers=[("Min-Lease", 90)])
    second = bob.request
    bob.answer(second, 200, None, body=HELD)
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    475 Request Failure [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [3]
        bob -> alice    200 OK [3 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [3]
    """)
    assert (fields(first, second), second.body) == (["60", "90"], HOLD)
    assert alice.told == ["Answered", "OfferAnswered"]
    assert (alice.session.exchange.local, alice.session.exchange.remote) == (HOLD, HELD)


def test_a_reinvite_that_is_refused_twice_leaves_the_session() -> None:
    world, alice, bob = called_peer()
    alice.session.reoffer(HOLD, world.now)
    bob.answer(bob.request, 475, None, headers=[("Min-Lease", 90)])
    bob.answer(bob.request, 475, None, headers=[("Min-Lease", 120)])
    assert alice.last(OfferRefused).response.headers.get("Min-Lease") == "120"
    assert (alice.session.exchange.local, alice.session.exchange.remote) == (OFFER, ANSWER)
    assert alice.session.is_established


def test_each_reinvite_may_be_tried_again() -> None:
    """The budget is that of one INVITE: a call that lasts for hours may meet a 475 now and then."""
    world, alice, bob = called_peer()
    for hint in (90, 120, 150):
        alice.session.reoffer(HOLD, world.now)
        bob.answer(bob.request, 475, None, headers=[("Min-Lease", hint)])
        assert fields(bob.request) == [str(hint)]
        bob.answer(bob.request, 200, None, body=HELD)
    assert alice.told == ["Answered", "OfferAnswered", "OfferAnswered", "OfferAnswered"]


# --- we refuse ---


def test_an_invite_for_too_short_a_lease_is_refused_with_our_hint() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease(minimum=90))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Lease", 60)]))
    assert fields(carol.response, name="Min-Lease") == ["90"]
    carol.send(bob.address, carol.write("ACK", bob.uri, to=carol.response.headers.get("To") or ""))
    world.settle()
    assert (bob.told, bob.leftovers) == ([], [])


def test_a_reinvite_for_too_short_a_lease_is_refused_and_the_session_stays() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease(minimum=90))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    answer = bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    carol.send(bob.address, carol.inside(accepted, "INVITE", 2, body=HOLD, headers=[("Lease", 60)]))
    assert (carol.response.status, fields(carol.response, name="Min-Lease")) == (475, ["90"])
    assert (answer.is_established, answer.exchange.local, answer.exchange.remote) == (True, ANSWER, OFFER)
    carol.send(bob.address, carol.inside(accepted, "INVITE", 3, body=HOLD, headers=[("Lease", 90)]))
    bob.session.accept_offer(HELD, world.now)
    assert (carol.response.status, fields(carol.response)) == (200, ["90"])


def test_two_of_us_agree_by_the_hint() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    alice.core.registry.add_extension(lease(60))
    bob.core.registry.add_extension(lease(minimum=90))
    alice.call(bob.uri)
    world.run()
    bob.accept()
    world.run()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    475 Request Failure [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
    """)


# --- its fields ---


def test_our_provisional_and_final_responses_carry_its_field() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Lease", 60)]))
    bob.invitation.progress(180, world.now)
    bob.accept()
    assert [(each.status, each.headers.get("Lease")) for each in carol.responses] == [
        (180, "60"),
        (200, "60"),
    ]


def test_a_peer_without_it_hears_nothing_of_it() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    bob.accept()
    assert fields(*carol.responses) == [None, None]
    assert [each.headers.get("Supported") for each in carol.responses] == ["lease", "lease"]


# --- registered and withdrawn ---


def test_all_that_announces_it_is_gone_with_its_withdrawal() -> None:
    world, alice, bob = alice_and_peer()
    plain = "ACK, BYE, CANCEL, INVITE, OPTIONS"
    withdraw = alice.core.registry.add_extension(lease(required=True))
    alice.call(bob.uri)
    withdraw()
    alice.call(bob.uri)
    names = ("Supported", "Require", "Allow", "Lease")
    assert [[each.headers.get(name) for name in names] for each in bob.requests] == [
        ["lease", "lease", "ACK, BYE, CANCEL, INVITE, LEASE, OPTIONS", "60"],
        [None, None, plain, None],
    ]


def test_it_is_demanded_before_and_after() -> None:
    world, bob, carol = bob_and_peer()
    demand = [("Require", "lease")]
    withdraw = bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=demand))
    bob.invitation.refuse(486, world.now)
    withdraw()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=demand, call_id="another"))
    assert [(each.status, each.headers.get("Unsupported")) for each in carol.responses] == [
        (486, None),
        (420, "lease"),
    ]


def test_its_method_outside_of_a_call_has_no_meaning() -> None:
    _, bob, carol = bob_and_peer()
    withdraw = bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("LEASE", bob.uri))
    withdraw()
    carol.send(bob.address, carol.write("LEASE", bob.uri, cseq=2))
    assert [each.status for each in carol.responses] == [481, 501]


# --- time ---


def test_the_caller_renews_and_the_callee_lets_the_call_live() -> None:
    world = World()
    alice, bob = leased_call(world)
    world.run(100)
    assert world.timed_ladder() == timed("""
        30.0  alice -> bob    LEASE sip:bob@192.0.2.2:5060 [2]
        30.0  bob -> alice    200 OK [2 LEASE]
        60.0  alice -> bob    LEASE sip:bob@192.0.2.2:5060 [3]
        60.0  bob -> alice    200 OK [3 LEASE]
        90.0  alice -> bob    LEASE sip:bob@192.0.2.2:5060 [4]
        90.0  bob -> alice    200 OK [4 LEASE]
    """)
    alice.hang_up()
    world.settle()
    assert (alice.leftovers, bob.leftovers) == ([], [])
    assert world.ladder() == ladder("""
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [5]
        bob -> alice    200 OK [5 BYE]
    """)


def test_a_callee_that_hears_nothing_ends_the_call() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Lease", 60)]))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    world.run(60)
    assert world.timed_ladder() == timed("60.0  bob -> carol  BYE sip:carol@192.0.2.3:5060 [1]")
    ended = bob.last(Ended)
    assert (ended.by, ended.reason) == ("timeout", "the lease has ended")
    carol.answer(carol.request, 200, None)
    world.settle()
    assert (bob.told, bob.leftovers) == (["InvitationReceived", "Acknowledged", "Ended"], [])


def test_a_caller_whose_renewals_are_lost_ends_the_call() -> None:
    world, alice, bob = calling_peer()
    bob.answer(bob.request, 200, body=ANSWER, headers=[("Lease", 60)])
    world.ladder()
    world.run(60)
    lines = world.timed_ladder()
    assert (lines[0], lines[-1]) == tuple(
        timed("""
        30.0  alice -> bob    LEASE sip:bob@192.0.2.2:5060 [2]
        60.0  alice -> bob    BYE sip:bob@192.0.2.2:5060 [3]
    """)
    )
    assert (alice.last(Ended).by, alice.last(Ended).reason) == ("timeout", "the lease has ended")
    world.settle()
    assert alice.leftovers == []


def test_a_renewal_that_is_answered_481_ends_the_call() -> None:
    world, alice, bob = calling_peer()
    bob.answer(bob.request, 200, body=ANSWER, headers=[("Lease", 60)])
    world.run(30)
    bob.answer(bob.request, 481, None)
    assert bob.methods == ["INVITE", "ACK", "LEASE", "BYE"]
    assert (alice.told, alice.last(Ended).by) == (["Answered", "Ended"], "remote")


def test_a_call_that_is_over_renews_nothing() -> None:
    world = World()
    alice, bob = leased_call(world)
    bob.hang_up()
    world.settle()
    assert world.ladder() == ladder("""
        bob -> alice    BYE sip:alice@192.0.2.1:5060 [1]
        alice -> bob    200 OK [1 BYE]
    """)
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_nothing_is_renewed_while_our_bye_waits() -> None:
    world, alice, bob = calling_peer()
    bob.answer(bob.request, 200, body=ANSWER, headers=[("Lease", 20)])
    world.run(9)
    alice.hang_up()
    world.settle()
    assert set(bob.methods[2:]) == {"BYE"}


def test_its_requests_are_refused_while_our_bye_waits() -> None:
    """Our BYE waits for the ACK; whatever comes meanwhile, the session is over."""
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Lease", 60)]))
    bob.accept()
    accepted = carol.response
    bob.hang_up()
    carol.send(bob.address, carol.inside(accepted, "LEASE", 2))
    assert carol.response.status == 481
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    assert carol.methods == ["BYE"]


def test_each_fork_has_a_lease_of_its_own() -> None:
    """The surplus call of a fork ends, and with it its lease; that of the call goes on."""
    world, alice, bob = calling_peer()
    invite = bob.request
    for phone, seconds in (("phone1", 20), ("phone2", 10)):
        bob.answer(invite, 200, phone, body=ANSWER, headers=[("Lease", seconds)])
    bob.answer(bob.request, 200, None)
    world.ladder()
    world.run(10)
    assert world.timed_ladder() == timed("10.0  alice -> bob  LEASE sip:bob@192.0.2.2:5060 [2]")
    assert bob.request.to.tag == "phone1"


# --- its record ---


def copied(session_record: SessionRecord) -> SessionRecord:
    """The record after a journey as text."""
    return SessionRecord.of_values(json.loads(json.dumps(session_record.as_values())))


def test_a_copy_in_another_core_goes_on_with_the_lease() -> None:
    world = World()
    alice, bob = leased_call(world)
    world.run(20)
    record = alice.session.record(world.now)
    assert record.extensions == {"lease": {"agreed": 60, "left": 40}}
    heir = CoreAgent(world, "heir", ("192.0.2.9", 5060))
    heir.core.registry.add_extension(lease())
    session = heir.core.resume(copied(record), world.now)
    assert session.record(world.now) == record
    alice.kill()
    world.run(25)
    ladder_of_heir = [line for line in world.timed_ladder() if "heir" in line[1]]
    assert ladder_of_heir == timed("""
        30.0  heir -> bob    LEASE sip:bob@192.0.2.2:5060 [2]
        30.0  bob -> heir    200 OK [2 LEASE]
    """)


def test_a_lease_that_ended_meanwhile_ends_the_copy_at_once() -> None:
    world = World()
    alice, bob = leased_call(world)
    record = copied(bob.session.record(world.now))
    record.extensions["lease"]["left"] = -5
    heir = CoreAgent(world, "heir", ("192.0.2.9", 5060))
    heir.core.registry.add_extension(lease())
    heir.core.resume(record, world.now)
    world.run()
    assert heir.last(Ended).reason == "the lease has ended"
    assert world.ladder("heir") == ladder("heir -> alice  BYE sip:alice@192.0.2.1:5060 [1]")


def test_a_record_without_the_lease_is_resumed_without_one() -> None:
    world = World()
    alice, bob = leased_call(world)
    record = SessionRecord.of_values({**bob.session.record(world.now).as_values(), "extensions": {}})
    heir = CoreAgent(world, "heir", ("192.0.2.9", 5060))
    heir.core.registry.add_extension(lease())
    session = heir.core.resume(record, world.now)
    assert session.record(world.now).extensions == {}
    assert heir.core.deadline > world.now + 1_000


def test_an_early_call_has_no_record() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(lease())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    session = bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    bob.hang_up()
    with pytest.raises(LocalProtocolError, match="CLOSING"):
        session.record(world.now)


# --- beside what every call does ---


def test_hold_with_the_lease_of_both() -> None:
    world = World()
    alice, bob = leased_call(world)
    world.run(10)
    alice.session.reoffer(HOLD, world.now)
    world.run()
    assert bob.last(OfferReceived).body == HOLD
    bob.session.accept_offer(HELD, world.now)
    world.run()
    assert alice.last(OfferAnswered).body == HELD
    world.ladder()
    world.run(30)
    assert world.timed_ladder() == timed("""
        40.0  alice -> bob    LEASE sip:bob@192.0.2.2:5060 [3]
        40.0  bob -> alice    200 OK [3 LEASE]
    """)


def test_progress_is_told_as_ever() -> None:
    _, alice, bob = calling_peer()
    bob.answer(bob.request, 180, headers=[("Lease", 60)])
    assert alice.last(Progressed).response.headers.get("Lease") == "60"
