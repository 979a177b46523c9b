"""The pump between the core and the event loop, on the simulated network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.dns_records import Answer, Query
from sipstack.core.events import Event, RequestReceived, ResponseReceived, Routed, Unanswered
from sipstack.core.outputs import Flow
from sipstack.core.trace import TracedMessage
from sipstack.dialog.identity import Identity
from sipstack.errors import ResolutionError, SipError, TransactionTimeout, TransportError
from sipstack.identifiers import Identifiers
from sipstack.net.driver import SLICE, Driver, Tracer
from sipstack.net.host import HostNetwork
from sipstack.net.network import Endpoint, EndpointUser, Listen
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.transaction.timers import NEVER

pytestmark = pytest.mark.virtual_time

HERE = Listen("udp", "10.0.0.1", 5060)
THERE = Listen("udp", "10.0.0.2", 5060)
VOID = "sip:10.0.0.9"


class Station:
    """A core with its driver, and the events that it delivered."""

    def __init__(
        self,
        world: World,
        *,
        deliver: Callable[[Event], None] | None = None,
        trace: Tracer | None = None,
        network: Any = None,
    ) -> None:
        self.events: list[Event] = []
        self.core = Core(Configuration(Identity("<sip:alice@alice.test>")), Identifiers())
        self.core.uas.hand_over("MESSAGE")
        self.driver = Driver(self.core, network or network_of(world), deliver or self._take, trace)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, RequestReceived):
            event.received.respond(200, self.driver.now())

    def request(self, target: str, method: str = "MESSAGE") -> None:
        """Send one request; its outcome is an event."""
        standalone = self.core.standalone(method, target)
        self.driver.command(standalone.start, self.driver.now())

    @property
    def kinds(self) -> list[type[Event]]:
        return [type(event) for event in self.events]


def network_of(world: World) -> Any:
    """The simulated network as a driver's."""
    return world.user_agent("anybody")._network


async def started(station: Station, listen: Listen = HERE) -> Station:
    await station.driver.start([listen])
    return station


