"""The only pump: feeds the core with datagrams, commands and time, and does what it puts out.

Mutate, then drain: after each input every output and event is taken before the next input. A command that is
given from within an event handler mutates the core at once; the drain under way takes its outputs along.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

from sipstack.core.core import Core
from sipstack.core.dns_records import NO_NAME, NO_RECORD, Answer, Query
from sipstack.core.events import Event
from sipstack.core.outputs import (
    Address,
    Close,
    Flow,
    Forget,
    Load,
    Loaded,
    Open,
    Report,
    Resolve,
    Store,
    Target,
    Transmit,
    Undelivered,
    Warn,
)
from sipstack.core.services import Counters
from sipstack.core.trace import TracedMessage
from sipstack.errors import ResolutionError, TransportError
from sipstack.log import TRANSACTION, TRANSPORT
from sipstack.net.message_log import MessageLog, reporting_drops
from sipstack.net.network import Endpoint, Listen, Network, reaching
from sipstack.net.own_address import AddressWatch, Following, Learning
from sipstack.outcome import Absent, Outcome

P = ParamSpec("P")
R = TypeVar("R")
Received = Callable[[Flow, bytes], None]
Tracer = Callable[[TracedMessage], None]
Keep = Callable[[Store | Forget | Load], None]
"""Does what the core asks of its store, and answers by ``stored`` or ``loaded``, at once or later."""
TOLD_IN_FULL = 8
"""How often what an application's own code raises in one place is reported, before it becomes rarer."""
ALARM_INTERVAL = 0.005
"""Seconds between two alarms at the least: thousands of transactions that end in one second share them. The
timers of RFC 3261 count in hundreds of milliseconds."""
TURN = 0.005
"""Seconds of one turn of the loop that timers may take: datagrams, media and tasks want to live too."""
PROBE = 0.05
"""Seconds until the loop's lag is measured once more, while something comes in."""
SLICE = 32
"""Timers between two looks at the clock."""


