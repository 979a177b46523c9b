"""A call belongs to the user who began it, and he proves that again when he is asked to (RFC 3261 §22.2)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended
from sipstack.dialog.proof import UNASKED, Proof
from sipstack.errors import LocalProtocolError
from sipstack.message.digest import DigestAccount, DigestClient
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.timed_call import session_timer
from tests.core.guarded import ASKED, BOB, Guarded, Peer, gatekeeper

# --- whose call it is ---


@pytest.mark.parametrize("method", ASKED)
def test_a_request_that_proves_another_user_gets_403_and_changes_nothing(method: str) -> None:
    call = Guarded(again_after=100.0)
    told, cseq = call.bob.told.copy(), call.bob.session.dialog.remote_cseq
    call.world.run(101)
    assert call.ask(method) == 401
    assert call.prove(method, "carol") == 403
    assert (call.bob.told, call.bob.session.dialog.remote_cseq) == (told, cseq)
    assert call.ask(method) == 401  # nor has it proved anything
    assert call.prove(method) == 200
    call.goes_on()


@pytest.mark.parametrize("method", ["BYE", "OPTIONS"])
def test_nor_may_another_user_send_what_nobody_is_asked_for(method: str) -> None:
    call = Guarded()
    assert call.prove(method, "carol", call.challenge()) == 403
    call.goes_on()


def test_wrong_credentials_are_refused_though_none_are_due() -> None:
    call = Guarded()
    challenge = call.alice.responses[0].headers.typed("WWW-Authenticate")[0]
    given = DigestClient(DigestAccount("alice", "a guess")).authorize(challenge, "INFO", "sip:bob", b"", "c")
    assert call.ask("INFO", Authorization=str(given)) == 401
    assert call.ask("INFO") == 200
    call.goes_on()


@pytest.mark.parametrize("method", ["BYE", "OPTIONS"])
def test_a_password_cannot_be_guessed_by_requests_that_get_no_401(method: str) -> None:
    """The answer would tell a right one of another user: 403. So it is not looked at after too many."""
    call = Guarded()
    challenge = call.alice.responses[0].headers.typed("WWW-Authenticate")[0]
    for password in ("1", "2", "3", "4", "5"):
        guess = DigestClient(DigestAccount("carol", password)).authorize(
            challenge, "OPTIONS", "sip:bob", b"", "c"
        )
        assert call.ask("OPTIONS", Authorization=str(guess)) == 200
    request = call.write(method)
    right = call.alice.credentials(request, call.challenge(), "carol")
    assert call.send(request.replace(headers=request.headers.with_("Authorization", right))) == 200


def test_credentials_for_somebody_else_s_realm_are_none() -> None:
    call = Guarded()
    assert call.ask("INFO", Authorization='Digest realm="elsewhere", username="carol", response="0"') == 200
    call.goes_on()


def test_in_a_call_that_nobody_was_asked_for_nobody_is_asked() -> None:
    world = World()
    bob, alice = CoreAgent(world, "bob", BOB), ScriptedPeer(world, "alice")
    alice.send(BOB, alice.write("INVITE", bob.uri, body=OFFER))
    session = bob.accept()
    alice.send(BOB, alice.inside(alice.response, "ACK", 1))
    bob.core.uas.guard = gatekeeper(10.0)
    world.run(20)
    alice.send(BOB, alice.inside(alice.responses[-1], "OPTIONS", 2))
    assert alice.response.status == 200
    assert session.usages.proof is None


# --- again after a time ---


@pytest.mark.parametrize("method", ASKED)
def test_once_the_proof_is_old_the_next_request_is_asked_again(method: str) -> None:
    call = Guarded(again_after=100.0)
    assert call.ask(method) == 200
    call.world.run(100.5)
    assert call.ask(method) == 401
    assert call.prove(method) == 200
    assert call.ask(method) == 200  # it is new again
    call.world.run(100.5)
    assert call.ask(method) == 401
    call.goes_on()


@pytest.mark.parametrize("method", ["BYE", "OPTIONS"])
def test_a_call_can_end_and_be_asked_after_without_proof(method: str) -> None:
    assert {"ACK", "CANCEL", "PRACK", method} <= UNASKED
    call = Guarded(again_after=100.0)
    call.world.run(200)
    assert call.ask(method) == 200


def test_what_is_asked_again_has_used_no_cseq() -> None:
    """Or who knows the tags would lock the peer out by a number as high as there is."""
    call = Guarded(again_after=100.0)
    call.world.run(101)
    assert call.send(call.write("INFO", cseq=2**31 - 1)) == 401
    assert call.bob.session.dialog.remote_cseq == 2
    assert call.ask("INFO") == 401
    assert call.prove("INFO") == 200
    call.goes_on()


def test_without_a_time_nobody_is_asked_again() -> None:
    call = Guarded()
    call.world.run(100_000)
    assert call.ask("INVITE") == 200
    call.goes_on()


def test_a_refresh_that_never_proves_itself_ends_the_call_by_the_timer() -> None:
    world = World()
    bob = Guarded.serve(CoreAgent(world, "bob", BOB), 100.0)
    bob.core.registry.add_extension(session_timer(SessionTimer(600)))
    alice = Peer(world, "alice", ("192.0.2.1", 5060))
    timed = [("Supported", "timer"), ("Session-Expires", "600;refresher=uac")]
    alice.send(BOB, alice.write("INVITE", bob.uri, body=OFFER, headers=timed))
    again = alice.write("INVITE", bob.uri, body=OFFER, headers=timed, cseq=2)
    given = alice.credentials(again, alice.response)
    alice.send(BOB, again.replace(headers=again.headers.with_("Authorization", given)))
    bob.accept()
    accepted = alice.response
    alice.send(BOB, alice.inside(accepted, "ACK", 2))
    world.run(300)
    refresh = alice.inside(accepted, "INVITE", 3, body=OFFER, headers=timed)
    alice.send(BOB, refresh)
    assert alice.response.status == 401
    world.run(270)
    assert alice.methods[:1] == ["BYE"]
    assert bob.last(Ended).by == "session timer"


# --- another node ---


def taken_over(again_after: float | None = 100.0, wait: float = 60.0) -> Guarded:
    """Bob's process is killed, and another one has taken the call over."""
    call = Guarded(again_after, store := SharedStore())
    call.world.run(wait)
    call.bob.kill()
    call.bob = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store), again_after)
    return call