class Timers:
    """Counts the timers that the loop is asked for."""

    def __init__(self) -> None:
        self.armed: list[float] = []
        loop = asyncio.get_running_loop()
        self._call_at = loop.call_at
        loop.call_at = self._count  # type: ignore[method-assign, assignment]

    def _count(self, when: float, callback: Any, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == "_timeout":
            self.armed.append(when)
        return self._call_at(when, callback, *arguments, **more)


# --- starting ---


async def test_a_listening_address_that_fails_leaves_none_open(world: World) -> None:
    first = await started(Station(world), THERE)
    second = Station(world)
    with pytest.raises(
        TransportError, match=r"cannot listen on udp:10\.0\.0\.2:5060: Address already in use"
    ):
        await second.driver.start([HERE, Listen("udp", "10.0.0.1", 5061), THERE])
    assert second.driver.endpoints == []
    assert world.simulated.listening == [("10.0.0.2", 5060)]
    await first.driver.close()
    assert world.simulated.listening == []


async def test_being_cancelled_while_starting_leaves_none_open(world: World) -> None:
    class Slow:
        """Opens one address and then takes its time."""

        def __init__(self) -> None:
            self._inner = network_of(world)

        async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
            if world.simulated.listening:
                await asyncio.sleep(10)
            endpoint: Endpoint = await self._inner.listen(listen, user)
            return endpoint

    station = Station(world, network=Slow())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await station.driver.start([HERE, THERE])
    assert world.simulated.listening == []


# --- pumping ---


async def test_a_request_and_its_response(world: World) -> None:
    alice, bob = await started(Station(world)), await started(Station(world), THERE)
    alice.request("sip:10.0.0.2")
    await asyncio.sleep(1)
    assert (alice.kinds, bob.kinds) == ([ResponseReceived], [RequestReceived])
    await alice.driver.close()
    await bob.driver.close()
    assert world.leftovers == []


async def test_one_timer_at_the_earliest_deadline(world: World) -> None:
    alice = await started(Station(world))
    timers = Timers()
    alice.request(VOID)
    await asyncio.sleep(0.1)
    alice.request(VOID)  # later than the first: the timer stands
    assert timers.armed == [0.5]
    await asyncio.sleep(100)
    assert alice.kinds == [Unanswered, Unanswered]
    assert timers.armed == sorted(set(timers.armed))  # each armed once
    assert len(timers.armed) <= len(world.trace) + 2
    await alice.driver.close()


async def test_an_earlier_deadline_takes_the_place_of_a_later_one(world: World) -> None:
    alice = await started(Station(world))
    timers = Timers()
    alice.request(VOID)
    await asyncio.sleep(5)  # the next repetition is seconds away
    armed = len(timers.armed)
    alice.request(VOID)
    assert timers.armed[armed:] == [5.5]
    await asyncio.sleep(0.6)
    assert [passage.time for passage in world.trace] == [0.0, 0.5, 1.5, 3.5, 5.0, 5.5]
    await alice.driver.close()


async def test_a_command_within_an_event_handler_is_drained_along(world: World) -> None:
    depth: list[int] = [0]
    deepest: list[int] = []

    def deliver(event: Event) -> None:
        depth[0] += 1
        deepest.append(depth[0])
        if len(deepest) < 5:
            driver = alice.driver
            standalone = alice.core.standalone(
                "MESSAGE", "sip:nowhere.invalid;transport=tcp"
            )  # fails at once
            driver.command(standalone.start, driver.now())
        depth[0] -= 1

    alice = await started(Station(world, deliver=deliver))
    alice.request("sip:nowhere.invalid;transport=tcp")
    assert deepest == [1, 1, 1, 1, 1]  # one after the other, never one inside of another
    await alice.driver.close()


async def test_what_deliver_raises_is_reported_and_the_driver_lives_on(world: World) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(f"{context['message'].split('(')[0]}: {context['exception']}")
    )

    def deliver(event: Event) -> None:
        raise RuntimeError("a bug")

    alice, bob = await started(Station(world, deliver=deliver)), await started(Station(world), THERE)
    for _ in range(3):
        alice.request("sip:10.0.0.2")
    await asyncio.sleep(100)
    assert bob.kinds == [RequestReceived] * 3
    assert reported == ["ResponseReceived: a bug"] * 3
    assert (alice.core.leftovers(), bob.core.leftovers()) == ([], [])  # the timers ran on
    await alice.driver.close()
    await bob.driver.close()


# --- the trace ---


async def test_the_trace_sees_each_message_once() -> None:
    world = World(link=Link(delay=0.1))
    traced: list[TracedMessage] = []
    alice, bob = await started(Station(world, trace=traced.append)), await started(Station(world), THERE)
    alice.request("sip:10.0.0.2")
    await asyncio.sleep(1)
    sent, received = traced
    assert (sent.time, sent.sent, sent.flow.remote) == (0.0, True, ("10.0.0.2", 5060))
    assert (received.time, received.sent, received.flow) == (0.2, False, sent.flow)
    assert [sent.data, received.data] == [passage.data for passage in world.trace]
    await alice.driver.close()
    await bob.driver.close()


async def test_a_trace_that_raises_stops_nothing(world: World) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(f"{context['message']}: {context['exception']}")
    )

    def trace(_: TracedMessage) -> None:
        raise OSError("disk full")

    alice, bob = await started(Station(world, trace=trace)), await started(Station(world), THERE)
    alice.request("sip:10.0.0.2")
    await asyncio.sleep(1)
    assert alice.kinds == [ResponseReceived]
    assert reported == ["the trace raised: disk full"] * 2
    await alice.driver.close()
    await bob.driver.close()


# --- names ---


async def test_a_name_that_is_not_found_is_an_answer(world: World) -> None:
    alice = await started(Station(world))
    alice.request("sip:nowhere.test")
    await asyncio.sleep(1)
    (event,) = alice.events
    assert isinstance(event, Unanswered)
    assert isinstance(event.error, ResolutionError)
    await alice.driver.close()


