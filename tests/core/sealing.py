"""Calls whose state the peer keeps: bob on one of several nodes that share keys; carol, a scripted peer."""

from __future__ import annotations

import random
from typing import Any

from sipstack.core.registry import Method
from sipstack.message import Request, Response, SipUri
from sipstack.store.sealed import Sealed
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.standard import standard_extensions

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
EPOCH = 1_800_000_000.0
BOB = ("192.0.2.2", 5060)


def sealed(world: World, node: int, name: str, keys: tuple[bytes, ...]) -> Sealed:
    """The seals of one node, whose clock is that of the world."""
    dice = random.Random(f"{world.seed} {name}")
    return Sealed(list(keys), node, clock=lambda: EPOCH + world.now, random=dice.randbytes)


def node(
    world: World, number: int, *, name: str = "", keys: tuple[bytes, ...] = (KEY,), **configuration: Any
) -> CoreAgent:
    """Bob's core on node ``number``. All have one address, of which only one at a time may live."""
    name = name or ("bob" if number == 0 else f"bob{number}")
    agent = CoreAgent(world, name, BOB, seal=sealed(world, number, name, keys), **configuration)
    for extension in standard_extensions(agent.core.timers, timer=SessionTimer(refresher="remote")):
        agent.core.registry.add_extension(extension)
    for method in ("INFO", "MESSAGE"):
        serve(agent, method)
    return agent


def serve(agent: CoreAgent, method: str) -> None:
    """Its application answers these with 200."""
    core = agent.core
    core.registry.add_method(
        Method(
            method, lambda request, transaction, now: core.respond(transaction, request.response(200), now)
        )
    )


def parties(seed: int = 0) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob on node 0, and carol."""
    world = World(seed=seed)
    return world, node(world, 0), ScriptedPeer(world, "carol", ("192.0.2.3", 5060))


def killed(world: World, agent: CoreAgent, heir: int = 1, **configuration: Any) -> CoreAgent:
    """The process of ``agent`` is killed, and its address is that of node ``heir`` from now on."""
    agent.kill()
    return node(world, heir, **configuration)


def called(*headers: tuple[str, str]) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Carol calls bob, who answers."""
    world, bob, carol = parties()
    carol.send(bob.address, carol.write("INVITE", "sip:bob@192.0.2.2", body=OFFER, headers=headers))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.run(0.2)
    world.ladder()
    return world, bob, carol


UPDATES = (("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"), ("Supported", "timer"))


def calling(*headers: tuple[str, str], body: bytes = ANSWER) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob calls carol, who answers with these fields; his ACK is out, and nothing else yet."""
    world, bob, carol = parties()
    bob.call(carol.uri)
    carol.answer(carol.request, 200, body=body, headers=headers)
    world.run(0.05)
    return world, bob, carol


def contact(message: Request | Response) -> SipUri:
    """The URI of its Contact."""
    uri = message.contacts[0].uri
    assert isinstance(uri, SipUri)
    return uri


def user(message: Request | Response) -> str:
    """What may be a seal."""
    return contact(message).user or ""


def inside(carol: ScriptedPeer, method: str, cseq: int, *, body: bytes = b"", contact: str = "") -> None:
    """Carol's request in the call that she has placed, to the latest Contact that she was given."""
    answers = [each for each in carol.responses if each.status == 200 and "Contact" in each.headers]
    first = answers[0]
    target = contact or str(answers[-1].contacts[0].uri)
    fields = [
        ("From", first.headers.get("From")),
        ("To", first.headers.get("To")),
        ("Call-ID", first.call_id),
    ]
    carol.send(BOB, carol.write(method, target, cseq=cseq, headers=fields, body=body))


def back(carol: ScriptedPeer, method: str, cseq: int, *, body: bytes = b"", contact: str = "") -> None:
    """Carol's request in the call that bob has placed, to the latest Contact that she was given."""
    told = [each for each in carol.requests if "Contact" in each.headers]
    target = contact or str(told[-1].contacts[0].uri)
    invite = carol.invite
    ends = invite.response(200, to_tag="peer")
    fields = [("From", ends.headers.get("To")), ("To", ends.headers.get("From")), ("Call-ID", invite.call_id)]
    carol.send(BOB, carol.write(method, target, cseq=cseq, headers=fields, body=body))
