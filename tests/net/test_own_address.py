"""The look at our own address: when it tells, when it does not, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import AddressChanged, Event
from sipstack.core.outputs import Address, Flow
from sipstack.dialog.identity import Identity
from sipstack.errors import TransportError
from sipstack.identifiers import Identifiers
from sipstack.net import udp
from sipstack.net.driver import Driver
from sipstack.net.host import HostNetwork
from sipstack.net.network import Listen
from sipstack.net.own_address import INTERVAL, SAMPLE, AddressWatch, Following, is_ours
from sipstack.net.udp import UdpEndpoint
from tests.net.inbox import Inbox

PEER: Address = ("192.0.2.7", 5060)


class Endpoint:
    """One of whose flows a test says where they are."""

    follows = True

    def __init__(self) -> None:
        self.host = "192.0.2.1"
        self.asked = 0

    def flow(self, remote: Address = PEER) -> Flow:
        return Flow("UDP", (self.host, 5060), remote, endpoint=self)

    def stranded(self, flow: Flow) -> bool:
        self.asked += 1
        return flow.local[0] != self.host

    def network_changed(self) -> None:
        raise AssertionError("the driver's business")


class Looking:
    """A watch over some flows; ``told`` has what it has found."""

    def __init__(self, *flows: Flow) -> None:
        self.flows = list(flows)
        self.told: list[list[Flow]] = []
        self.watch = AddressWatch(asyncio.get_running_loop(), self._some, self.told.append)
        self.watch.begin()

    def _some(self, most: int | None) -> set[Flow]:
        return set(self.flows[:most])


# -- the watch ---------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_it_is_told_within_an_interval() -> None:
    endpoint = Endpoint()
    looking = Looking(endpoint.flow())
    await asyncio.sleep(10 * INTERVAL)
    assert looking.told == []
    (before,) = looking.flows
    endpoint.host = "198.51.100.1"
    await asyncio.sleep(INTERVAL)
    assert looking.told == [[before]]
    looking.watch.close()


@pytest.mark.virtual_time
async def test_what_did_not_move_is_not_told() -> None:
    endpoint, other = Endpoint(), Endpoint()
    looking = Looking(endpoint.flow(), other.flow(("192.0.2.8", 5060)))
    endpoint.host = "198.51.100.1"
    await asyncio.sleep(INTERVAL + 1)
    assert looking.told == [looking.flows[:1]]
    looking.watch.close()


@pytest.mark.virtual_time
async def test_a_look_asks_for_a_few_until_one_has_moved() -> None:
    endpoint = Endpoint()
    flows = [endpoint.flow(("192.0.2.7", port)) for port in range(1, 1001)]
    looking = Looking(*flows)
    await asyncio.sleep(INTERVAL + 1)
    assert endpoint.asked == SAMPLE
    endpoint.host = "198.51.100.1"
    await asyncio.sleep(INTERVAL)
    assert sorted(looking.told[0], key=lambda flow: flow.remote) == flows
    looking.watch.close()


@pytest.mark.virtual_time
async def test_closed_it_looks_no_more() -> None:
    endpoint = Endpoint()
    looking = Looking(endpoint.flow())
    endpoint.host = "198.51.100.1"
    looking.watch.close()
    await asyncio.sleep(10 * INTERVAL)
    assert (looking.told, endpoint.asked) == ([], 0)


@pytest.mark.virtual_time
async def test_flows_of_endpoints_that_cannot_tell_are_left_alone() -> None:
    looking = Looking(Flow("TOY", ("192.0.2.1", 1), PEER, endpoint=object()))
    await asyncio.sleep(3 * INTERVAL)
    assert looking.told == []
    looking.watch.close()


# -- a UDP socket ------------------------------------------------------------------------------------------


@pytest.fixture
async def wild() -> AsyncIterator[UdpEndpoint]:
    endpoint = UdpEndpoint(asyncio.get_running_loop(), ("0.0.0.0", 0), Inbox().receive, Inbox().fail)
    yield endpoint
    endpoint.close()


async def test_a_wildcard_follows_the_routing_table(
    wild: UdpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = wild.flow_to(("127.0.0.1", 5060))
    assert isinstance(wild, Following)
    assert not wild.stranded(flow)
    monkeypatch.setattr(udp, "source_address", lambda remote: "198.51.100.1")
    assert wild.stranded(flow)
    assert wild.flow_to(flow.remote).local == ("198.51.100.1", wild.local[1])


async def test_without_any_way_nothing_is_known(wild: UdpEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cable is out: where we shall be is not to be seen yet."""
    flow = wild.flow_to(("127.0.0.1", 5060))

    def no_way(remote: Address) -> str:
        raise TransportError("no way")

    monkeypatch.setattr(udp, "source_address", no_way)
    assert not wild.stranded(flow)


async def test_what_is_bound_never_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = UdpEndpoint(asyncio.get_running_loop(), ("127.0.0.1", 0), Inbox().receive, Inbox().fail)
    monkeypatch.setattr(udp, "source_address", lambda remote: "198.51.100.1")
    assert not bound.follows
    assert not bound.stranded(bound.flow_to(PEER))
    bound.close()


async def test_what_was_learned_is_forgotten(wild: UdpEndpoint) -> None:
    remote = ("127.0.0.1", 5060)
    wild.advertise_to(remote, ("203.0.113.9", 61000))
    assert wild.flow_to(remote).advertised == ("203.0.113.9", 61000)
    wild.network_changed()
    assert wild.flow_to(remote).advertised == ("127.0.0.1", wild.local[1])


# -- the driver --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["tcp", "ws"])
async def test_a_connection_from_an_address_that_is_gone_is_closed(
    listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP would find out in a quarter of an hour."""
    events: list[Event] = []
    core = Core(Configuration(identity=Identity("sip:a@a.test")), Identifiers())
    driver = Driver(core, HostNetwork(), events.append)
    await driver.start([Listen(listen, "0.0.0.0", 0)])
    endpoint = driver.endpoints[0]
    assert isinstance(endpoint, Following)
    assert endpoint.follows
    here = Flow(listen.upper(), ("127.0.0.1", 5060), PEER, True, connection=1, endpoint=endpoint)
    gone = Flow(listen.upper(), ("192.0.2.1", 5060), PEER, True, connection=2, endpoint=endpoint)
    assert (endpoint.stranded(here), endpoint.stranded(gone)) == (False, True)
    closed: list[Flow] = []
    monkeypatch.setattr(endpoint, "close_flow", closed.append)
    driver._stranded([gone])
    assert closed == [gone]
    assert [event for event in events if isinstance(event, AddressChanged)] == []
    await driver.close()


@pytest.mark.parametrize(
    ("host", "ours"),
    [("127.0.0.1", True), ("192.0.2.77", False), ("2001:db8::1", False), ("fe80::77", True)],
)
def test_which_addresses_are_ours(host: str, ours: bool) -> None:
    assert is_ours(host) is ours
