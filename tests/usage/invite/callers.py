"""How most of these tests begin: one of us, and a peer who is moved by hand."""

from __future__ import annotations

from sipstack.core.events import Progressed
from tests.simulation.agent import ANSWER, OFFER, Agent
from tests.simulation.peer import Peer
from tests.simulation.world import World


def alice_and_peer() -> tuple[World, Agent, Peer]:
    """Alice, who is about to call, and bob."""
    world = World()
    return world, Agent(world, "alice", ("192.0.2.1", 5060)), Peer(world, "bob", ("192.0.2.2", 5060))


def bob_and_peer() -> tuple[World, Agent, Peer]:
    """Bob, who is about to be called, and carol."""
    world = World()
    return world, Agent(world, "bob", ("192.0.2.2", 5060)), Peer(world, "carol", ("192.0.2.3", 5060))


def called_peer() -> tuple[World, Agent, Peer]:
    """Alice, in a call that she placed to carol; the ladder begins after it."""
    world = World()
    alice, carol = Agent(world, "alice", ("192.0.2.1", 5060)), Peer(world, "carol", ("192.0.2.3", 5060))
    alice.call(carol.uri)
    carol.answer(carol.request, 200, body=ANSWER)
    world.ladder()
    return world, alice, carol


def called_by_peer() -> tuple[World, Agent, Peer]:
    """Bob, in a call that carol placed; the ladder begins after it."""
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    return world, bob, carol


def statuses(agent: Agent) -> list[int]:
    """Of the provisional responses that the user was told."""
    return [event.response.status for event in agent.events if isinstance(event, Progressed)]


def methods(world: World, by: str) -> list[str]:
    """What ``by`` sent, in short."""
    return [line.split()[3] for line in world.ladder(by)]


def agreed(agent: Agent) -> tuple[bytes | None, bytes | None]:
    """The descriptions in force, ours and theirs."""
    exchange = agent.session.exchange
    return exchange.local, exchange.remote
