"""Who we are in a request of ours."""

from __future__ import annotations

import attrs
import pytest

from sipstack.dialog.identity import ANONYMOUS, Identity
from sipstack.message.digest import DigestAccount
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Flow

SALES = Identity("<sip:sales@example.com>", "sales")
SUPPORT = Identity(
    "<sip:support@example.net>", "support", (DigestAccount("support", "secret"),), "<sip:p.test;lr>"
)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        SALES.user = "other"  # type: ignore[misc]


def test_alike_in_every_field_is_the_same_one() -> None:
    copy = attrs.evolve(SUPPORT)
    assert (copy, hash(copy)) == (SUPPORT, hash(SUPPORT))
    others = [
        attrs.evolve(SUPPORT, aor="<sip:a@example.com>"),
        attrs.evolve(SUPPORT, user="a"),
        attrs.evolve(SUPPORT, accounts=()),
        attrs.evolve(SUPPORT, proxy=None),
    ]
    assert [other == SUPPORT for other in others] == [False] * 4


@pytest.mark.parametrize(
    ("identity", "local", "advertised", "contact"),
    [
        (SALES, ("192.0.2.1", 5060), None, "sip:sales@192.0.2.1:5060"),
        (ANONYMOUS, ("192.0.2.1", 5062), None, "sip:192.0.2.1:5062"),
        (SALES, ("2001:db8::1", 5060), None, "sip:sales@[2001:db8::1]:5060"),
        (SALES, ("10.0.0.1", 5060), ("gw.example.com", 5070), "sip:sales@gw.example.com:5070"),
    ],
)
def test_the_contact_names_the_address_of_the_flow(
    identity: Identity, local: tuple[str, int], advertised: tuple[str, int] | None, contact: str
) -> None:
    flow = Flow("UDP", local, ("192.0.2.9", 5060), advertised=advertised or local)
    assert identity.contact(flow) == contact


@pytest.mark.parametrize(("identity", "routes"), [(SALES, ()), (SUPPORT, ("<sip:p.test;lr>",))])
def test_a_proxy_is_the_route_set_outside_of_dialogs(identity: Identity, routes: tuple[str, ...]) -> None:
    assert identity.routes == routes


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(SUPPORT)


@pytest.mark.parametrize(
    ("user", "contact"),
    [
        ("sales", "<sip:sales@192.0.2.2:5060>"),
        ("support", "<sip:support@192.0.2.2:5060>"),
        ("bob", "<sip:bob@192.0.2.2:5060>"),
        ("nobody", "<sip:bob@192.0.2.2:5060>"),
        ("SALES", "<sip:bob@192.0.2.2:5060>"),  # the user part has case (RFC 3261 §19.1.4)
    ],
)
def test_a_call_is_answered_as_whom_it_is_for(user: str, contact: str) -> None:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), identities=(SALES, SUPPORT))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    carol.send(bob.address, carol.write("INVITE", f"sip:{user}@192.0.2.2", body=OFFER))
    bob.invitation.progress(180, world.now)
    assert carol.response.headers.get("Contact") == contact


@pytest.mark.parametrize("identity", [SALES, SUPPORT])
def test_a_call_goes_out_as_the_identity_that_is_chosen(identity: Identity) -> None:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), identities=(SALES, SUPPORT))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    world.names["p.test"] = ["192.0.2.3"]
    alice.call(carol.uri, identity=identity)
    headers = carol.request.headers
    from_ = headers.get("From") or ""
    assert (from_.partition(";")[0], headers.get("Contact"), headers.get("Route")) == (
        identity.aor,
        f"<sip:{identity.user}@192.0.2.1:5060>",
        identity.proxy,
    )
