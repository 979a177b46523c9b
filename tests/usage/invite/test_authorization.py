"""Challenges to INVITE, re-INVITE and BYE; the ACK repeats the credentials (RFC 3261 §22.1, §22.2)."""

from __future__ import annotations

from sipstack.core.events import Refused
from sipstack.message.digest import DigestAccount
from sipstack.message.digest_server import DigestServer, Verdict
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from tests.simulation.challenges import PASSWORD, USERNAME, challenge, server, verdict

FIELD = "Proxy-Authorization"


def called(
    password: str = PASSWORD,
) -> tuple[World, CoreAgent, ScriptedPeer, DigestServer, OutgoingInviteUsage]:
    """Alice has an account; her INVITE has reached bob's proxy."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=DigestAccount(USERNAME, password))
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    return world, alice, bob, server("SHA-256"), alice.call(bob.uri)


def ask(world: World, bob: ScriptedPeer, digest: DigestServer) -> None:
    """407 to the latest request."""
    headers = challenge(digest, world.now, field="Proxy-Authenticate")
    bob.answer(bob.request, 407, contact="-", headers=headers)


def test_407_to_an_invite_the_next_has_credentials_and_a_higher_cseq_and_its_ack_repeats_them() -> None:
    world, alice, bob, digest, _ = called()
    first = bob.request
    ask(world, bob, digest)
    second = bob.request
    assert verdict(digest, second, world.now, field=FIELD) is Verdict.OK
    assert (second.call_id, second.from_, second.to) == (first.call_id, first.from_, first.to)
    assert (second.body, second.via.branch != first.via.branch) == (OFFER, True)
    bob.answer(second, 200, body=ANSWER)
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    407 Proxy Authentication Required [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
    """)
    assert bob.request.headers.raw(FIELD) == second.headers.raw(FIELD)
    assert alice.told == ["Answered"]


def test_a_wrong_password_ends_in_a_refusal() -> None:
    world, alice, bob, digest, _ = called("guess")
    ask(world, bob, digest)
    ask(world, bob, digest)
    world.settle()
    assert (alice.told, alice.last(Refused).response.status) == (["Refused"], 407)
    assert (len([m for m in bob.heard if m.cseq.method == "INVITE"]), alice.leftovers) == (2, [])


def test_a_refused_acknowledgement_has_the_credentials_of_its_own_invite() -> None:
    """§22.1: the ACK of a refusal is hop by hop and needs none."""
    world, _, bob, digest, _ = called()
    ask(world, bob, digest)
    bob.answer(bob.request, 486)
    assert (bob.request.method, FIELD in bob.request.headers) == ("ACK", False)


def test_bye_and_reinvite_answer_challenges_within_the_dialog() -> None:
    world, alice, bob, digest, _ = called()
    bob.answer(bob.request, 200, body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    ask(world, bob, digest)
    bob.answer(bob.request, 200, None, body=ANSWER)
    alice.hang_up()
    ask(world, bob, digest)
    assert verdict(digest, bob.request, world.now, field=FIELD) is Verdict.OK
    bob.answer(bob.request, 200, None)
    assert world.ladder(by="alice") == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [3]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [3]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [4]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [5]
    """)
    assert alice.told == ["Answered", "OfferAnswered", "Ended"]


def test_a_cancelled_call_answers_no_challenge() -> None:
    world, alice, bob, digest, outgoing = called()
    world.run()
    outgoing.cancel(world.now)
    ask(world, bob, digest)
    world.settle()
    assert ([request.cseq.method for request in bob.heard], alice.told) == (["INVITE", "ACK"], ["Refused"])


def test_after_a_challenge_cancel_waits_for_the_provisional_of_the_new_invite() -> None:
    """§9.1, for the transaction that is under way and not for the one before it."""
    world, _, bob, digest, outgoing = called()
    bob.answer(bob.request, 100, None, contact="-")
    ask(world, bob, digest)
    second = bob.request
    outgoing.cancel(world.now)
    world.run()
    assert bob.request is second
    bob.answer(second, 180)
    assert (bob.request.method, bob.request.cseq.number, bob.request.via) == ("CANCEL", 2, second.via)


# --- a stranger ---


def challenged_caller(*, trusted: bool) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob called alice, who has a password; she hangs up, and he challenges her BYE."""
    world = World()
    account = DigestAccount(USERNAME, PASSWORD)
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=account, credentials_to_callers=trusted)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    bob.send(alice.address, bob.write("INVITE", alice.uri, body=OFFER))
    alice.accept()
    bob.send(alice.address, bob.inside(bob.response, "ACK", 1))
    alice.hang_up()
    bob.answer(bob.request, 407, None, headers=challenge(server(), world.now, field="Proxy-Authenticate"))
    return world, alice, bob


def test_a_caller_gets_no_credentials() -> None:
    """Anybody may call, be hung up, and ask for a digest to guess the password from."""
    world, alice, bob = challenged_caller(trusted=False)
    world.settle()
    assert (bob.methods, FIELD in bob.request.headers) == (["BYE"], False)
    assert alice.leftovers == []


def test_a_caller_gets_them_where_the_account_says_so() -> None:
    world, _, bob = challenged_caller(trusted=True)
    assert bob.methods == ["BYE", "BYE"]
    assert verdict(server(), bob.request, world.now, field=FIELD) is Verdict.OK


def test_what_a_target_took_is_not_given_unasked_to_a_caller_from_there() -> None:
    world, alice, bob, digest, _ = called()
    ask(world, bob, digest)
    bob.answer(bob.request, 200, body=ANSWER)
    alice.hang_up()
    bob.answer(bob.request, 200, None)
    bob.send(alice.address, bob.write("INVITE", alice.uri, body=OFFER))
    session = alice.accept()
    bob.send(alice.address, bob.inside(bob.response, "ACK", 1))
    session.hang_up(world.now)
    assert (bob.request.method, FIELD in bob.request.headers) == ("BYE", False)


def test_a_resumed_call_is_still_that_of_a_caller() -> None:
    world = World()
    account = DigestAccount(USERNAME, PASSWORD)
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=account)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    bob.send(alice.address, bob.write("INVITE", alice.uri, body=OFFER))
    session = alice.accept()
    bob.send(alice.address, bob.inside(bob.response, "ACK", 1))
    record = session.record(world.now)
    alice.kill()
    other = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=account)
    other.core.resume(record, world.now).hang_up(world.now)
    bob.answer(bob.request, 407, None, headers=challenge(server(), world.now, field="Proxy-Authenticate"))
    world.settle()
    assert bob.methods == ["BYE"]
