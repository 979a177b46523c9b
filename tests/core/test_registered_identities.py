"""How requests go out while their identity is registered: RFC 3608, RFC 5626 §4.3, RFC 5627 §4.4."""

from __future__ import annotations

from sipstack.core.registered_identities import RegisteredIdentities
from sipstack.dialog.bound import Bound
from sipstack.dialog.identity import Identity

ALICE = Identity("<sip:alice@example.com>", "alice", proxy="<sip:proxy.example.com;lr>")
ONE, OTHER = Bound(("<sip:one.example.com;lr>",)), Bound(("<sip:other.example.com;lr>",))


def routes(table: RegisteredIdentities) -> tuple[str, ...]:
    return table.identities.get(ALICE, ALICE).routes


def test_a_binding_that_changes_nothing_leaves_the_table_empty() -> None:
    table = RegisteredIdentities()
    table.bind(ALICE, "one", Bound(ALICE.routes))
    assert table.identities == {}


def test_the_first_that_works_counts() -> None:
    table = RegisteredIdentities()
    table.bind(ALICE, "one", ONE)
    table.bind(ALICE, "other", OTHER)
    assert routes(table) == ONE.routes
    table.demote(ALICE, "one")
    assert routes(table) == OTHER.routes
    table.unbind(ALICE, "other")
    assert routes(table) == ONE.routes  # better than none
    table.unbind(ALICE, "one")
    table.unbind(ALICE, "one")
    table.demote(ALICE, "one")
    assert (routes(table), table.identities) == (ALICE.routes, {})


def test_a_later_200_without_a_service_route_ends_it() -> None:
    table = RegisteredIdentities()
    table.bind(ALICE, "one", ONE)
    table.bind(ALICE, "one", Bound(ALICE.routes))
    assert table.identities == {}


def test_it_stays_the_same_identity_with_the_same_credentials() -> None:
    table = RegisteredIdentities()
    table.bind(ALICE, "one", ONE)
    assert (table.identities[ALICE] == ALICE, table.identities[ALICE].bound) == (True, ONE)


def test_contacts_of_bound_identities() -> None:
    gruu, address = "sip:alice@example.com;gr=1", "sip:alice@192.0.2.1:5060"
    assert Bound().contact(address, secure=False) == address
    assert Bound(outbound=True).contact(address, secure=False) == f"{address};ob"
    assert Bound(gruu=gruu, outbound=True).contact(address, secure=False) == gruu
    assert Bound(gruu=gruu).contact("sips:alice@192.0.2.1:5061", secure=True) == "sips:alice@192.0.2.1:5061"
