"""Calls with a session timer: how those tests begin."""

from __future__ import annotations

from typing import Any

from sipstack.message import Request, Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.timed_call import session_timer
from sipstack.usage.invite.update import update
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.callers import alice_and_peer, bob_and_peer

TIMER = SessionTimer(expires=90)
UPDATES = ("Allow", "INVITE, ACK, BYE, UPDATE")
SUPPORTED = ("Supported", "timer")
HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"


def timing(agent: CoreAgent, timer: SessionTimer = TIMER) -> None:
    agent.core.registry.add_extension(update())
    agent.core.registry.add_extension(session_timer(timer))


def calling(timer: SessionTimer = TIMER, **parts: Any) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, who calls bob."""
    world, alice, bob = alice_and_peer()
    timing(alice, timer)
    alice.call(bob.uri, **parts)
    return world, alice, bob


def in_call(
    granted: str | None, *more: tuple[str, object], timer: SessionTimer = TIMER
) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, in a call with bob, whose 2xx had this Session-Expires; the ladder begins after it."""
    world, alice, bob = calling(timer)
    fields = [] if granted is None else [("Session-Expires", granted)]
    bob.answer(bob.request, 200, body=ANSWER, headers=[*fields, *more])
    world.ladder()
    return world, alice, bob


def called(
    *headers: tuple[str, object], timer: SessionTimer = TIMER
) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob, called by carol with these fields."""
    world, bob, carol = bob_and_peer()
    timing(bob, timer)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=headers))
    return world, bob, carol


def accepted(
    *headers: tuple[str, object], timer: SessionTimer = TIMER
) -> tuple[World, CoreAgent, ScriptedPeer, Response]:
    """The same, answered, and bob's 200; the ladder begins after it."""
    world, bob, carol = called(*headers, timer=timer)
    bob.accept()
    response = carol.response
    carol.send(bob.address, carol.inside(response, "ACK", 1))
    world.ladder()
    return world, bob, carol, response


def both(
    world: World, ours: SessionTimer = TIMER, theirs: SessionTimer = TIMER, *, pause: float = 0.0
) -> tuple[CoreAgent, CoreAgent]:
    """Alice in a call with bob, both with timers. He answers after ``pause``, and as much passes after it."""
    alice, bob = alice_and_bob(world)
    timing(alice, ours)
    timing(bob, theirs)
    alice.call(bob.uri)
    world.run(pause)
    bob.accept()
    world.run(pause)
    world.ladder()
    return alice, bob


def expires(message: Request | Response) -> str | None:
    return message.headers.get("Session-Expires")


def short(world: World) -> list[tuple[float, str, str]]:
    """When, who, and method or status."""
    return [(time, line.split()[0], line.split()[3]) for time, line in world.timed_ladder()]
