"""Who takes part in these tests: a core that refers or is referred, and a scripted peer."""

from __future__ import annotations

from collections.abc import Iterable

from sipstack.core.registry import Method, Package
from sipstack.message import Request
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.refer.events import ReferConcluded, ReferProgressed, ReferReceived
from sipstack.usage.refer.incoming import IncomingRefer
from sipstack.usage.refer.outgoing import PACKAGE, OutgoingRefer
from sipstack.usage.refer.server import ReferServer

ALICE = ("192.0.2.1", 5060)
TO_CAROL = (("Refer-To", "<sip:carol@example.com>"),)
SIPFRAG = ("Content-Type", "message/sipfrag;version=2.0")


def takes_notifies(agent: CoreAgent) -> None:
    """What a user agent does while it refers."""
    registry = agent.core.registry
    registry.add_method(Method("NOTIFY", by_event=True))
    registry.add_package(Package(PACKAGE, None))


def takes_referrals(agent: CoreAgent) -> None:
    """What a user agent does while it has a handler of referrals."""
    registry = agent.core.registry
    registry.add_method(Method("REFER", ReferServer(agent.core, "handler").serve))
    registry.add_method(Method("SUBSCRIBE", by_event=True))
    registry.add_package(Package(PACKAGE, None))


def alice_and_bob() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice, a core, is in a call that bob, who is scripted, has accepted."""
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=b"v=0 the answer\r\n")
    assert bob.methods == ["INVITE", "ACK"]
    world.ladder()
    return world, alice, bob


def called_by_bob() -> tuple[World, CoreAgent, ScriptedPeer]:
    """The same where bob has called; his next CSeq is 2."""
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    bob.send(ALICE, bob.write("INVITE", "sip:alice@192.0.2.1", body=OFFER))
    alice.accept()
    bob.send(ALICE, bob.inside(bob.response, "ACK", 1))
    return world, alice, bob


def refer(alice: CoreAgent, closed: list[str] | None = None) -> OutgoingRefer:
    """Alice refers bob to carol in their call."""
    usage = OutgoingRefer.inside(alice.core, alice.session.usages, TO_CAROL)
    usage.start(alice.world.now, lambda: None if closed is None else closed.append("closed"))
    return usage


def notify(
    bob: ScriptedPeer,
    cseq: int,
    status_line: str,
    state: str = "active;expires=60",
    event: str = "refer",
    fields: Iterable[tuple[str, object]] = (),
) -> None:
    """Bob tells what becomes of his call."""
    headers = [("Event", event), ("Subscription-State", state), SIPFRAG, *fields]
    body = f"{status_line}\r\n".encode() if status_line else b""
    bob.send(ALICE, bob.back("NOTIFY", cseq, headers=headers, body=body))


def told(agent: CoreAgent) -> list[str]:
    """What the user agent has heard of its REFER."""
    lines = []
    for event in agent.events:
        match event:
            case ReferProgressed(response=response):
                lines.append(f"{response.status}")
            case ReferConcluded(outcome=outcome, of_refer=of_refer):
                what = getattr(outcome, "status", None) if not isinstance(outcome, Exception) else outcome
                lines.append(f"{'REFER' if of_refer else 'call'}: {what}")
    return lines


def referred(agent: CoreAgent) -> IncomingRefer:
    """The latest REFER that has come."""
    return agent.last(ReferReceived).refer


def notified(bob: ScriptedPeer) -> list[str]:
    """The NOTIFYs that bob has heard, without repetitions: state and status line."""
    seen: dict[int, Request] = {}
    for request in bob.requests:
        if request.method == "NOTIFY":
            seen.setdefault(request.cseq.number, request)
    return [
        f"{each.headers.get('Subscription-State')}: {each.body.decode().strip()}" for each in seen.values()
    ]
