"""Instances, flows, GRUUs and routes of a binding (RFC 5626, 5627, 3327, 3608); a change of our address."""

from __future__ import annotations

import pytest

from sipstack.core.events import FlowLost, Registered, RegistrationFailed
from sipstack.errors import FlowClosed
from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Flow
from sipstack.usage.registration.instance import Instance
from sipstack.usage.registration.usage import RegistrationUsage, leads_back_only, route_set

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
CONTACT = "<sip:alice@192.0.2.1:5060>"
INSTANCE = f';+sip.instance="<{URN}>"'
FIRST, SECOND = Instance(URN, 1), Instance(URN, 2)
PUBLIC, TEMPORARY = "sip:alice@example.com;gr=urn:uuid:1", "sip:x~y@example.com;gr"
GONE = FlowClosed("connection reset")


def registering(
    instance: Instance | None = FIRST, **configuration: object
) -> tuple[World, CoreAgent, ScriptedPeer, RegistrationUsage]:
    """Alice, who has just sent a REGISTER."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), **configuration)
    registrar = ScriptedPeer(world, "registrar", ("192.0.2.9", 5060))
    registration = alice.core.register("sip:192.0.2.9", 600, instance=instance)
    registration.refresh(world.now)
    return world, alice, registrar, registration


def accept(registrar: ScriptedPeer, *contacts: str, **fields: str) -> None:
    """200 with these bindings; ``_`` in the name of a field stands for ``-``."""
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    headers = [*(("Contact", contact) for contact in contacts), *named]
    registrar.answer(registrar.request, 200, "r", contact="-", headers=headers)


def sent_contact(registrar: ScriptedPeer) -> str | None:
    return registrar.request.headers.get("Contact")


# --- what a REGISTER says ---


def test_a_register_names_instance_and_flow() -> None:
    """RFC 5626 §4.2.1"""
    world, _, registrar, registration = registering(SECOND)
    assert sent_contact(registrar) == f"{CONTACT};expires=600{INSTANCE};reg-id=2"
    assert registrar.request.headers.get("Supported") == "path, outbound, gruu"
    accept(registrar)
    registration.remove(world.now)
    assert sent_contact(registrar) == f"{CONTACT};expires=0{INSTANCE};reg-id=2"


def test_an_instance_without_outbound_is_for_a_gruu() -> None:
    """RFC 5627 §4.2"""
    _, _, registrar, _ = registering(Instance(URN))
    assert sent_contact(registrar) == f"{CONTACT};expires=600{INSTANCE}"
    assert registrar.request.headers.get("Supported") == "path, gruu"


def test_without_outbound_where_the_first_hop_lacks_it() -> None:
    """439 First Hop Lacks Outbound Support (RFC 5626 §11.6)"""
    _, alice, registrar, _ = registering()
    registrar.answer(registrar.request, 439, "r", contact="-")
    assert sent_contact(registrar) == f"{CONTACT};expires=600{INSTANCE}"
    registrar.answer(registrar.request, 439, "r", contact="-")  # it is not asked for ever
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 2)


# --- which binding is ours ---

STRANGER = "<sip:alice@198.51.100.7>;expires=9"

LISTED = {
    "by instance and flow": [
        f"{CONTACT};expires=5{INSTANCE};reg-id=2",
        f"{CONTACT};expires=70{INSTANCE};reg-id=1",
    ],
    "by instance, whatever its URI": [STRANGER, f"<sip:x@203.0.113.9>;expires=70{INSTANCE};reg-id=1"],
    "by instance in capitals": [
        STRANGER,
        f'<sip:x@[2001:db8::1]>;expires=70;+sip.instance="<{URN.upper()}>"',
    ],
    "by URI where no instance comes back": [STRANGER, f"{CONTACT};expires=70"],
    "by URI beside an instance that is not ours": [f'{CONTACT};expires=70;+sip.instance="x"', STRANGER],
    "by instance and URI, an old one of ours beside it": [
        f"<sip:alice@192.0.2.1:40000>;expires=5{INSTANCE}",
        f"{CONTACT};expires=70{INSTANCE}",
    ],
}


@pytest.mark.parametrize("contacts", LISTED.values(), ids=LISTED)
def test_ours_among_those_of_other_phones(contacts: list[str]) -> None:
    _, alice, registrar, _ = registering()
    accept(registrar, *contacts)
    assert alice.last(Registered).expires == 70.0


# --- what the 200 tells ---


def test_everything_that_the_200_tells_is_kept() -> None:
    _, _, registrar, registration = registering()
    parameters = f'{INSTANCE};reg-id=1;pub-gruu="{PUBLIC}";temp-gruu="{TEMPORARY}"'
    accept(
        registrar,
        f"{CONTACT};expires=300{parameters}",
        Path="<sip:edge.example.com;lr;ob>",
        Service_Route="<sip:orig@scscf.example.com;lr>",
        P_Associated_URI='<sip:alice@example.com>, "A" <tel:+4912345>',
        Require="outbound",
        Flow_Timer="120",
    )
    grant = registration.grant
    assert grant is not None
    assert grant.path == ("<sip:edge.example.com;lr;ob>",)
    assert grant.service_route == ("<sip:orig@scscf.example.com;lr>",)
    assert grant.associated_uris == ("<sip:alice@example.com>", '"A" <tel:+4912345>')
    assert (grant.gruu, grant.temporary_gruu) == (PUBLIC, TEMPORARY)
    assert (grant.expires, grant.outbound, grant.flow_timer) == (300.0, True, 120)


@pytest.mark.parametrize(
    "gruu", ["", '"', '"no uri"', '"sip:alice@example.com"', '"tel:+1;gr=2"', '"sip:a@b;gr="']
)
def test_an_odd_gruu_is_none_and_spoils_nothing(gruu: str) -> None:
    _, alice, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=300{INSTANCE};reg-id=1;pub-gruu={gruu}")
    assert (registration.grant and registration.grant.gruu or "") in ("", "sip:a@b;gr=")
    assert alice.told == ["Registered"]


def test_a_service_route_that_cannot_be_read_is_not_obeyed() -> None:
    """A route with a hop left out leads elsewhere."""
    for odd in ("<sip:one;lr>, <sip:>", "<tel:+1>", "<sip:a;lr", ", ".join(["<sip:one;lr>"] * 17)):
        _, alice, registrar, registration = registering(None)
        accept(registrar, f"{CONTACT};expires=300", Service_Route=odd)
        assert (alice.told, registration.grant and registration.grant.service_route) == (["Registered"], ())


# --- the requests that follow ---


def test_requests_take_the_service_route_until_the_registration_ends() -> None:
    """RFC 3608 §6.1"""
    world, alice, registrar, registration = registering(None)
    accept(registrar, f"{CONTACT};expires=300", Service_Route="<sip:192.0.2.9;lr>, <sip:s.example.com;lr>")
    alice.call("sip:bob@example.com")
    invite = registrar.request
    assert [str(route) for route in invite.routes] == ["<sip:192.0.2.9;lr>", "<sip:s.example.com;lr>"]
    registrar.answer(invite, 486)
    registration.remove(world.now)
    assert registrar.request.routes == ()  # a REGISTER does not take it
    accept(registrar)
    alice.names["example.com"] = ["192.0.2.9"]
    alice.call("sip:bob@example.com")
    assert registrar.request.routes == ()


def test_the_proxy_comes_first_and_only_once() -> None:
    proxy, service = "<sip:proxy.example.com;lr>", "<sip:s.example.com;lr>"
    assert route_set(None, ()) == ()
    assert route_set(proxy, ()) == (proxy,)
    assert route_set(None, (service,)) == (service,)
    assert route_set(proxy, (service,)) == (proxy, service)
    assert route_set(proxy, ("<sip:PROXY.example.com;lr>", service)) == (
        "<sip:PROXY.example.com;lr>",
        service,
    )


def test_the_contact_of_a_call_says_ob_while_the_registrar_keeps_to_the_flow() -> None:
    """RFC 5626 §4.3"""
    _, alice, registrar, _ = registering()
    accept(registrar, f"{CONTACT};expires=300{INSTANCE};reg-id=1", Require="outbound")
    alice.call("sip:bob@192.0.2.9")
    assert sent_contact(registrar) == "<sip:alice@192.0.2.1:5060;ob>"


def test_the_contact_of_a_call_is_the_gruu() -> None:
    """RFC 5627 §4.4"""
    _, alice, registrar, _ = registering()
    accept(registrar, f'{CONTACT};expires=300{INSTANCE};reg-id=1;pub-gruu="{PUBLIC}"', Require="outbound")
    alice.call("sip:bob@192.0.2.9")
    assert sent_contact(registrar) == f"<{PUBLIC}>"


# --- the flow is lost ---


def test_a_lost_flow_of_outbound_is_told_at_once() -> None:
    """RFC 5626 §4.4"""
    world, alice, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=300{INSTANCE};reg-id=1", Require="outbound")
    alice.core.flow_failed(alice.flow(registrar.address), GONE, world.now)
    world.run()
    assert (alice.last(FlowLost).error, registration.deadline) == (GONE, float("inf"))
    alice.core.flow_failed(alice.flow(registrar.address), GONE, world.now)
    world.settle()
    assert alice.told == ["Registered", "FlowLost"]


def test_where_we_are_reached_without_the_flow_its_end_is_a_reason_to_refresh_and_no_more() -> None:
    world, alice, registrar, _ = registering(None)
    accept(registrar, f"{CONTACT};expires=600")
    alice.core.flow_failed(alice.flow(registrar.address), GONE, world.now)
    world.run(59)
    assert len(registrar.heard) == 1  # a peer that hangs up after each answer is not asked in a circle
    world.run(1.2)
    assert (len(registrar.heard), alice.told) == (2, ["Registered"])


def test_nothing_is_held_once_it_is_over() -> None:
    world, alice, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=300")
    assert [line for line in alice.leftovers if "is held" in line] != []
    registration.remove(world.now)
    accept(registrar)
    world.settle()
    assert alice.leftovers == []


def test_a_connection_that_we_opened_is_the_only_way_back() -> None:
    ours, theirs = ("192.0.2.1", 40000), ("192.0.2.9", 5060)
    assert leads_back_only(Flow("TCP", ours, theirs, True))
    assert leads_back_only(Flow("WS", ours, theirs, True, advertised=("x.invalid", 0)))
    assert not leads_back_only(Flow("TCP", ours, theirs, True, advertised=("192.0.2.1", 5060)))
    assert not leads_back_only(Flow("UDP", ours, theirs))


# --- our address changes ---


def moved() -> tuple[World, CoreAgent, ScriptedPeer, RegistrationUsage]:
    """Alice is registered, and has another address from now on, at which she moves her binding."""
    world, alice, registrar, registration = registering(None)
    accept(registrar, f"{CONTACT};expires=600")
    registration._bound = "sip:alice@10.0.0.1:5060"
    registration.move(world.now)
    return world, alice, registrar, registration


def test_a_new_address_is_bound_and_the_old_one_removed_in_one_register() -> None:
    _, alice, registrar, _ = moved()
    old = "<sip:alice@10.0.0.1:5060>;expires=0"
    assert registrar.request.headers.raw("Contact") == (f"{CONTACT};expires=600", old)
    accept(registrar, f"{CONTACT};expires=600")
    assert alice.told == ["Registered", "Registered"]


def test_a_registrar_that_takes_one_contact_only_gets_the_new_one() -> None:
    _, alice, registrar, _ = moved()
    registrar.answer(registrar.request, 400, "r", contact="-")
    assert registrar.request.headers.raw("Contact") == (f"{CONTACT};expires=600",)
    registrar.answer(registrar.request, 400, "r", contact="-")
    assert (alice.told, len(registrar.heard)) == (["Registered", "RegistrationFailed"], 3)
    assert alice.last(RegistrationFailed).response is not None


def test_who_moves_to_the_same_address_does_not_remove_it() -> None:
    world, _, registrar, registration = registering(None)
    accept(registrar, f"{CONTACT};expires=600")
    registration.move(world.now)
    assert registrar.request.headers.raw("Contact") == (f"{CONTACT};expires=600",)


def test_with_outbound_the_registrar_replaces_it_by_itself() -> None:
    world, _, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=600{INSTANCE};reg-id=1")
    registration._bound = "sip:alice@10.0.0.1:5060"
    registration.move(world.now)
    assert registrar.request.headers.raw("Contact") == (f"{CONTACT};expires=600{INSTANCE};reg-id=1",)


def test_a_move_during_a_refresh_waits_for_its_answer() -> None:
    world, alice, registrar, registration = registering(None)
    accept(registrar, f"{CONTACT};expires=600")
    registration.refresh(world.now)
    registration.move(world.now)
    assert len(registrar.requests) == 2
    accept(registrar, f"{CONTACT};expires=600")
    accept(registrar, f"{CONTACT};expires=600")
    assert (len(registrar.requests), alice.told) == (3, ["Registered", "Registered"])


@pytest.mark.parametrize("retry_after", ["7", "soon"])
def test_a_refusal_tells_how_long_to_wait(retry_after: str) -> None:
    _, alice, registrar, _ = registering()
    registrar.answer(registrar.request, 503, "r", contact="-", headers=[("Retry-After", retry_after)])
    assert alice.last(RegistrationFailed).retry_after == (7.0 if retry_after == "7" else None)