async def test_an_invite_is_told_its_flow_before_it_is_sent(world: World) -> None:
    world.names["bob.test"] = ["10.0.0.2"]
    alice = await started(Station(world))
    for hop in ("sip:bob@bob.test", "sip:10.0.0.2"):
        outgoing = alice.core.outgoing(hop)
        alice.driver.command(outgoing.start, alice.driver.now())
        await asyncio.sleep(1)
    flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
    assert [event.flow for event in alice.events if isinstance(event, Routed)] == [flow, flow]
    assert world.trace == []
    await alice.driver.close()


class Stuck:
    """A network whose names are never found."""

    def __init__(self, world: World) -> None:
        self.listen = network_of(world).listen

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        return []

    async def resolve(self, query: Query) -> Answer:
        await asyncio.Event().wait()
        return Answer()


async def test_a_look_up_under_way_is_cancelled_by_the_close(world: World) -> None:
    alice = await started(Station(world, network=Stuck(world)))
    alice.request("sip:bob.test")
    alice.request("sip:carol.test")
    await asyncio.sleep(10)
    await alice.driver.close()
    assert world.leftovers == []
    assert alice.events == []


async def test_a_target_of_the_other_ip_version_cannot_be_reached(world: World) -> None:
    alice = Station(world, network=HostNetwork())
    await alice.driver.start([Listen("udp", "127.0.0.1", 0)])
    alice.request("sip:[2001:db8::1]")
    (event,) = alice.events
    assert isinstance(event, Unanswered)
    assert str(event.error) == "2001:db8::1 cannot be reached from 127.0.0.1: not the same IP version"
    await alice.driver.close()


# --- closing ---


async def test_a_closed_driver_is_silent() -> None:
    world = World(link=Link(delay=0.1), icmp=True)
    alice = await started(Station(world))
    alice.request(VOID)
    await asyncio.sleep(0.15)  # the refusal is on its way back
    await alice.driver.close()
    await alice.driver.close()
    sent = len(world.trace)
    alice.request(VOID)
    await asyncio.sleep(100)
    assert len(world.trace) == sent + 1  # the refusal, which meets nobody
    assert alice.events == []
    assert world.leftovers == []


async def test_silence_is_a_timeout(world: World) -> None:
    alice = await started(Station(world))
    alice.request(VOID)
    await asyncio.sleep(31.9)
    assert alice.events == []
    await asyncio.sleep(0.2)
    (event,) = alice.events
    assert isinstance(event, Unanswered)
    assert isinstance(event.error, TransactionTimeout)
    await alice.driver.close()


# --- many timers at once ---


class SlowClock:
    """How late the clock is by what timers did, and how many of them fired in each turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.late = 0.0
        self.turns: list[int] = []
        self._loop = loop
        self._same_turn = False

    def fire(self) -> None:
        self.late += 0.001
        if not self._same_turn:
            self._same_turn = True
            self.turns.append(0)
            self._loop.call_soon(self._turn_over)
        self.turns[-1] += 1

    def _turn_over(self) -> None:
        self._same_turn = False


class Slow:
    """A usage whose timer takes a millisecond."""

    def __init__(self, clock: SlowClock) -> None:
        self.clock = clock
        self.scheduled = NEVER
        self.deadline = 1.0

    def timeout(self, now: float) -> None:
        self.deadline = NEVER
        self.clock.fire()

    def faulted(self, error: SipError, now: float) -> None:
        raise AssertionError(error)


async def test_a_burst_of_timers_shares_the_loop_with_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    clock, time = SlowClock(loop), loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + clock.late)
    station = await started(Station(world))
    for _ in range(200):
        station.core.schedule(Slow(clock))
    station.driver.command(lambda: None)
    await asyncio.sleep(5)
    await station.driver.close()
    assert clock.turns == [SLICE] * (200 // SLICE) + [200 % SLICE]