class Driver:
    """Runs one core on one event loop. ``deliver`` takes each event, ``trace`` each message sent or received.

    What they raise goes to the loop's exception handler, and the driver lives on. Whether messages are logged
    is decided when it is made, by the level of ``sipstack.transport``: those that are not cost nothing.
    """

    def __init__(
        self, core: Core, network: Network, deliver: Callable[[Event], None], trace: Tracer | None = None
    ) -> None:
        self.core = core
        self.endpoints: list[Endpoint] = []
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._deliver = deliver
        self._traces = _sinks(trace)
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = math.inf
        self._alarmed_at = -math.inf
        self._draining = False
        self._closed = False
        self.received: Received = self._receive_traced if self._traces else self._receive
        if TRANSACTION.shows_debug:
            self.received = reporting_drops(core.counters, self.received)
        self._probe: asyncio.TimerHandle | None = None
        self._lags = False
        self._lookups: set[asyncio.Task[None]] = set()
        self._watch: AddressWatch | None = None
        self._raised: dict[object, int] = {}
        self.keep: Keep | None = None
        """Where sessions are kept; None: nowhere, and the core does not ask."""

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, listens: Sequence[Listen]) -> None:
        """Listen on all addresses. Raises TransportError, with none left open."""
        try:
            for listen in listens:
                endpoint = await self._network.listen(listen, self)
                self.endpoints.append(endpoint)
                self.core.speak(reaching(endpoint))
                TRANSPORT.info("listening on %s:%s", listen.transport, endpoint.local)
            spoken = {listen.transport for listen in listens}
            for endpoint in self._network.diallers(spoken, self):
                self.endpoints.append(endpoint)
                self.core.speak(endpoint.transport)
            if self._following:
                self._watch = AddressWatch(self._loop, self.core.flows, self._stranded)
                self._watch.begin()
        except BaseException:
            await self._stop()
            raise

    async def close(self) -> None:
        """Stop: nothing new is sent, what was written goes out, and no connection or look-up is left."""
        await self._stop()
        counters = self.core.counters
        if counters != Counters():
            TRANSACTION.info(
                "closed; of what came in, %s malformed, %s without a transaction or dialog, %s too many",
                counters.malformed,
                counters.unmatched,
                counters.overloaded,
            )

    async def _stop(self) -> None:
        self._closed = True  # news that the sockets still have is not answered
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        closing = self.endpoints.copy()
        self.endpoints.clear()
        for endpoint in closing:
            endpoint.close()
        for lookup in self._lookups:
            lookup.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
        await asyncio.gather(
            *(endpoint.wait_closed() for endpoint in closing), *self._lookups, return_exceptions=True
        )

    # -- inputs --------------------------------------------------------------------------------------------

    def command(self, function: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """Give a command to the core or to a usage, whose ``now`` is that of ``now()``, and drain."""
        try:
            return function(*arguments, **keywords)
        finally:
            self._drain()

    def now(self) -> float:
        return self._loop.time()

    def _receive(self, flow: Flow, data: bytes) -> None:
        now = self._loop.time()
        if self._probe is None and not self._closed:
            self._probe = self._loop.call_at(now + PROBE, self._probed, now + PROBE)
        self.core.receive(flow, data, now)
        self._drain()

    def _probed(self, due: float) -> None:
        """Tell the core how late the loop is."""
        self._probe = None
        now = self._loop.time()
        lags = self.core.lagged(now - due, now)
        if lags is not self._lags:
            self._lags = lags
            what = "new requests get 503" if lags else "new requests are taken again"
            TRANSACTION.warning("the event loop is %s ms late: %s", round((now - due) * 1e3), what)

    def _receive_traced(self, flow: Flow, data: bytes) -> None:
        self._note(TracedMessage(self._loop.time(), False, flow, data))
        self._receive(flow, data)

    def stored(self, asked: Store | Forget, outcome: Outcome) -> None:
        """What became of it."""
        if not self._closed:
            self.core.stored(asked, outcome, self._loop.time())
            self._drain()

    def loaded(self, load: Load, found: Loaded | Absent) -> None:
        """What was found."""
        if not self._closed:
            self.core.loaded(load, found, self._loop.time())
            self._drain()

    def opened(self, target: Target, flow: Flow) -> None:
        TRANSPORT.debug("%s to %s is open", flow.transport, flow.remote)
        self.core.flow_opened(target, flow, self._loop.time())
        self._drain()

    def refused(self, target: Target, error: TransportError) -> None:
        TRANSPORT.info("no %s to %s: %s", target.transport, target.address, error)
        self.core.flow_refused(target, error, self._loop.time())
        self._drain()

    def accepted(self, flow: Flow) -> None:
        TRANSPORT.debug("%s from %s is open", flow.transport, flow.remote)
        self.core.flow_accepted(flow, self._loop.time())
        self._drain()

    def failed(self, flow: Flow, error: TransportError) -> None:
        TRANSPORT.info("%s with %s failed: %s", flow.transport, flow.remote, error)
        self.core.flow_failed(flow, error, self._loop.time())
        self._drain()

    def moved(self, endpoint: Endpoint, reason: str) -> None:
        TRANSPORT.warning("our address has changed: %s", reason)
        self._move([flow for flow in self.core.flows() if flow.endpoint is endpoint], reason)

    def learned(self, flow: Flow, address: Address, reason: str) -> None:
        """The peer of ``flow`` sees us at this address: it is told this one from now on."""
        if isinstance(flow.endpoint, Learning):
            TRANSPORT.info("%s sees us at %s: %s", flow.remote, address, reason)
            flow.endpoint.advertise_to(flow.remote, address)
            self._move([each for each in self.core.flows() if each == flow], reason)

    @property
    def _following(self) -> list[Following]:
        return [each for each in self.endpoints if isinstance(each, Following) and each.follows]

    def _stranded(self, flows: list[Flow]) -> None:
        """This host has another address. A connection does not survive that, and its peer cannot tell us;
        what we listen on goes on.
        """
        reason = f"the network has changed: we are not at {flows[0].local[0]} any more"
        TRANSPORT.warning("%s", reason)
        for endpoint in self._following:
            endpoint.network_changed()
        for flow in flows:
            if flow.reliable:
                flow.endpoint.close_flow(flow)
        self._move([flow for flow in flows if not flow.reliable], reason)

    def _move(self, flows: Iterable[Flow], reason: str) -> None:
        """Make these flows anew, and tell the core of those that have become others."""
        moves = {}
        for flow in flows:
            try:
                new = flow.endpoint.flow_to(flow.remote)
            except TransportError as error:
                TRANSPORT.info("there is no way to %s any more: %s", flow.remote, error)
                continue
            if (new.local, new.advertised) != (flow.local, flow.advertised):
                moves[flow] = new
        if moves:
            self.core.flows_moved(moves, reason, self._loop.time())
            self._drain()

    def ponged(self, flow: Flow) -> None:
        self.core.flow_alive(flow, self._loop.time())
        self._drain()

    def _timeout(self) -> None:
        # the loop may call a shade early, by its clock's resolution
        now = max(self._armed_at, self._loop.time())
        self._timer, self._armed_at, self._alarmed_at = None, math.inf, now
        core, until = self.core, now + TURN
        more = True
        while more:
            try:
                core.timeout(now, SLICE)
            finally:
                self._drain()
            more = core.deadline <= now and self._loop.time() < until and not self._closed

    # -- outputs -------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        if self._draining or self._closed:
            return
        self._draining = True
        core, outputs, events = self.core, self.core.outputs, self.core.events
        try:
            while True:
                while outputs:
                    output = outputs.popleft()
                    if type(output) is Transmit:
                        self._transmit(output.flow, output.data)
                    elif type(output) is Open:
                        self._open(output.target)
                    elif type(output) is Resolve:
                        self._resolve(output.query)
                    elif type(output) is Close:
                        output.flow.endpoint.close_flow(output.flow)
                    elif type(output) is Report:
                        self._report_fault(output.error)
                    elif type(output) is Undelivered:
                        TRANSACTION.warning("%s could not be delivered: %s", output.what, output.error)
                    elif type(output) is Warn:
                        TRANSACTION.warning("%s", output.text)
                    elif self.keep is not None and isinstance(output, Store | Forget | Load):
                        self.keep(output)
                if not events:
                    break
                event = events.popleft()
                try:
                    self._deliver(event)
                except Exception as error:
                    self._report(f"{event!r} could not be handled", error)
        finally:
            self._draining = False
            alarm = max(core.deadline, self._alarmed_at + ALARM_INTERVAL)
            if alarm < self._armed_at and not self._closed:
                self._arm(alarm)

    def _arm(self, alarm: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = alarm
        self._timer = self._loop.call_at(alarm, self._timeout)

    def _transmit(self, flow: Flow, data: bytes) -> None:
        if self._traces:
            self._note(TracedMessage(self._loop.time(), True, flow, data))
        flow.endpoint.send(flow, data)

    def _note(self, message: TracedMessage) -> None:
        for trace in self._traces:
            try:
                trace(message)
            except Exception as error:
                self._report("the trace raised", error)

    def _report(self, message: str, error: Exception) -> None:
        """What code that is not ours raised goes to the loop's exception handler. Of what is raised in the
        same place with each datagram of a flood, the first ones do, then the 16th, the 32nd ...
        """
        count = self._count(error)
        if count <= TOLD_IN_FULL or _is_power_of_two(count):
            self._loop.call_exception_handler({"message": message, "exception": error})

    def _report_fault(self, error: Exception) -> None:
        """A fault of ours goes there once. A stranger may provoke it again: that is a line."""
        count = self._count(error)
        if count == 1:
            message = "a fault in the protocol core; it has ended one request or call"
            self._loop.call_exception_handler({"message": message, "exception": error})
        elif _is_power_of_two(count):
            TRANSACTION.warning("a fault in the protocol core came %s times so far: %s", count, type(error))

    def _count(self, error: Exception) -> int:
        """How often it was raised in this place of the code."""
        place = _place(error)
        count = self._raised[place] = self._raised.get(place, 0) + 1
        return count

    def _open(self, target: Target) -> None:
        failure = TransportError(f"no address that we listen on speaks {target.transport}")
        for endpoint in self.endpoints:
            if endpoint.transport.name != target.transport:
                continue
            try:
                flow = endpoint.open(target)
            except TransportError as error:
                failure = error
            except Exception as error:
                self._report(f"no way to {target} could be opened", error)
                failure = TransportError(f"{type(error).__name__}: {error}")
            else:
                if flow is not None:
                    TRANSPORT.debug("%s to %s is open", flow.transport, flow.remote)
                    self.core.flow_opened(target, flow, self._loop.time())
                return
        TRANSPORT.info("no %s to %s: %s", target.transport, target.address, failure)
        self.core.flow_refused(target, failure, self._loop.time())

    def _resolve(self, query: Query) -> None:
        lookup = self._loop.create_task(self._look_up(query))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def _look_up(self, query: Query) -> None:
        try:
            answer = await self._network.resolve(query)
        except ResolutionError as error:
            answer = Answer(problem=str(error))
        except Exception as error:  # of a resolver that is not ours
            self._report(f"{query.name} could not be looked up", error)
            answer = Answer(problem=f"{type(error).__name__}: {error}")
        self._tell(query, answer)
        self.core.resolved(query, answer, self._loop.time())
        self._drain()

    def _tell(self, query: Query, answer: Answer) -> None:
        """Where a host is, or that no server answered. That there is nothing, the request tells."""
        if not answer.records and answer.problem not in (NO_NAME, NO_RECORD):
            TRANSPORT.debug("%s of %s is not found: %s", query.type, query.name, answer.problem)
        elif answer.records and query.type in ("A", "AAAA"):
            TRANSPORT.debug("%s is found at %s", query.name, ", ".join(map(str, answer.records)))


def _is_power_of_two(count: int) -> bool:
    return count & (count - 1) == 0


def _place(error: Exception) -> object:
    """What raised it, and where: the same for each message that meets the same fault."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return type(error), trace and (trace.tb_frame.f_code, trace.tb_lineno)


def _sinks(trace: Tracer | None) -> tuple[Tracer, ...]:
    """The takers of each message: the application's, and the log when it shows them."""
    log: tuple[Tracer, ...] = (MessageLog(),) if TRANSPORT.shows_debug else ()
    return log if trace is None else (*log, trace)
