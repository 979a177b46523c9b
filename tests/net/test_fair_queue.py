"""What waits while more arrives than can be served: equal time for each source, by the test's own clock."""

from __future__ import annotations

import pytest

from sipstack.core.outputs import Flow
from sipstack.net.fair_queue import LANE, LANE_OCTETS, OVERHEAD, QUEUE_OCTETS, FairQueue

HERE = ("192.0.2.1", 5060)


def flow(host: str, port: int = 5060) -> Flow:
    return Flow("UDP", HERE, (host, port))


class Server:
    """Serves the queue; a datagram costs as many milliseconds as its first word says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queue = FairQueue(lambda: self.now)
        self.served: list[tuple[str, bytes]] = []

    def receive(self, flow: Flow, data: bytes) -> None:
        self.now += float(data.split()[0]) / 1000
        self.served.append((flow.remote[0], data))

    def put(self, host: str, *texts: bytes, port: int = 5060) -> None:
        for text in texts:
            self.queue.put(flow(host, port), text)

    def serve(self, seconds: float) -> list[tuple[str, bytes]]:
        """What is served in one turn."""
        self.served.clear()
        self.queue.serve(self.receive, self.now + seconds)
        return [*self.served]


def test_what_waits_for_one_source_is_served_in_order_until_the_turn_is_over() -> None:
    server = Server()
    server.put("a", b"2 one", b"2 two", b"2 three", b"2 four")
    assert server.serve(0.005) == [("a", b"2 one"), ("a", b"2 two"), ("a", b"2 three")]
    assert len(server.queue) == 1
    assert server.serve(0.005) == [("a", b"2 four")]
    assert (bool(server.queue), server.queue.octets, server.queue.dropped) == (False, 0, 0)


def test_who_sends_little_waits_for_one_round_and_not_for_the_flood() -> None:
    server = Server()
    server.put("flood", *[b"1 x"] * 1000)
    server.put("good", b"1 call")
    assert server.serve(0.004) == [
        ("flood", b"1 x"),
        ("good", b"1 call"),
        ("flood", b"1 x"),
        ("flood", b"1 x"),
    ]


def test_the_share_is_one_of_time_and_not_of_datagrams() -> None:
    server = Server()
    server.put("dear", *[b"10 x"] * 10)
    server.put("cheap", *[b"1 y"] * 100)
    server.serve(0.1)
    spent = {
        host: sum(float(data.split()[0]) for served, data in server.served if served == host)
        for host in ("dear", "cheap")
    }
    assert abs(spent["dear"] - spent["cheap"]) <= 11  # one of the dear ones, and a quantum
    assert sum(spent.values()) == pytest.approx(100, abs=10)


def test_the_ports_of_one_host_are_one_source_and_so_is_an_ipv6_network() -> None:
    server = Server()
    server.put("a", *[b"1 x"] * 3, port=1)
    server.put("a", *[b"1 y"] * 3, port=2)
    server.put("2001:db8::1", b"1 p")
    server.put("2001:db8::ffff:2", b"1 q")
    server.put("2001:db8:0:1::1", b"1 r")
    assert [data for _, data in server.serve(0.004)] == [b"1 x", b"1 p", b"1 r", b"1 x"]


def test_what_goes_on_comes_before_what_is_new_in_the_lane_of_its_source() -> None:
    now = 0.0
    queue = FairQueue(lambda: now)
    served: list[bytes] = []
    new = (b"INVITE 1", b"OPTIONS", b"INVITE 2")
    going_on = (b"ACK", b"BYE", b"SIP/2.0 200 OK", b"CANCEL", b"PRACK")
    for data in (*new[:2], *going_on, *new[2:]):
        queue.put(flow("a"), data)
    queue.serve(lambda _, data: served.append(data), 1.0)
    assert served == [*going_on, *new]


def test_a_full_lane_loses_its_own() -> None:
    server = Server()
    server.put("flood", *[b"0 x"] * (LANE + 10))
    server.put("huge", *[b"0" * 60_000] * 100)
    server.put("good", b"0 call")
    room = LANE_OCTETS // (60_000 + OVERHEAD)
    assert (len(server.queue), server.queue.dropped) == (LANE + room + 1, 10 + 100 - room)
    assert ("good", b"0 call") in server.serve(1.0)


def test_all_lanes_together_are_bounded() -> None:
    server = Server()
    for number in range(1000):
        server.put(f"192.0.2.{number}", b"0" * 60_000)
    room = QUEUE_OCTETS // (60_000 + OVERHEAD)
    assert (len(server.queue), server.queue.dropped) == (room, 1000 - room)
    server.queue.clear()
    assert (len(server.queue), server.queue.octets, server.serve(1.0)) == (0, 0, [])


def test_an_exception_loses_one_datagram() -> None:
    server = Server()
    server.put("a", b"bad", b"1 good")
    with pytest.raises(ValueError, match="bad"):
        server.serve(0.005)
    assert server.serve(0.005) == [("a", b"1 good")]
