"""A bare core on a host of the world: the protocol without user agent, event loop or media, moved by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import Answered, Event, InvitationReceived, Routed, SessionResumed
from sipstack.core.outputs import (
    Forget,
    Load,
    Open,
    Output,
    Query,
    Report,
    Resolve,
    Store,
    Target,
    Transmit,
    Transport,
)
from sipstack.dialog.identity import Identity
from sipstack.errors import FlowClosed, TransportError
from sipstack.identifiers import Identifiers
from sipstack.testing.names import answer
from sipstack.testing.network import authority
from sipstack.testing.sessions import SharedStore
from sipstack.transaction.flow import Address, Flow
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.session import Session

if TYPE_CHECKING:
    from sipstack.testing.world import World

E = TypeVar("E")
OFFER, ANSWER = b"v=0 the offer\r\n", b"v=0 the answer\r\n"
"""Session descriptions are opaque octets to the core: these say only which of the two they are."""


class CoreAgent:
    """A ``Core`` with an address. It does what a driver does: after each input it performs every output.

    Commands are given to the core's own objects; what follows from them happens in ``world.run()``. Set
    ``on_event`` to act on the events as a user agent does, at the moment that they come. ``ahead``: by how
    many seconds its clock is ahead of the world's.
    """

    def __init__(self, world: World, name: str, address: Address | None = None, **configuration: Any) -> None:
        self.world = world
        self.name = name
        self._endpoint = world.listen(name, address, self._received, self._refused)
        self.address = self._endpoint.local
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.names = world.names
        """Host names that it can resolve, with their addresses; those of the world unless replaced."""
        self.unreachable: set[Address] = set()
        """Addresses to which no flow can be opened."""
        self.questions: list[Query] = []
        self.opened: list[Target] = []
        self.faults: list[Exception] = []
        """Exceptions that should not have been; they count among the leftovers."""
        self._accepted: Session | None = None
        self.store: SharedStore | None = configuration.pop("store", None)
        """Where its sessions are kept; None: nowhere."""
        self._ahead: float = configuration.pop("ahead", 0.0)
        self.core = Core(
            Configuration(
                identity=_identity(name, configuration),
                keeps_sessions=self.store is not None,
                **configuration,
            ),
            Identifiers(random.Random(f"{world.seed} {name}")),
        )
        self.core.speak(Transport("UDP"))
        world.add_core(self)

    def kill(self) -> None:
        """Leave the network like a process that is killed: it says nothing more. Its address is free."""
        self._endpoint.close()
        self.world.remove_core(self)

    @property
    def now(self) -> float:
        """The time by its own clock."""
        return self.world.now + self._ahead

    # -- the driver ----------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When ``timeout`` is due, by the clock of the world; infinity when nothing is."""
        return self.core.deadline - self._ahead

    def timeout(self) -> None:
        """The deadline has come."""
        self.core.timeout(max(self.now, self.core.deadline))  # in spite of rounding

    def flow(self, remote: Address) -> Flow:
        """The flow from here to ``remote``."""
        return Flow("UDP", self.address, remote)

    def drain(self) -> bool:
        """Perform every output and hand over every event; whether there were any."""
        core = self.core
        moved = bool(core.outputs or core.events)
        while core.outputs:
            self._perform(core.outputs.popleft())
        while core.events:
            event = core.events.popleft()
            if isinstance(event, Routed):
                event.outgoing.offer(event.outgoing.user, self.now)
                continue
            self.events.append(event)
            self.on_event(event)
            if isinstance(event, SessionResumed) and self.core.takeovers is not None:
                self.core.takeovers.proceed(event.record.dialog.key, self.now)
        return moved

    def _perform(self, output: Output) -> None:
        now = self.now
        match output:
            case Transmit(flow=flow, data=data):
                self.world.send(flow.local, flow.remote, data)
            case Open(target=target):
                self.opened.append(target)
                if target.address in self.unreachable:
                    self.core.flow_refused(target, TransportError("network unreachable"), now)
                else:
                    self.core.flow_opened(target, self.flow(target.address), now)
            case Resolve(query=query):
                self.questions.append(query)
                self.core.resolved(query, answer(query, self.names, self.world.records), now)
            case Report(error=error):
                self.faults.append(error)
            case Store() | Forget() | Load():
                assert self.store is not None
                self.store.perform(self, output)

    def _received(self, data: bytes, source: Address) -> None:
        self.core.receive(self.flow(source), data, self.now)

    def _refused(self, remote: Address, error: OSError) -> None:
        self.core.flow_failed(self.flow(remote), FlowClosed("connection refused"), self.now)

    # -- the user ------------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """Where this agent is reached."""
        return f"sip:{self.name}@{authority(self.address)}"

    def call(self, target: str, offer: bytes = OFFER, **parts: Any) -> OutgoingInviteUsage:
        """Send an INVITE."""
        outgoing = self.core.outgoing(target, **parts)
        outgoing.user = offer
        outgoing.start(self.now)
        return outgoing

    def last(self, kind: type[E]) -> E:
        """The latest event of this kind."""
        return [event for event in self.events if isinstance(event, kind)][-1]

    @property
    def invitation(self) -> IncomingInvite:
        """The latest INVITE that came in."""
        return self.last(InvitationReceived).invitation

    def accept(self, answer: bytes = ANSWER) -> Session:
        """Answer the latest invitation with 200."""
        self._accepted = self.invitation.accept(answer, self.now)
        return self._accepted

    @property
    def session(self) -> Session:
        """The latest call, placed or accepted."""
        return self._accepted if self._accepted is not None else self.last(Answered).session

    def hang_up(self) -> None:
        """End the latest call."""
        self.session.hang_up(self.now)

    @property
    def told(self) -> list[str]:
        """The names of all events, in order."""
        return [type(event).__name__ for event in self.events]

    @property
    def leftovers(self) -> list[str]:
        """What the core still keeps, and what went wrong in it, in words."""
        return [*self.core.leftovers(), *map(repr, self.faults)]


def _identity(name: str, configuration: dict[str, Any]) -> Identity:
    """Takes out of ``configuration`` what belongs to the identity."""
    account = configuration.pop("account", None)
    return Identity(
        configuration.pop("aor", f"<sip:{name}@example.com>"),
        configuration.pop("user", name),
        () if account is None else (account,),
        configuration.pop("proxy", None),
        configuration.pop("credentials_to_callers", False),
        host=configuration.pop("host", ""),
    )
