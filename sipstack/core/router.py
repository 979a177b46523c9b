"""From a next hop to a flow: look-ups, the order of the targets, failover, flows known, opened and closed.

next hop -- destination --> Target, or a Question to the driver --> Targets --> the first that gives a flow

One look-up and one opening serve all requests that ask for them meanwhile. The transports are those that our
endpoints speak. How a *dialog* goes is kept by its host (`DialogUsages`), not here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs

from sipstack.core.dns_records import Answer, Query
from sipstack.core.lookups import Lookups, LookupUser
from sipstack.core.outputs import Close, Open, Output, Question, Target, Transport
from sipstack.core.routing import WEB, destination
from sipstack.core.suspects import Suspects
from sipstack.core.web_resource import WebResource
from sipstack.errors import ResolutionError, SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

INVALID = ".invalid"
MAXIMUM_FLOWS = 10_000
MAXIMUM_HOPS = 1024
MAXIMUM_WAITING = 10_000
"""Requests that may wait for one flow to be opened."""
HEAD_START = 0.25
"""Seconds until an address of the other IP family is tried beside the first (RFC 8305 §5)."""


class Routed(Protocol):
    """Receives what a route finds: a flow, or the error that there is none."""

    def flow_found(self, flow: Flow, now: float) -> None: ...

    def unroutable(self, error: SipError, now: float) -> None: ...


class FlowUser(Protocol):
    """Waits for the flow to a target."""

    is_reused: bool
    """Set when the flow is a connection that was there before."""

    def flow_found(self, target: Target, flow: Flow, now: float) -> None: ...

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None: ...


class Route:
    """The walk of one request along the targets of its next hop."""

    __slots__ = (
        "_asked",
        "_fallback",
        "_router",
        "_targets",
        "_user",
        "deadline",
        "is_reused",
        "next_hop",
        "scheduled",
        "target",
    )

    def __init__(self, router: Router, next_hop: str, user: Routed) -> None:
        self.next_hop = next_hop
        self.target: Target | None = None
        """The one that is being tried, or that led to the flow."""
        self.is_reused = False
        """Whether its flow is a connection that was there before: it may have died unnoticed."""
        self.deadline = self.scheduled = NEVER
        self._router = router
        self._fallback = False
        self._asked: list[Target] = []
        """Those whose connection is being opened: the first that is there is taken."""
        self._targets: list[Target] = []
        self._user: Routed | None = user

    def __repr__(self) -> str:
        return f"<Route to {self.next_hop}>"

    @property
    def has_alternative(self) -> bool:
        """Whether another target is left."""
        return bool(self._targets)

    def start(self, now: float) -> None:
        """Find the targets, then the flow to the first of them."""
        router = self._router
        try:
            where = router.destination(self.next_hop)
        except (SipError, ValueError) as error:
            self._failed(error if isinstance(error, SipError) else ResolutionError(str(error)), now)
            return
        if isinstance(where, Question):
            router.lookups.resolve(where, router.transports, self, now)
        else:
            self.target = where
            self.again(now)

    def start_at(self, target: Target, now: float) -> None:
        """Try ``target`` first; then, where the next hop is a name, what that leads to."""
        self._fallback = not isinstance(self._router.destination(self.next_hop), Target)
        self.target = target
        self.again(now)

    def resolved(self, targets: Sequence[Target], now: float, reason: str = "") -> None:
        """The answer to the question."""
        if targets:
            self._targets = self._router.suspects.ordered(targets, now)
            self.next(now)
        else:
            why = f"no address for {self.next_hop}"
            self._failed(ResolutionError(f"{why}: {reason}" if reason else why), now)

    def next(self, now: float) -> None:
        """Go on to the next target; there must be one."""
        self.target = self._targets.pop(0)
        self.again(now)

    def again(self, now: float) -> None:
        """Find the flow to the same target once more: the one that was found is gone."""
        self.is_reused = False
        if self._user is None or self.target is None:
            return
        target = self.target = self._router.with_path(self.target)
        self._asked.append(target)
        self._router.find_flow(target, self, now)
        if target in self._asked and self._targets and _is_twin(self._targets[0], target):
            self.deadline = now + HEAD_START
            self._router.schedule(self)

    def timeout(self, now: float) -> None:
        """The connection is not there yet: try one of the other IP family beside it (RFC 8305 §5)."""
        self.deadline = NEVER
        if self._asked and self._targets:
            self.next(now)

    def faulted(self, error: SipError, now: float) -> None:
        self._failed(error, now)

    def flow_found(self, target: Target, flow: Flow, now: float) -> None:
        """The flow to ``target`` is there; those to others are not waited for any more."""
        if target not in self._asked:
            return
        self._asked.clear()
        self.target, self.deadline = target, NEVER
        if self._user is not None:
            self._user.flow_found(flow, now)

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None:
        """There is no flow to ``target``: try the next one, unless another is under way."""
        if target not in self._asked:
            return
        self._asked.remove(target)
        if self._targets:
            self.next(now)
        elif self._fallback:
            self._fallback = False
            self.start(now)
        elif not self._asked:
            self._failed(error, now)

    def abandon(self) -> None:
        """Nobody waits for the flow any more."""
        self._user = None
        self.deadline = NEVER

    def _failed(self, error: SipError, now: float) -> None:
        if self._user is not None:
            self._user.unroutable(error, now)


class Router:
    """The flows of one endpoint, and the routes that wait for one."""

    __slots__ = (
        "_connections",
        "_hops",
        "_names",
        "_opening",
        "_outputs",
        "flows",
        "lookups",
        "resources",
        "schedule",
        "suspects",
        "transports",
        "without_streams",
    )

    def __init__(
        self, outputs: deque[Output], schedule: Callable[[Timed], None], identifiers: Identifiers
    ) -> None:
        self.transports: dict[str, Transport] = {}
        """Those that our endpoints speak, by name."""
        self.flows: dict[Target, Flow] = {}
        self.resources: dict[tuple[str, int], WebResource] = {}
        self.suspects = Suspects()
        self.without_streams = Suspects()
        """Targets that take datagrams, and no connections: see `StreamAttempt`."""
        self.schedule = schedule
        self.lookups = Lookups(outputs, identifiers)
        self._outputs = outputs
        self._connections: dict[Flow, Target] = {}
        self._hops: dict[str, Target | Question] = {}  # a peer that calls often has one Contact
        self._opening: dict[Target, list[FlowUser]] = {}
        self._names: dict[Flow, Target] = {}  # what those who connected to us by WebSocket call themselves

    def speak(self, transport: Transport) -> None:
        """An endpoint of ours speaks ``transport``; another one may reach the other IP family by it."""
        known = self.transports.get(transport.name, transport)
        families = tuple(sorted({*known.families, *transport.families}, reverse=True))
        self.transports[transport.name] = attrs.evolve(transport, families=families)
        self._hops.clear()

    def add_resource(self, resource: WebResource) -> None:
        """From now on requests for this host and port with ``transport=ws`` go there."""
        self.resources[resource.host, resource.port] = resource
        self._hops.clear()

    def with_path(self, target: Target) -> Target:
        """``target`` with the path that its WebSocket asks for."""
        if not self.resources or target.transport not in WEB:
            return target
        resource = self.resources.get((target.domain, target.address[1]))
        return target if resource is None else attrs.evolve(target, path=resource.path)

    # -- routes --------------------------------------------------------------------------------------------

    def destination(self, next_hop: str) -> Target | Question:
        """Where a next hop leads, remembered. Raises ResolutionError or ParseError."""
        known = self._hops.get(next_hop)
        if known is None:
            known = destination(next_hop, self.transports, self.resources)
            if isinstance(known, Target):
                known = self.with_path(known)
            elif known.host.endswith(INVALID):
                return self._named(known)
            if len(next_hop) < 200:  # a peer that means harm gets no megabytes of our memory
                if len(self._hops) >= MAXIMUM_HOPS:
                    self._hops.clear()
                self._hops[next_hop] = known
        return known

    def known(self, next_hop: str) -> Flow | None:
        """The flow to a next hop that needs neither a look-up nor a new connection; most need none."""
        where = self._hops.get(next_hop)
        return self.flows.get(where) if type(where) is Target else None

    def find_flow(self, target: Target, route: FlowUser, now: float) -> None:
        """Give ``route`` the flow to ``target``, known or opened."""
        flow = self.flows.get(target)
        if flow is not None:
            route.is_reused = flow.reliable
            route.flow_found(target, flow, now)
            return
        waiting = self._opening.get(target)
        if waiting is None:
            self._opening[target] = [route]
            self._outputs.append(Open(target))
        elif len(waiting) < MAXIMUM_WAITING:
            waiting.append(route)
        else:
            error = TransportError("too many requests wait for this connection")
            route.flow_refused(target, error, now)

    # -- news of the driver --------------------------------------------------------------------------------

    def resolved(self, query: Query, answer: Answer, now: float) -> None:
        """The answer to a Resolve."""
        self.lookups.resolved(query, answer, now)

    def opened(self, target: Target, flow: Flow, now: float) -> None:
        """The answer to an Open."""
        self._remember(target, flow)
        for route in self._opening.pop(target, ()):
            route.flow_found(target, flow, now)

    def accepted(self, flow: Flow) -> None:
        """A peer has opened a connection to us: requests to the same address take it, too.

        Not where a name has to be proved: whoever connects to us has proved none (RFC 5923 §4). The dialogs
        that begin over it keep to it all the same.
        """
        target = Target(flow.transport, flow.remote)
        if flow.secure:
            self._connections[flow] = target
        else:
            self._remember(target, flow)

    def calls_itself(self, flow: Flow, host: str) -> None:
        """``host`` is in the Via of a peer: a name in ``.invalid`` leads to its WebSocket, and to nothing
        else (RFC 7118 §5), for as long as that lives.
        """
        if flow.transport not in WEB or not host.endswith(INVALID) or flow not in self._connections:
            return
        target = Target(flow.transport, (host, 0))
        if flow not in self._names and target not in self.flows and len(self.flows) < MAXIMUM_FLOWS:
            self._names[flow] = target
            self.flows[target] = flow

    def refused(self, target: Target, error: TransportError, now: float) -> None:
        """There is no way to the target, such as no route to its network."""
        self.suspects.failed(target, now)
        for route in self._opening.pop(target, ()):
            route.flow_refused(target, error, now)

    def alive(self, flow: Flow) -> None:
        """The peer has answered a keep-alive: its target is not suspect any more."""
        target = self._connections.get(flow)
        if target is not None:
            self.suspects.answered(target)

    def forget(self, flow: Flow) -> None:
        """The flow is closed, or its peer is not there."""
        target = self._connections.pop(flow, None) or Target(flow.transport, flow.remote)
        for each in (target, self._names.pop(flow, target)):
            if self.flows.get(each) == flow:
                del self.flows[each]

    def moved(self, moves: Mapping[Flow, Flow]) -> None:
        """Flows of ours have become others."""
        for target, flow in self.flows.items():
            self.flows[target] = moves.get(flow, flow)

    def close(self, flow: Flow) -> None:
        """Ask for the end of a connection; no request takes it any more."""
        self.forget(flow)
        self._outputs.append(Close(flow))

    def is_open(self, flow: Flow) -> bool:
        """Whether requests may still take ``flow``: a connection must live, a datagram always goes."""
        return not flow.reliable or flow in self._connections

    def leads(self, flow: Flow, next_hop: str) -> bool:
        """Whether the connection of a dialog is the way to ``next_hop``, whatever name it proved: it goes to
        that address; or it is a WebSocket, and nothing else leads to its far end (RFC 7118 §5).
        """
        if not flow.reliable or flow not in self._connections:
            return False
        if flow.transport in WEB:
            return ";transport=ws" in next_hop.lower()
        try:
            where = self.destination(next_hop)
        except (SipError, ValueError):
            return False
        return type(where) is Target and (where.transport, where.address) == (flow.transport, flow.remote)

    def _named(self, question: Question) -> Target | Question:
        targets = (Target(transport, (question.host, 0)) for transport in WEB)
        return next((target for target in targets if target in self.flows), question)

    def _remember(self, target: Target, flow: Flow) -> None:
        if len(self.flows) >= MAXIMUM_FLOWS and target not in self.flows:
            self.flows.pop(next(iter(self.flows)))
        self.flows[target] = flow
        if flow.reliable:
            self._connections[flow] = target

    def waiting(self) -> list[FlowUser | LookupUser]:
        """Those that wait for an answer of the driver."""
        opening = [user for users in self._opening.values() for user in users]
        return [*opening, *self.lookups.waiting()]


def _is_twin(one: Target, other: Target) -> bool:
    """Whether only the IP family differs: both may be addresses of one host."""
    return one.transport == other.transport and (":" in one.address[0]) != (":" in other.address[0])
