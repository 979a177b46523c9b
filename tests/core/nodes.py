"""Two nodes of a cluster. The calls are at one; what carol asks comes to two."""

from __future__ import annotations

import attrs

from sipstack.core.registry import Method
from sipstack.message import Request, Response, parse
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.transaction.flow import Address

ONE, TWO, THREE = ("192.0.2.11", 5060), ("192.0.2.12", 5060), ("192.0.2.13", 5060)
CAROL = ("192.0.2.3", 5060)
NODES = {"one": "sip:192.0.2.11:5060", "two": "sip:192.0.2.12:5060", "three": "sip:192.0.2.13:5060"}
AGAIN = b"v=0 again\r\n"


def node(
    world: World, name: str, address: Address, store: SharedStore | None, **options: object
) -> CoreAgent:
    others = {other: uri for other, uri in NODES.items() if other != name}
    agent = CoreAgent(
        world, name, address, store=store, nodes=others, host=f"cluster.test;node={name}", **options
    )
    core = agent.core
    core.registry.add_method(
        Method(
            "INFO", lambda request, transaction, now: core.respond(transaction, request.response(200), now)
        )
    )
    return agent


@attrs.define
class Cluster:
    """A call of carol's is up at one."""

    world: World
    store: SharedStore | None
    one: CoreAgent
    two: CoreAgent
    carol: ScriptedPeer
    answer: Response

    def asks(self, method: str, number: int, **parts: object) -> Request:
        """What carol would say in the call."""
        return self.carol.inside(self.answer, method, number, **parts)  # type: ignore[arg-type]

    def sent(self, source: Address, destination: Address) -> list[Request | Response]:
        """What went from the one to the other."""
        return [
            parse(each.data)
            for each in self.world.sent
            if (each.source, each.destination) == (source, destination)
        ]

    def taken_over(self) -> list[str]:
        return [each.name for each in (self.one, self.two) if "SessionResumed" in each.told]


def in_a_call(
    *, icmp: bool = False, kept: bool = True, link: Link | None = None, **options: object
) -> Cluster:
    world, store = World(link or Link(), icmp=icmp), SharedStore() if kept else None
    one, two = (node(world, name, at, store, **options) for name, at in (("one", ONE), ("two", TWO)))
    carol = ScriptedPeer(world, "carol", CAROL)
    carol.send(ONE, carol.write("INVITE", one.uri, body=OFFER))
    world.run(0.2)
    one.accept()
    world.run(0.2)
    answer = carol.response
    assert answer.status == 200
    carol.send(ONE, carol.inside(answer, "ACK", 1))
    world.run(0.2)
    world.ladder()
    return Cluster(world, store, one, two, carol, answer)


def invented(cluster: Cluster, number: int) -> Request:
    """In a dialog that nobody has."""
    return cluster.carol.write(
        "INFO",
        "sip:x@cluster.test;node=one",
        to="<sip:x@cluster.test>;tag=none",
        call_id=f"invented-{number}",
        cseq=number,
    )