@pytest.mark.parametrize("method", ASKED)
def test_the_rule_holds_after_another_node_has_taken_over(method: str) -> None:
    call = taken_over()
    assert call.ask("OPTIONS") == 200
    call.world.run(101)
    assert call.ask(method) == 401
    assert call.prove(method, "carol") == 403
    assert call.ask(method) == 401
    assert call.prove(method) == 200
    assert call.ask(method) == 200


def test_the_heir_knows_the_user_and_how_long_his_proof_counts() -> None:
    call = taken_over(wait=60.0)
    call.ask("OPTIONS")
    (usages,) = call.bob.core._dialogs.values()
    assert isinstance(usages.invite, Session)
    assert usages.proof == Proof("alice", 160.0, "192.0.2.1")
    record = usages.invite.record(call.world.now + 10)
    assert record.extensions["proof"] == {"user": "alice", "left": 90.0, "source": "192.0.2.1"}
    assert Proof.of_record(record.aged(50).extensions["proof"], 1000) == Proof("alice", 1040.0, "192.0.2.1")


def test_an_heir_that_cannot_check_what_is_due_puts_it_off_and_lets_the_call_end() -> None:
    """The process is up, and does not serve yet."""
    call = taken_over()
    guard, call.bob.core.uas.guard = call.bob.core.uas.guard, None
    assert call.ask("INFO") == 200  # not due
    call.world.run(101)
    assert call.ask("INFO") == 503
    assert "Retry-After" in call.alice.response.headers
    call.bob.core.uas.guard = guard
    assert call.ask("INFO") == 401
    call.bob.core.uas.guard = None
    assert call.ask("BYE") == 200


@pytest.mark.parametrize(
    "state", [{}, {"user": 7}, {"user": "alice", "left": "soon"}, {"user": "alice", "left": True}]
)
def test_a_session_whose_user_nobody_can_tell_is_not_gone_on_with(state: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        Proof.of_record(state, 0.0)
    call = Guarded(store=(store := SharedStore()))
    (record,) = store.sessions
    record.extensions["proof"] = state
    call.bob.kill()
    call.bob = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store))
    assert call.ask("INFO") == 481
