"""Attacks on sessions: fixation, hijack, replay, stolen records, guesses, races. Each says what the attacker
gets; and the call that is attacked goes on.

What somebody in the middle could do who may change what passes is not here: against that there is TLS.
"""

from __future__ import annotations

import attrs
import pytest

from sipstack.core.events import Ended
from sipstack.core.keeping import Keeping
from sipstack.core.outputs import DialogKey, Load, Loaded
from sipstack.core.peers import Peers
from sipstack.core.takeover import MOST, MOST_OF_ONE
from sipstack.message import Request
from sipstack.outcome import Absent
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.usage.invite.replaces import replaces
from sipstack.usage.invite.session import Session
from tests.core.guarded import ASKED, BOB, Guarded, Peer

EVE = ("192.0.2.66", 5060)
EVERY = [*ASKED, "BYE", "OPTIONS", "PRACK"]


def eve_at(call: Guarded) -> Peer:
    return Peer(call.world, "eve", EVE)


def goes_on(call: Guarded, told: list[str]) -> None:
    """Bob's user was told nothing, his session is what it was, and alice can end it."""
    assert call.bob.told == told
    assert call.ask("BYE") == 200
    assert call.bob.told == [*told, "Ended"]
    call.world.settle()
    assert call.bob.leftovers == []


# --- fixation: the attacker chooses what the session is known by ---


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_our_tag_cannot_be_chosen_by_another(method: str) -> None:
    """481: a To tag that is not ours names no dialog, and none is made of it."""
    call = Guarded()
    told, eve = call.bob.told.copy(), eve_at(call)
    before = eve.write(method, call.bob.uri, to=f"<{call.bob.uri}>;tag=chosen", call_id="chosen", body=OFFER)
    eve.send(BOB, before)
    assert eve.response.status == 481
    goes_on(call, told)


def test_a_call_id_and_a_tag_that_an_attacker_used_before_lead_to_a_dialog_of_one_s_own() -> None:
    """401 first; and whoever has proved himself gets a dialog with a tag of ours, which is his alone."""
    call = Guarded()
    eve = eve_at(call)
    call_id, tag = call.invite.call_id, call.invite.from_.tag or ""
    eve.send(BOB, eve.write("INVITE", call.bob.uri, body=OFFER, call_id=call_id, tag=tag))
    assert eve.response.status == 401
    again = eve.write("INVITE", call.bob.uri, body=OFFER, call_id=call_id, tag=tag, cseq=7)
    given = eve.credentials(again, eve.response, "carol")
    eve.send(BOB, again.replace(headers=again.headers.with_("Authorization", given)))
    alices, eves = call.bob.session, call.bob.accept()
    accepted = eve.response
    assert accepted.status == 200
    eve.send(BOB, eve.inside(accepted, "ACK", 7))
    assert eves.dialog.local_tag != alices.dialog.local_tag
    assert (proof_of(eves), proof_of(alices)) == ("carol", "alice")
    told = call.bob.told.copy()
    eve.send(BOB, eve.inside(accepted, "BYE", 8))
    assert eve.response.status == 200
    assert call.bob.told == [*told, "Ended"]
    assert call.bob.last(Ended).session is eves
    goes_on(call, [*told, "Ended"])


def proof_of(session: Session) -> str | None:
    proof = session.usages.proof
    return None if proof is None else proof.user


# --- hijack ---


def stolen(call: Guarded, eve: ScriptedPeer, method: str, **fields: str) -> Request:
    """A request by eve, who has read all messages of the call, with the next CSeq."""
    return call.write(method, eve, 0, **fields)


@pytest.mark.parametrize("known", ["ours", "theirs"])
@pytest.mark.parametrize("method", EVERY)
def test_the_call_id_and_one_tag_are_not_enough(method: str, known: str) -> None:
    """481"""
    call = Guarded()
    told, eve = call.bob.told.copy(), eve_at(call)
    accepted = call.accepted
    if known == "ours":
        request = stolen(call, eve, method, From="<sip:alice@example.com>;tag=guess")
    else:
        request = stolen(call, eve, method, To=f"<{call.bob.uri}>;tag=guess")
    assert {request.from_.tag, request.to.tag} & {accepted.from_.tag, accepted.to.tag}
    assert call.send(request, eve) == 481
    goes_on(call, told)


