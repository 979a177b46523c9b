"""The driver and its endpoints: flows opened, refused, accepted, lost and closed, told by hand."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.dns_records import Answer, Query
from sipstack.core.events import Event, Unanswered
from sipstack.core.outputs import Address, Flow, Question, Target, Transport
from sipstack.dialog.identity import Identity
from sipstack.errors import FlowClosed, TransportError
from sipstack.identifiers import Identifiers
from sipstack.net.driver import Driver
from sipstack.net.network import Endpoint, EndpointUser, Listen
from sipstack.testing.ladders import shown

pytestmark = pytest.mark.virtual_time

BOB = "sip:10.0.0.2;transport=toy"
AT_BOB = Target("TOY", ("10.0.0.2", 5060))
ASKED = f"OPTIONS {BOB} [1]"


class ByHand:
    """An endpoint that does nothing by itself, and writes down what it is asked."""

    def __init__(self, name: str, port: int, *, unreachable: str = "", at_once: bool = False) -> None:
        self.transport = Transport(name, reliable=name != "UDP")
        self.local: Address = ("10.0.0.1", port)
        self.asked: list[Any] = []
        self._unreachable = unreachable
        self._at_once = at_once

    def open(self, target: Target) -> Flow | None:
        self.asked.append(target)
        if self._unreachable:
            raise TransportError(self._unreachable)
        return self.flow_to(target.address) if self._at_once else None

    def flow_to(self, remote: Address) -> Flow:
        return self.flow(remote, 1)

    def flow(self, remote: Address, number: int) -> Flow:
        return Flow(
            self.transport.name, self.local, remote, self.transport.reliable, connection=number, endpoint=self
        )

    def send(self, flow: Flow, data: bytes) -> None:
        self.asked.append((flow.connection, shown(data)))

    def close_flow(self, flow: Flow) -> None:
        self.asked.append(("close", flow.connection))

    def close(self) -> None:
        self.asked.append("close")

    async def wait_closed(self) -> None:
        self.asked.append("wait")


class Station:
    """A core with its driver on these endpoints; names lead to ``targets``."""

    transports: Collection[str] = ("udp", "toy")

    def __init__(self, *endpoints: ByHand, targets: tuple[Target, ...] = ()) -> None:
        self.endpoints = list(endpoints)
        self.targets = list(targets)
        self.events: list[Event] = []
        core = Core(Configuration(Identity("<sip:alice@alice.test>")), Identifiers(random.Random(1)))
        self.core = core
        self.driver = Driver(core, self, self.events.append)

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        return next(endpoint for endpoint in self.endpoints if endpoint.local[1] == listen.port)

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        return []

    async def resolve(self, query: Query) -> Answer:
        addresses = tuple(target.address[0] for target in self.targets)
        return Answer(addresses if query.type == "A" else ())

    async def start(self) -> None:
        await self.driver.start([Listen("toy", *endpoint.local) for endpoint in self.endpoints])

    def ask(self, target: str = BOB) -> None:
        standalone = self.core.standalone("OPTIONS", target)
        self.driver.command(standalone.start, self.driver.now())

    @property
    def errors(self) -> list[str]:
        return [str(event.error) for event in self.events if isinstance(event, Unanswered)]


async def started(**options: Any) -> tuple[Station, Driver, ByHand]:
    """A station with one endpoint."""
    endpoint = ByHand("TOY", 5060, **options)
    station = Station(endpoint)
    await station.start()
    return station, station.driver, endpoint


async def test_a_connection_that_cannot_even_be_begun() -> None:
    station, _, endpoint = await started(unreachable="no route to host")
    station.ask()
    assert (endpoint.asked, station.errors) == ([AT_BOB], ["no route to host"])


async def test_a_connection_that_is_refused() -> None:
    station, driver, endpoint = await started()
    station.ask()
    assert (endpoint.asked, station.events) == ([AT_BOB], [])
    driver.refused(AT_BOB, TransportError("connection refused"))
    assert (endpoint.asked, station.errors) == ([AT_BOB], ["connection refused"])


async def test_a_target_whose_transport_no_endpoint_speaks() -> None:
    endpoint = ByHand("TOY", 5060)
    station = Station(endpoint)
    await station.start()
    station.ask("sip:bob.test")
    question, target = Question("TOY", "bob.test", 5060), Target("SCTP", ("10.0.0.2", 5060))
    station.driver.command(station.core.router.lookups.found, question, [target], station.driver.now())
    assert station.errors == ["no address that we listen on speaks SCTP"]
    assert endpoint.asked == []


async def test_a_connection_that_is_made() -> None:
    station, driver, endpoint = await started()
    station.ask()
    station.ask()
    driver.opened(AT_BOB, endpoint.flow(AT_BOB.address, 7))
    station.ask()
    assert endpoint.asked == [AT_BOB, (7, ASKED), (7, ASKED), (7, ASKED)]


async def test_a_connection_that_is_there_at_once() -> None:
    station, _, endpoint = await started(at_once=True)
    station.ask()
    assert endpoint.asked == [AT_BOB, (1, ASKED)]


async def test_a_connection_that_the_peer_has_made() -> None:
    station, driver, endpoint = await started()
    driver.accepted(endpoint.flow(AT_BOB.address, 3))
    station.ask()
    assert endpoint.asked == [(3, ASKED)]


async def test_a_connection_that_is_lost_fails_what_is_under_way() -> None:
    station, driver, endpoint = await started()
    station.ask()
    flow = endpoint.flow(AT_BOB.address, 1)
    driver.opened(AT_BOB, flow)
    driver.failed(flow, FlowClosed("connection reset"))
    assert station.errors == ["connection reset"]
    station.ask()
    assert endpoint.asked == [AT_BOB, (1, ASKED), AT_BOB]


async def test_the_first_endpoint_that_can_is_taken() -> None:
    endpoints = [
        ByHand("UDP", 5060),
        ByHand("TOY", 5061, unreachable="not the same IP version"),
        ByHand("TOY", 5062, at_once=True),
        ByHand("TOY", 5063),
    ]
    station = Station(*endpoints)
    await station.start()
    station.ask()
    assert [endpoint.asked for endpoint in endpoints] == [[], [AT_BOB], [AT_BOB, (1, ASKED)], []]


async def test_the_core_closes_a_connection() -> None:
    station, driver, endpoint = await started()
    station.ask()
    flow = endpoint.flow(AT_BOB.address, 1)
    driver.opened(AT_BOB, flow)
    driver.command(station.core.router.close, flow)
    assert (endpoint.asked, station.errors) == ([AT_BOB, (1, ASKED), ("close", 1)], [])
    driver.failed(flow, FlowClosed("closed"))
    assert station.errors == ["closed"]


async def test_news_of_a_connection_while_another_event_is_handled() -> None:
    """An endpoint may refuse from within ``open``: the drain under way takes it along."""
    station, driver, endpoint = await started()
    endpoint.open = lambda target: driver.refused(target, TransportError("from within"))  # type: ignore[method-assign]
    station.ask()
    assert station.errors == ["from within"]


async def test_a_closed_driver_hears_no_more_of_its_connections() -> None:
    station, driver, endpoint = await started()
    station.ask()
    await driver.close()
    flow = endpoint.flow(AT_BOB.address, 1)
    driver.opened(AT_BOB, flow)
    driver.accepted(endpoint.flow(AT_BOB.address, 2))
    driver.failed(flow, FlowClosed("closed"))
    driver.refused(AT_BOB, TransportError("late"))
    assert (endpoint.asked, station.events) == ([AT_BOB, "close", "wait"], [])
