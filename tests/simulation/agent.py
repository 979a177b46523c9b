"""An endpoint in the world: a Core with an address, and what its user agent was told."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import Answered, Event, InvitationReceived, Routed
from sipstack.core.outputs import Open, Output, Question, Resolve, Target, Transmit, Transport
from sipstack.dialog.identity import Identity
from sipstack.errors import FlowClosed, TransportError
from sipstack.identifiers import Identifiers
from sipstack.net.network import as_targets
from sipstack.testing.network import Delivery
from sipstack.transaction.flow import Address, Flow
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInvite
from sipstack.usage.invite.session import Session
from tests.simulation.world import World, ladder

E = TypeVar("E")
OFFER, ANSWER = b"v=0 the offer\r\n", b"v=0 the answer\r\n"


class Agent:
    """A Core on the world's network. ``on_event`` may be set: it acts as the user agent."""

    def __init__(self, world: World, name: str, address: Address, **configuration: Any) -> None:
        self.world = world
        self.name = name
        self.address = address
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.names: dict[str, list[str]] = {}
        self.unreachable: set[Address] = set()
        self.questions: list[Question] = []
        self.opened: list[Target] = []
        self._accepted: Session | None = None
        self.core = Core(
            Configuration(identity=_identity(name, configuration), **configuration),
            Identifiers(random.Random(f"{world.seed} {name}")),
        )
        self.core.speak(Transport("UDP"))
        world.add(self)

    # -- the node ------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        return self.core.deadline

    def timeout(self) -> None:
        self.core.timeout(self.world.now)

    def flow(self, remote: Address) -> Flow:
        return Flow("UDP", self.address, remote)

    def arrived(self, delivery: Delivery) -> None:
        flow = self.flow(delivery.source)
        if delivery.refused:
            self.core.flow_failed(flow, FlowClosed("connection refused"), self.world.now)
        else:
            self.core.receive(flow, delivery.data, self.world.now)

    def drain(self) -> bool:
        core = self.core
        moved = bool(core.outputs or core.events)
        while core.outputs:
            self._perform(core.outputs.popleft())
        while core.events:
            event = core.events.popleft()
            if isinstance(event, Routed):
                event.outgoing.offer(event.outgoing.user, self.world.now)
                continue
            self.events.append(event)
            self.on_event(event)
        return moved

    def _perform(self, output: Output) -> None:
        now = self.world.now
        match output:
            case Transmit(flow=flow, data=data):
                self.world.send(flow.local, flow.remote, data)
            case Open(target=target):
                self.opened.append(target)
                if target.address in self.unreachable:
                    self.core.flow_refused(target, TransportError("network unreachable"), now)
                else:
                    self.core.flow_opened(target, self.flow(target.address), now)
            case Resolve(question=question):
                self.questions.append(question)
                addresses = self.names.get(question.host, [])
                self.core.resolved(question, as_targets(question, addresses), now)

    # -- the user ------------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """Where this agent is reached."""
        return f"sip:{self.name}@{self.address[0]}:{self.address[1]}"

    def call(self, target: str, offer: bytes = OFFER, **parts: Any) -> OutgoingInvite:
        """Send an INVITE."""
        outgoing = self.core.outgoing(target, **parts)
        outgoing.user = offer
        outgoing.start(self.world.now)
        return outgoing

    def last(self, kind: type[E]) -> E:
        """The latest event of this kind."""
        return [event for event in self.events if isinstance(event, kind)][-1]

    @property
    def invitation(self) -> IncomingInvite:
        return self.last(InvitationReceived).invitation

    def accept(self, answer: bytes = ANSWER) -> Session:
        """Answer the latest invitation with 200."""
        self._accepted = self.invitation.accept(answer, self.world.now)
        return self._accepted

    @property
    def session(self) -> Session:
        """The latest call, placed or accepted."""
        return self._accepted if self._accepted is not None else self.last(Answered).session

    def hang_up(self) -> None:
        self.session.hang_up(self.world.now)

    @property
    def told(self) -> list[str]:
        """The names of all events, in order."""
        return [type(event).__name__ for event in self.events]

    @property
    def leftovers(self) -> list[str]:
        return self.core.leftovers()


def _identity(name: str, configuration: dict[str, Any]) -> Identity:
    """Takes out of ``configuration`` what belongs to the identity."""
    account = configuration.pop("account", None)
    return Identity(
        configuration.pop("aor", f"<sip:{name}@example.com>"),
        configuration.pop("user", name),
        () if account is None else (account,),
        configuration.pop("proxy", None),
    )


def alice_and_bob(world: World, **configuration: Any) -> tuple[Agent, Agent]:
    """The usual two."""
    alice = Agent(world, "alice", ("192.0.2.1", 5060), **configuration)
    return alice, Agent(world, "bob", ("192.0.2.2", 5060), **configuration)


def established(world: World, **configuration: Any) -> tuple[Agent, Agent]:
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