@pytest.mark.parametrize("method", ASKED)
def test_with_both_tags_from_another_address_one_has_to_prove_oneself(method: str) -> None:
    """401, and to another user's credentials 403."""
    call = Guarded(again_after=3600.0)
    told, eve = call.bob.told.copy(), eve_at(call)
    target = call.bob.session.dialog.remote_target
    assert call.send(stolen(call, eve, method), eve) == 401
    assert call.prove(method, "carol", eve.response, eve) == 403
    assert call.bob.session.dialog.remote_target == target
    assert call.ask("INFO") == 200
    goes_on(call, told)


@pytest.mark.parametrize("contact", ["of alice", "of eve"])
def test_with_a_stolen_contact_neither(contact: str) -> None:
    """401: what she says of where she is changes neither who she is nor where we send."""
    call = Guarded(again_after=3600.0)
    told, eve = call.bob.told.copy(), eve_at(call)
    uri = call.alice.uri if contact == "of alice" else eve.uri
    for method in ("INVITE", "UPDATE"):
        assert call.send(stolen(call, eve, method, Contact=f"<{uri}>"), eve) == 401
    assert call.bob.session.dialog.remote_target == call.alice.uri
    assert call.bob.session.usages.flow is not None
    assert call.bob.session.usages.flow.remote == call.alice.address
    goes_on(call, told)


@pytest.mark.parametrize("peers", ["route", "flow"])
@pytest.mark.parametrize("method", EVERY)
def test_nor_is_she_the_peer_of_the_node_that_takes_over(method: str, peers: str) -> None:
    """481: who comes first to the heir is not the peer for that. BYE is among them."""
    store = SharedStore()
    call = Guarded(store=store, peers=Peers(peers))
    call.bob.kill()
    heir = call.bob = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store, peers=Peers(peers)))
    eve = eve_at(call)
    assert call.send(stolen(call, eve, method), eve) == 481
    assert heir.told == ["SessionResumed"]
    assert call.ask("INFO") == 200
    goes_on(call, ["SessionResumed"])


def test_who_would_take_a_call_over_by_replaces_has_to_prove_who_he_is() -> None:
    """401, though she knows the Call-ID and both tags; 481 with guessed ones. Whether a user may replace the
    call of another one, as in a transfer, the handler decides: it knows both.
    """
    call = Guarded()
    call.bob.core.registry.add_extension(replaces(call.bob.core))
    told, eve, (call_id, ours, theirs) = call.bob.told.copy(), eve_at(call), call.key
    for number, (tag, status) in enumerate(((ours, 401), ("guess", 401), ("guess", 481)), 1):
        field = ("Replaces", f"{call_id};to-tag={tag};from-tag={theirs}")
        invite = eve.write("INVITE", call.bob.uri, call_id="eves", cseq=number, headers=[field], body=OFFER)
        if status == 481:
            given = eve.credentials(invite, eve.response, "carol")
            invite = invite.replace(headers=invite.headers.with_("Authorization", given))
        eve.send(BOB, invite)
        assert eve.response.status == status
    goes_on(call, told)


# --- replay ---


def test_an_old_bye_ends_no_later_call() -> None:
    """481: the tag of ours is another one."""
    first = Guarded()
    bye = first.write("BYE")
    assert first.send(bye) == 200
    first.world.settle()
    first.begin()
    told, eve = first.bob.told.copy(), eve_at(first)
    assert first.send(bye, eve) == 481
    first.world.run(33)
    assert first.send(bye) == 481
    goes_on(first, told)


def test_a_bye_again_is_answered_and_does_nothing() -> None:
    """The same answer while the transaction lasts, then 481."""
    call = Guarded()
    bye = call.write("BYE")
    assert [call.send(bye), call.send(bye)] == [200, 200]
    told = call.bob.told.copy()
    call.world.run(33)
    assert call.send(bye) == 481
    assert call.bob.told == told


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_an_old_cseq_gets_500(method: str) -> None:
    call = Guarded()
    assert call.ask("INVITE") == 200
    told, eve = call.bob.told.copy(), eve_at(call)
    for source in (call.alice, eve):
        old = call.write(method, source, 1)
        assert call.send(old, source) == 500
    goes_on(call, told)


@pytest.mark.parametrize("method", ["INFO", "REFER", "MESSAGE", "X-NEW"])
def test_the_same_request_again_is_not_done_a_second_time(method: str) -> None:
    """500, once its transaction is forgotten, or in another one."""
    call = Guarded()
    request = call.write(method)
    assert call.send(request) == 200
    told, eve = call.bob.told.copy(), eve_at(call)
    call.world.run(40)
    assert call.send(request) == 500
    assert call.send(call.write(method, eve, request.cseq.number), eve) == 500
    goes_on(call, told)


