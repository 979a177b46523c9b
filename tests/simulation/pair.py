"""The usual two, alice and bob, each a bare core."""

from __future__ import annotations

from typing import Any

from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World


def alice_and_bob(world: World, **configuration: Any) -> tuple[CoreAgent, CoreAgent]:
    """The usual two."""
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), **configuration)
    return alice, CoreAgent(world, "bob", ("192.0.2.2", 5060), **configuration)


def established(world: World, **configuration: Any) -> tuple[CoreAgent, CoreAgent]:
    """The usual two in a call that alice placed; the ladder begins after it."""
    alice, bob = alice_and_bob(world, **configuration)
    alice.call(bob.uri)
    world.run()
    bob.accept()
    world.run()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    return alice, bob
