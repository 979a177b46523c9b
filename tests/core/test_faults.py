"""Whatever exception happens in the core: what it belongs to is concluded and told, once; the rest lives on.

There is no fault known to provoke, so each test makes one.
"""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.core.events import Ended, Failed, OfferAnswered, RegistrationFailed, Unanswered
from sipstack.core.registry import Method
from sipstack.dialog.draft import Draft
from sipstack.errors import InternalError
from sipstack.message.digest import DigestAccount, DigestClient
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.usage.invite.acceptance import Acceptance
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.session import Session
from tests.usage.invite.callers import alice_and_peer, bob_and_peer, called_by_peer, called_peer


class Bug(Exception):
    """What should not have been."""


def broken(*_: object, **__: object) -> Any:
    raise Bug("of ours")


def over(world: World, agent: CoreAgent, faults: int = 1) -> bool:
    """Nothing is left but the report."""
    world.settle()
    return [type(error) for error in agent.faults] == [Bug] * faults and agent.core.leftovers() == []


# --- requests of the peer ---


def test_a_request_that_we_fail_to_serve_gets_500() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_method(Method("MOO", broken))
    for cseq in (1, 2):
        carol.send(bob.address, carol.write("MOO", bob.uri, cseq=cseq))
    assert [response.status for response in carol.responses] == [500, 500]
    assert over(world, bob, faults=2)


def test_an_invite_that_we_fail_to_take_gets_500(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob, carol = bob_and_peer()
    monkeypatch.setattr("sipstack.usage.invite.incoming.take_request", broken)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    assert [response.status for response in carol.responses] == [500]
    assert over(world, bob)


@pytest.mark.parametrize("method", ["BYE", "INVITE"])
def test_a_request_in_a_call_that_we_fail_to_take_gets_500_and_ends_it(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, bob, carol = called_by_peer()
    monkeypatch.setattr(Session, f"_{method.lower()}_received", broken)
    carol.send(bob.address, carol.inside(carol.response, method, 2, body=OFFER))
    assert [response.status for response in carol.responses[1:]] == [500]
    assert carol.methods == ["BYE"]
    assert (bob.last(Ended).by, bob.last(Ended).reason) == ("local", "Bug: of ours")
    carol.answer(carol.request, 200, None)
    world.run(40)
    assert ([type(error) for error in bob.faults], bob.core.leftovers()) == ([Bug], [])


def test_an_ack_that_we_fail_to_take_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    monkeypatch.setattr(Session, "ack_received", broken)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    assert (carol.methods, bob.last(Ended).by) == (["BYE"], "local")
    carol.answer(carol.request, 200, None)
    assert over(world, bob)


def test_a_cancel_that_we_fail_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob, carol = bob_and_peer()
    invite = carol.write("INVITE", bob.uri, body=OFFER)
    carol.send(bob.address, invite)
    monkeypatch.setattr(IncomingInvite, "cancelled", broken)
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch=carol.branch))
    assert [response.status for response in carol.responses] == [200]
    bob.invitation.refuse(486, world.now)
    assert over(world, bob)


# --- responses to ours ---


def test_a_2xx_that_we_fail_to_take_is_acknowledged_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    monkeypatch.setattr(OutgoingInviteUsage, "_agree", broken)
    bob.answer(bob.request, 200, body=ANSWER)
    assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert alice.told == ["Failed", "Ended"]
    error = alice.last(Failed).error
    assert isinstance(error, InternalError)
    assert isinstance(error.__cause__, Bug)
    bob.answer(bob.request, 200, None)
    assert over(world, alice)


def test_a_provisional_response_that_we_fail_to_take_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    monkeypatch.setattr(OutgoingInviteUsage, "_progressed", broken)
    bob.answer(bob.request, 180)
    assert alice.told == ["Failed"]
    bob.answer(bob.requests[0], 487)
    assert bob.methods == ["INVITE", "CANCEL", "ACK"]
    bob.answer(bob.requests[1], 200)
    assert over(world, alice)


def test_a_challenge_that_we_fail_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=DigestAccount("alice", "secret"))
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    monkeypatch.setattr(DigestClient, "credentials", broken)
    challenge = [("WWW-Authenticate", 'Digest realm="r", nonce="n"')]
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    bob.answer(bob.request, 401, headers=challenge)
    alice.core.register(bob.uri, 600).refresh(world.now)
    bob.answer(bob.request, 401, headers=challenge)
    alice.call(bob.uri)
    bob.answer(bob.request, 401, headers=challenge)
    assert alice.told == ["Unanswered", "RegistrationFailed", "Failed"]
    errors = [alice.last(Unanswered).error, alice.last(RegistrationFailed).error, alice.last(Failed).error]
    assert [type(error) for error in errors] == [InternalError] * 3
    assert over(world, alice, faults=3)


def test_an_answer_to_our_offer_that_we_fail_to_take_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(OFFER, world.now)
    monkeypatch.setattr("sipstack.usage.invite.reoffer.take_response", broken)
    carol.answer(carol.request, 200, None, body=ANSWER)
    assert (carol.methods, alice.last(Ended).by) == (["INVITE", "ACK", "INVITE", "ACK", "BYE"], "local")
    carol.answer(carol.request, 200, None)
    assert over(world, alice)


# --- what we write, and the time ---


def test_a_request_that_we_fail_to_write_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = alice_and_peer()
    monkeypatch.setattr(Draft, "write", broken)
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    alice.call(bob.uri)
    world.run()
    assert alice.told == ["Unanswered", "Failed"]
    assert over(world, alice, faults=2)


def test_an_ack_and_a_bye_that_we_fail_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    monkeypatch.setattr(Draft, "write", broken)
    bob.answer(invite, 200, body=ANSWER)
    assert isinstance(alice.last(Failed).error, InternalError)
    assert over(world, alice, faults=2)


def test_a_deadline_that_we_fail_to_keep_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    monkeypatch.setattr(Acceptance, "timeout", broken)
    world.run(1)
    assert (carol.methods[:1], bob.last(Ended).by) == (["BYE"], "local")
    assert over(world, bob)


def test_a_deadline_of_a_transaction_that_we_fail_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.refuse(486, world.now)
    monkeypatch.setattr(InviteServerTransaction, "timeout", broken)
    world.run(40)
    assert ([type(error) for error in bob.faults], bob.core.leftovers()) == ([Bug], [])


def test_one_fault_leaves_the_other_calls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, carol = called_peer()
    dave = ScriptedPeer(world, "dave", ("192.0.2.4", 5060))
    alice.call(dave.uri)
    with monkeypatch.context() as patch:
        patch.setattr(OutgoingInviteUsage, "_agree", broken)
        dave.answer(dave.request, 200, body=ANSWER)
    alice.session.reoffer(OFFER, world.now)
    carol.answer(carol.request, 200, None, body=ANSWER)
    assert alice.last(OfferAnswered).body == ANSWER