def test_the_last_offer_again_changes_nothing() -> None:
    """200: it says what is in force, and goes to nobody else."""
    call = Guarded()
    request = call.write("INVITE")
    assert call.send(request) == 200
    call.world.run(40)
    session = call.bob.session
    before = session.exchange.local, session.exchange.remote, session.dialog.remote_target
    assert call.send(request) == 200
    assert (session.exchange.local, session.exchange.remote, session.dialog.remote_target) == before
    goes_on(call, call.bob.told.copy())


def test_the_same_authorization_again_proves_nothing() -> None:
    """401, stale: its nonce count was there before. From elsewhere the nonce is good for nothing at all."""
    call = Guarded(again_after=100.0)
    call.world.run(101)
    assert call.ask("INFO") == 401
    assert call.prove("INFO") == 200
    heard = call.proved.headers.get("Authorization") or ""
    eve = eve_at(call)
    assert call.send(call.write("INFO", None, 0, Authorization=heard)) == 401
    assert call.alice.response.headers.typed("WWW-Authenticate")[0].stale
    assert call.send(call.write("INFO", eve, 0, Authorization=heard), eve) == 401
    goes_on(call, call.bob.told.copy())


@pytest.mark.parametrize("method", [each for each in ASKED if each != "INFO"])
def test_the_digest_of_another_method_proves_nothing(method: str) -> None:
    """401: it covers the method. Here it was never used, as if its request had been caught on the way."""
    call = Guarded(again_after=100.0)
    call.world.run(101)
    assert call.ask("INFO") == 401
    caught = call.write("INFO")
    given = call.alice.credentials(caught, call.alice.response)
    assert call.ask(method, Authorization=given) == 401
    assert call.send(caught.replace(headers=caught.headers.with_("Authorization", given))) == 200
    assert call.ask("INFO", Authorization=given) == 401  # it was used up by the request before
    goes_on(call, call.bob.told.copy())


# --- nonces ---


def test_a_nonce_is_good_for_one_realm_one_user_one_method_and_one_source() -> None:
    """401: a digest covers the first three, and the nonce is signed for the last."""
    call = Guarded(again_after=100.0)
    eve = eve_at(call)
    call.world.run(101)
    assert call.ask("INFO") == 401
    challenged = call.alice.response
    request = call.write("INFO")
    right = call.alice.credentials(request, challenged)
    for wrong in (
        right.replace('realm="bob.test"', 'realm="other"'),
        right.replace('username="alice"', 'username="carol"'),
        right.replace('username="alice"', 'username="nobody"'),
    ):
        assert wrong != right
        assert call.ask("INFO", Authorization=wrong) == 401
    assert call.ask("MESSAGE", Authorization=right) == 401
    assert call.send(call.write("INFO", eve, 0, Authorization=right), eve) == 401
    assert call.ask("INFO", Authorization=right) == 200
    goes_on(call, call.bob.told.copy())


# --- stolen records ---


class Thief(SharedStore):
    """Gives out what is kept of one dialog under the key of another."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: dict[DialogKey, DialogKey] = {}

    def _take_over(self, load: Load) -> Loaded | Absent:
        return super()._take_over(attrs.evolve(load, key=self.instead.get(load.key, load.key)))


def test_records_of_two_dialogs_that_are_swapped_are_no_records() -> None:
    """481 for both; and neither becomes a session under the other's name."""
    store = Thief()
    call = Guarded(store=store)
    first, old = call.bob.session.dialog.key, call.accepted
    call.begin(call_id="second")
    second = call.bob.session.dialog.key
    assert first != second
    store.instead = {first: second, second: first}
    call.bob.kill()
    call.bob = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store))
    assert call.ask("INFO") == 481
    call.accepted = old
    assert call.ask("INFO") == 481
    assert call.bob.told == []
    assert len(call.bob.core._dialogs) == 0
    store.instead = {}
    assert call.ask("INFO") == 200


# --- guessing ---


