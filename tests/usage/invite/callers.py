"""How most of these tests begin: one of us, and a peer who is moved by hand."""

from __future__ import annotations

from sipstack.core.events import Progressed
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World


def alice_and_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, who is about to call, and bob."""
    world = World()
    return (
        world,
        CoreAgent(world, "alice", ("192.0.2.1", 5060)),
        ScriptedPeer(world, "bob", ("192.0.2.2", 5060)),
    )


def bob_and_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob, who is about to be called, and carol."""
    world = World()
    return (
        world,
        CoreAgent(world, "bob", ("192.0.2.2", 5060)),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )


def called_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, in a call that she placed to carol; the ladder begins after it."""
    world = World()
    alice, carol = (
        CoreAgent(world, "alice", ("192.0.2.1", 5060)),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )
    alice.call(carol.uri)
    carol.answer(carol.request, 200, body=ANSWER)
    world.ladder()
    return world, alice, carol


def called_by_peer() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob, in a call that carol placed; the ladder begins after it."""
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    return world, bob, carol


def statuses(agent: CoreAgent) -> list[int]:
    """Of the provisional responses that the user was told."""
    return [event.response.status for event in agent.events if isinstance(event, Progressed)]


def methods(world: World, by: str) -> list[str]:
    """What ``by`` sent, in short."""
    return [line.split()[3] for line in world.ladder(by)]


def agreed(agent: CoreAgent) -> tuple[bytes | None, bytes | None]:
    """The descriptions in force, ours and theirs."""
    exchange = agent.session.exchange
    return exchange.local, exchange.remote
