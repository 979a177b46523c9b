"""Keep-alives of flows (RFC 5626 §3.5, §4.4): they keep a NAT's binding, and notice a peer that is gone.

Whoever needs a flow holds it: a registration does, as calls come over it. Over datagrams a double CRLF goes
out, which nobody answers; over a connection it is a ping. A peer that has answered one has to answer each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sipstack.core.outputs import Output, Transmit
from sipstack.errors import FlowClosed, SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.transaction.deadlines import Deadlines, Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

PING = b"\r\n\r\n"
STREAM_INTERVAL = 120.0
"""Seconds between two pings of a connection at the most (RFC 5626 §4.4.1)."""
EARLIEST = 0.8
"""The part of an interval after which a keep-alive may go out (§4.4.1): not all flows in step."""
PONG = 10.0
"""Seconds that a peer has for its answer (§4.4.1)."""
SHORTEST = 1.0
"""Seconds between two keep-alives, whatever a peer asks for."""

FlowFailed = Callable[[Flow, TransportError, float], None]


class KeepAlive:
    """The keep-alives of one flow."""

    __slots__ = ("_all", "answers", "awaits_pong", "deadline", "flow", "owners", "scheduled")

    def __init__(self, alive: KeepAlives, flow: Flow) -> None:
        self._all = alive
        self.flow = flow
        self.owners: dict[object, float | None] = {}
        """Who holds the flow, and the interval that each asks for."""
        self.answers = False
        """Whether the peer answers pings."""
        self.awaits_pong = False
        self.deadline = NEVER
        self.scheduled = NEVER

    def __repr__(self) -> str:
        return f"<KeepAlive of {self.flow.transport} {self.flow.remote}>"

    def plan(self, now: float) -> None:
        """Set the time of the next one."""
        self.awaits_pong = False
        longest = self._all.interval_of(self)
        self.deadline = now + longest * self._all.uniform(EARLIEST, 1.0)
        self._all.schedule(self)

    def timeout(self, now: float) -> None:
        if self.awaits_pong:
            self._all.silent(self, now)
            return
        self._all.send(self.flow)
        if self.answers:
            self.awaits_pong = True
            self.deadline = now + PONG
            self._all.schedule(self)
        else:
            self.plan(now)

    def ponged(self, now: float) -> None:
        """The peer has answered."""
        self.answers = True
        if self.awaits_pong:
            self.plan(now)

    def faulted(self, error: SipError, now: float) -> None:
        """It is reported; the flow goes on without keep-alives."""
        self._all.forget(self.flow)


class KeepAlives:
    """The flows that somebody holds. ``interval`` is that of datagrams, in seconds; None sends none at all.

    ``fail`` is told of a connection whose peer does not answer any more.
    """

    __slots__ = ("_append", "_fail", "_flows", "_interval", "schedule", "uniform")

    def __init__(
        self,
        interval: float | None,
        append: Callable[[Output], None],
        deadlines: Deadlines[Timed],
        identifiers: Identifiers,
        fail: FlowFailed,
    ) -> None:
        self._interval = interval
        self._append = append
        self._fail = fail
        self._flows: dict[Flow, KeepAlive] = {}
        self.schedule = deadlines.schedule
        self.uniform = identifiers.uniform

    def __len__(self) -> int:
        return len(self._flows)

    # -- owners --------------------------------------------------------------------------------------------

    def hold(
        self, flow: Flow, owner: object, interval: float | None, now: float, *, pong: bool = False
    ) -> None:
        """Keep ``flow`` alive for ``owner``, until it is released or the flow fails. Holding it again only
        changes the interval.

        ``interval``: seconds between two keep-alives at the most, where the peer named them (Flow-Timer, RFC
        5626 §4.4); None takes ours. ``pong``: the peer is known to answer pings.
        """
        if self._interval is None:
            return
        known = self._flows.get(flow)
        if known is None:
            known = self._flows[flow] = KeepAlive(self, flow)
        known.answers = known.answers or (pong and flow.reliable)
        before = self.interval_of(known) if known.owners else NEVER
        known.owners[owner] = None if interval is None else max(interval, SHORTEST)
        if not known.awaits_pong and self.interval_of(known) < before:
            known.plan(now)

    def release(self, flow: Flow, owner: object) -> None:
        """``owner`` does not need it any more. Does nothing when it does not hold it."""
        known = self._flows.get(flow)
        if known is not None and owner in known.owners:
            del known.owners[owner]
            if not known.owners:
                self.forget(flow)

    def interval_of(self, alive: KeepAlive) -> float:
        """The shortest that an owner asks for; for those who ask for none, that of the transport."""
        assert self._interval is not None
        usual = STREAM_INTERVAL if alive.flow.reliable else self._interval
        return min([usual if each is None else each for each in alive.owners.values()], default=usual)

    # -- what happens to a flow ----------------------------------------------------------------------------

    def send(self, flow: Flow) -> None:
        """Send one keep-alive."""
        self._append(Transmit(flow, PING))

    def ponged(self, flow: Flow, now: float) -> None:
        """The peer has answered a ping."""
        known = self._flows.get(flow)
        if known is not None:
            known.ponged(now)

    def silent(self, alive: KeepAlive, now: float) -> None:
        """The answer to a ping has not come."""
        self.forget(alive.flow)
        error = FlowClosed(f"no answer to a keep-alive in {PONG:g} s from {alive.flow.remote[0]}")
        self._fail(alive.flow, error, now)

    @property
    def flows(self) -> Iterable[Flow]:
        """Those that are kept alive."""
        return self._flows

    def moved(self, moves: Mapping[Flow, Flow]) -> None:
        """Flows have become others, whose owners will hold them when they have used them; until then the
        keep-alives go on there.
        """
        for old, new in moves.items():
            known = self._flows.pop(old, None)
            if known is not None:
                known.flow = new
                self._flows[new] = known

    def forget(self, flow: Flow) -> None:
        """The flow is closed, or nobody needs it."""
        known = self._flows.pop(flow, None)
        if known is not None:
            known.deadline = NEVER