def test_tags_are_guessed_at_a_rate_for_nothing() -> None:
    """481 to each; nothing is kept of it beyond its transaction, and the call goes on meanwhile."""
    call = Guarded()
    told, eve = call.bob.told.copy(), eve_at(call)
    assert len(call.bob.session.dialog.local_tag) == 16  # hexadecimal: 64 bits
    for number in range(3000):
        request = eve.write(
            "BYE",
            call.bob.uri,
            to=f"<{call.bob.uri}>;tag={number:016x}",
            call_id=call.invite.call_id,
            tag=call.invite.from_.tag or "",
            cseq=9,
        )
        eve._endpoint.send(bytes(request), BOB)
        if number % 500 == 0:
            assert call.ask("INFO") == 200
    assert {each.status for each in eve.responses} == {481}
    assert len(eve.responses) == 3000
    call.world.run(40)
    assert len(call.bob.core.transactions.servers) == 0
    goes_on(call, told)


def test_guesses_at_a_store_are_bounded() -> None:
    """503 once so many look-ups wait; then 481 to all that waited. The call that is here does not wait."""
    store = SharedStore()
    call = Guarded(store=store)
    told, eve = call.bob.told.copy(), eve_at(call)
    store.waits = True
    core = call.bob.core
    for number in range(MOST + 50):
        request = eve.write("BYE", call.bob.uri, to=f"<{call.bob.uri}>;tag=g{number}", call_id="x", cseq=9)
        core.receive(call.bob.flow(EVE), bytes(request), call.world.now)
    assert core.takeovers is not None
    assert len(core.takeovers) == MOST
    assert call.ask("OPTIONS") == 200
    store.answer()
    call.world.settle()
    statuses = [each.status for each in eve.responses]
    assert (statuses.count(503), statuses.count(481)) == (50, MOST)
    assert len(core.takeovers) == 0
    goes_on(call, told)


def test_a_flood_at_one_dialog_is_one_look_up() -> None:
    """503 to what is more than may wait for it."""
    store = SharedStore()
    call = Guarded(store=store)
    call.bob.kill()
    call.bob = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store))
    store.waits = True
    for _ in range(MOST_OF_ONE + 5):
        call.alice.send(BOB, call.write("OPTIONS"))
    assert [each.status for each in call.alice.responses[-5:]] == [503] * 5
    assert len(store._due) == 1
    store.answer()
    call.world.run(0.1)
    assert [each.status for each in call.alice.responses[-MOST_OF_ONE:]] == [200] * MOST_OF_ONE


# --- races for a call ---


@pytest.mark.parametrize("first", ["eve", "alice"])
def test_of_two_nodes_that_take_over_at_once_one_has_the_call(first: str) -> None:
    """Eve's request and alice's reach two heirs at the same time. One of them has the call: it answers eve
    with 401. Who has lost it says 503 or 500, never 481: alice would give her call up.
    """
    store = SharedStore()
    call = Guarded(again_after=3600.0, store=store)
    call.bob.kill()
    one = Guarded.serve(CoreAgent(call.world, "bob", BOB, store=store), 3600.0)
    other = Guarded.serve(CoreAgent(call.world, "bob2", ("192.0.2.22", 5060), store=store), 3600.0)
    eve = eve_at(call)
    store.waits = True
    requests = [
        (eve, stolen(call, eve, "INVITE"), other.address),
        (call.alice, call.write("INFO"), BOB),
    ]
    for peer, request, address in requests if first == "eve" else requests[::-1]:
        peer.send(address, request)
    store.answer()
    call.world.run(0.5)
    assert eve.response.status in (401, 503)
    call.bob = one
    while (status := call.alice.response.status) != 200:  # who has lost the race hears so when it writes
        assert status in (500, 503)
        call.ask("INFO")
    assert isinstance(one.core.keeper, Keeping)
    assert isinstance(other.core.keeper, Keeping)
    (entry,) = store.entries.values()
    assert entry.epoch == one.core.keeper.epoch_of(call.key) > other.core.keeper.epoch_of(call.key)
    assert call.send(stolen(call, eve, "INVITE"), eve) == 401
    assert call.ask("BYE") == 200
    assert store.sessions == []


def test_a_call_that_is_over_is_taken_over_by_nobody() -> None:
    """481: the store knows that it has ended, whoever asks."""
    store = SharedStore()
    call = Guarded(store=store)
    assert call.ask("BYE") == 200
    call.world.run(40)
    heir = CoreAgent(call.world, "bob2", ("192.0.2.22", 5060), store=store)
    eve = eve_at(call)
    eve.send(heir.address, stolen(call, eve, "INVITE"))
    assert eve.response.status == 481
    assert heir.told == []
