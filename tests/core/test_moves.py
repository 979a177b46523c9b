"""Our address has changed: what goes over the flows that have become others, in each state of a call."""

from __future__ import annotations

import attrs
import pytest

from sipstack.core.events import AddressChanged
from sipstack.core.outputs import Flow
from sipstack.errors import TransportError
from sipstack.message import Request, parse
from sipstack.testing.agent import CoreAgent
from sipstack.testing.world import World

SEEN = ("203.0.113.9", 41000)


class Moving(CoreAgent):
    """An agent whose flows can become others."""

    advertised: tuple[str, int] | None = None

    def flow(self, remote: tuple[str, int]) -> Flow:
        flow = super().flow(remote)
        return attrs.evolve(flow, advertised=self.advertised or flow.local)

    def move(self) -> None:
        self.advertised = SEEN
        flows = self.core.flows()
        self.core.flows_moved({old: self.flow(old.remote) for old in flows}, "a test", self.world.now)
        self.world.catch_up()


def two() -> tuple[World, Moving, CoreAgent]:
    world = World()
    return world, Moving(world, "alice"), CoreAgent(world, "bob")


def named(world: World, agent: CoreAgent, method: str) -> tuple[str, list[str]]:
    """The addresses that the latest request of this method named."""
    messages = [parse(sent.data) for sent in world.sent if sent.source == agent.address]
    found = [each for each in messages if isinstance(each, Request) and each.method == method]
    return found[-1].via.sent_by, [str(contact.uri) for contact in found[-1].contacts]


def test_a_request_after_it_names_the_new_address() -> None:
    world, alice, bob = two()
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    world.run(1)
    alice.move()
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    world.run(1)
    assert named(world, alice, "OPTIONS")[0] == "203.0.113.9:41000"
    assert len(alice.opened) == 1  # the way was known


def test_it_is_told_with_its_reason() -> None:
    world, alice, bob = two()
    alice.call(bob.uri)
    world.run(1)
    alice.move()
    world.run(1)
    change = alice.last(AddressChanged)
    assert (change.reason, [flow.advertised for flow in change.moves.values()]) == ("a test", [SEEN])


def test_a_call_that_rings_is_answered_and_acknowledged_all_the_same() -> None:
    world, alice, bob = two()
    alice.call(bob.uri)
    world.run(1)
    alice.move()
    bob.accept()
    world.run(1)
    assert (alice.session.is_established, bob.session.is_established) == (True, True)


def test_an_established_call_tells_the_new_contact_in_its_next_offer() -> None:
    world, alice, bob = two()
    alice.call(bob.uri)
    world.run(1)
    bob.accept()
    world.run(1)
    alice.move()
    alice.session.reoffer(b"v=0 again\r\n", world.now)
    world.run(1)
    assert named(world, alice, "INVITE") == (
        "203.0.113.9:41000",
        ["sip:alice@203.0.113.9:41000"],
    )


def test_so_does_the_side_that_was_called() -> None:
    world, alice, bob = two()
    bob.call(alice.uri)
    world.run(1)
    alice.accept()
    world.run(1)
    alice.move()
    alice.session.reoffer(b"v=0 again\r\n", world.now)
    world.run(1)
    assert named(world, alice, "INVITE")[1] == ["sip:alice@203.0.113.9:41000"]


def test_a_bye_under_way_is_answered() -> None:
    world, alice, bob = two()
    alice.call(bob.uri)
    world.run(1)
    bob.accept()
    world.run(1)
    alice.hang_up()
    alice.move()
    world.settle()
    assert (alice.leftovers, bob.leftovers) == ([], [])


class Owner:
    """A registration."""

    def __init__(self) -> None:
        self.lost: list[Flow] = []

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        self.lost.append(flow)


OWNER = Owner()


def test_keep_alives_go_on_over_the_new_flow() -> None:
    world, alice, bob = two()
    flow = alice.flow(bob.address)
    alice.core.hold_flow(flow, OWNER, None, world.now)
    alice.move()
    moved = alice.flow(bob.address)
    assert list(alice.core.keep_alives.flows) == [moved]
    alice.core.release_flow(moved, OWNER)
    world.settle()
    assert alice.leftovers == []


@pytest.mark.parametrize("most", [0, 1])
def test_a_look_at_a_few_flows(most: int) -> None:
    world, alice, bob = two()
    for port in range(5):
        alice.core.standalone("OPTIONS", f"sip:{bob.address[0]}:{5060 + port}").start(world.now)
        world.catch_up()
    assert len(alice.core.flows(most)) == most
    assert len(alice.core.flows()) == 5
