"""Soft state from before a restart is refreshed: no second binding, subscription or publication is made."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.errors import TransactionTimeout
from sipstack.message import Request
from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.packages.known import package_named
from sipstack.usage.publication import PublicationUsage
from sipstack.usage.records import PublicationRecord, RegistrationRecord, SubscriberRecord
from sipstack.usage.registration.events import RegistrationFailed
from sipstack.usage.registration.instance import Instance
from sipstack.usage.registration.usage import RegistrationUsage
from sipstack.usage.subscriber import SubscriberUsage
from sipstack.usage.subscription_events import Over
from tests.usage.subscribing import ALICE, Subscribed

IDENTITY = Identity("<sip:alice@example.com>", "alice")
PRESENCE = package_named("presence")
PHONE = Instance("urn:uuid:00000000-0000-1000-8000-000a95a0e128", 1)


def same(request: Request) -> tuple[Any, ...]:
    """What a request after a restart has in common with those before."""
    return request.method, request.call_id, request.from_.tag


def restarted(world: World, agent: CoreAgent, address: tuple[str, int] = ALICE) -> CoreAgent:
    """The process dies without a word; another one takes its place."""
    agent.kill()
    return CoreAgent(world, "alice again", address, aor=IDENTITY.aor, user="alice")


# --- a binding ---


def bound(instance: Instance | None = None) -> tuple[World, CoreAgent, ScriptedPeer, RegistrationUsage]:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    registrar = ScriptedPeer(world, "registrar", ("192.0.2.9", 5060))
    usage = alice.core.register("sip:192.0.2.9", 600, instance=instance)
    assert usage.record(world.now) is None  # nothing is bound yet
    usage.refresh(world.now)
    accept(registrar)
    return world, alice, registrar, usage


def accept(registrar: ScriptedPeer) -> None:
    contact = registrar.request.headers.get("Contact") or ""
    registrar.answer(registrar.request, 200, "r", contact="-", headers=[("Contact", contact)])


def go_on(record: RegistrationRecord, alice: CoreAgent) -> RegistrationUsage:
    return RegistrationUsage.from_record(record, alice.core, "sip:192.0.2.9", IDENTITY, 600)


@pytest.mark.parametrize("instance", [None, PHONE])
def test_a_binding_is_refreshed_after_a_restart(instance: Instance | None) -> None:
    world, alice, registrar, usage = bound(instance)
    before = registrar.request
    world.run(100)
    record = usage.record(world.now)
    assert record is not None
    assert 499 < record.expires_in <= 500
    alice = restarted(world, alice)
    usage = go_on(record, alice)
    usage.move(world.now)
    world.run()
    after = registrar.request
    assert same(after) == same(before)
    assert after.cseq.number == before.cseq.number + 1
    assert after.headers.raw("Contact") == before.headers.raw("Contact")  # the instance-id too
    accept(registrar)
    again = usage.record(world.now)
    assert again is not None
    assert (again.call_id, again.cseq) == (record.call_id, record.cseq + 1)


def test_a_restart_at_another_address_takes_the_old_contact_back() -> None:
    world, alice, registrar, usage = bound()
    record = usage.record(world.now)
    assert record is not None
    go_on(record, restarted(world, alice, ("192.0.2.77", 5060))).move(world.now)
    world.run()
    contacts = registrar.request.headers.raw("Contact")
    assert contacts == ("<sip:alice@192.0.2.77:5060>;expires=600", "<sip:alice@192.0.2.1:5060>;expires=0")


def test_a_binding_that_is_removed_leaves_no_record() -> None:
    world, _, registrar, usage = bound()
    usage.remove(world.now)
    world.run()
    accept(registrar)
    assert usage.record(world.now) is None


def test_a_number_that_was_used_already_is_answered_by_a_call_id_that_is_new() -> None:
    """RFC 3261 §10.3, step 7. Later a 500 is a failure as ever."""
    world, alice, registrar, usage = bound()
    before, record = registrar.request, usage.record(world.now)
    assert record is not None
    alice = restarted(world, alice)
    go_on(record, alice).move(world.now)
    world.run()
    registrar.answer(registrar.request, 500, "r", contact="-")
    after = registrar.request
    assert after.call_id != before.call_id
    assert after.from_.tag != before.from_.tag
    assert after.cseq.number == 1
    registrar.answer(after, 500, "r", contact="-")
    world.run(1)
    assert registrar.request is after
    assert alice.last(RegistrationFailed).response is not None


def test_a_refusal_is_not_asked_for_twice_where_no_contact_is_taken_back() -> None:
    world, alice, registrar, usage = bound()
    record = usage.record(world.now)
    assert record is not None
    alice = restarted(world, alice)
    go_on(record, alice).move(world.now)
    world.run()
    count = len(registrar.requests)
    registrar.answer(registrar.request, 403, "r", contact="-")
    world.run(1)
    assert len(registrar.requests) == count
    assert alice.last(RegistrationFailed).response is not None


# --- a publication ---


def draft() -> Draft:
    aor = IDENTITY.aor
    uri = "sip:alice@192.0.2.9"
    return Draft("PUBLISH", uri, f"{aor};tag=new", f"<{uri}>", "new", 1, identity=IDENTITY)


def test_a_publication_is_changed_after_a_restart_by_its_entity_tag() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    server = ScriptedPeer(world, "server", ("192.0.2.9", 5060))
    usage = alice.core.publication("sip:alice@192.0.2.9", PRESENCE, 600)
    usage.publish(b"open", world.now)
    world.run()
    before = server.request
    assert usage.record(world.now) is None  # the server has not taken it yet
    server.answer(before, 200, "s", contact="-", headers=[("SIP-ETag", "one"), ("Expires", "600")])
    world.run(100)
    record = usage.record(world.now)
    assert isinstance(record, PublicationRecord)
    assert (record.etag, round(record.expires_in)) == ("one", 500)

    alice = restarted(world, alice)
    usage = PublicationUsage.from_record(record, alice.core, draft(), "presence", "application/pidf+xml", 600)
    usage.publish(b"closed", world.now)
    world.run()
    after = server.request
    assert same(after) == same(before)
    assert after.cseq.number > before.cseq.number
    assert (after.headers.get("SIP-If-Match"), after.body) == ("one", b"closed")
    server.answer(after, 412, "s", contact="-")  # the server has restarted as well: it is told all of it
    assert (server.request.headers.get("SIP-If-Match"), server.request.body) == (None, b"closed")


# --- a subscription ---


def subscribed() -> tuple[Subscribed, SubscriberRecord]:
    it = Subscribed()
    assert it.usage.record(it.world.now) is None
    it.answer(200)
    assert it.notify() == 200
    it.world.run(600)
    record = it.usage.record(it.world.now)
    assert record is not None
    return it, record


def resumed(it: Subscribed, record: SubscriberRecord) -> SubscriberUsage:
    alice = it.alice = restarted(it.world, it.alice)
    return SubscriberUsage.from_record(
        record, alice.core, attrs.evolve(draft(), method="SUBSCRIBE"), PRESENCE, 3600, it.world.now
    )


def test_a_subscription_is_refreshed_after_a_restart() -> None:
    it, record = subscribed()
    before = it.carol.request
    assert round(record.subscriptions[0].expires_in) == 3000
    usage = resumed(it, record)
    usage.refresh(it.world.now)
    it.world.run()
    after = it.carol.request
    assert same(after) == same(before)
    assert (after.to.tag, after.cseq.number) == ("peer", before.cseq.number + 1)
    it.answer(200)
    again = usage.record(it.world.now)
    assert again is not None
    assert round(again.subscriptions[0].expires_in) == 3600


def test_a_subscription_whose_number_is_too_low_is_over_at_once() -> None:
    """RFC 3261 §12.2.2: the process before went further than its record. Later a 500 leaves it as it is."""
    it, record = subscribed()
    usage = resumed(it, record)
    usage.refresh(it.world.now)
    it.world.run()
    it.answer(500)
    response = it.alice.last(Over).response
    assert response is not None
    assert (response.status, usage.subscriptions) == (500, [])
    it.world.run(32)
    assert it.alice.leftovers == []


def test_a_subscription_that_another_process_has_is_left_without_a_word() -> None:
    it, record = subscribed()
    usage = resumed(it, record)
    usage.abandon()
    count = len(it.carol.requests)
    it.world.run(4000)
    assert len(it.carol.requests) == count
    assert (it.alice.events, it.alice.leftovers) == ([], [])


def test_a_subscription_that_has_run_out_meanwhile_is_told_as_over() -> None:
    it, record = subscribed()
    late = attrs.evolve(record.subscriptions[0], expires_in=-5.0)
    usage = resumed(it, attrs.evolve(record, subscriptions=(late,)))
    it.world.run(1)
    assert isinstance(it.alice.last(Over).error, TransactionTimeout)
    assert (usage.record(it.world.now), it.alice.leftovers) == (None, [])
