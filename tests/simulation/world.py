"""Several endpoints on a seeded network, in virtual time and without any event loop.

The world does what a driver does: after each input it takes every output and every event of an agent,
performs them, and goes on to the next thing that happens: a delivery, a deadline or a planned action.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Protocol

from sipstack.errors import ParseError
from sipstack.message import Request, parse
from sipstack.testing.link import PERFECT, Link
from sipstack.testing.network import Delivery, Network, Passage
from sipstack.transaction.flow import Address

MAXIMUM_STEPS = 20_000
"""More than any call of these tests takes: a run that goes beyond is caught in a loop."""


class Node(Protocol):
    """What has an address in the world: an agent, or a scripted peer."""

    name: str
    address: Address

    @property
    def deadline(self) -> float: ...

    def arrived(self, delivery: Delivery) -> None: ...

    def timeout(self) -> None: ...

    def drain(self) -> bool:
        """Perform what there is to perform; whether there was anything."""


class World:
    """The clock, the network, and who is on it."""

    def __init__(self, link: Link = PERFECT, *, seed: int = 0, icmp: bool = False) -> None:
        self.now = 0.0
        self.seed = seed
        self.network = Network(link, seed=seed)
        self.nodes: dict[Address, Node] = {}
        self.sent: list[tuple[float, Address, Address, bytes]] = []
        self._icmp = icmp
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._plans = 0
        self._steps = 0
        self._shown = 0

    def add(self, node: Node) -> None:
        self.nodes[node.address] = node

    def send(self, source: Address, destination: Address, data: bytes) -> None:
        self.sent.append((self.now, source, destination, data))
        self.network.send(source, destination, data, self.now)

    # -- time ----------------------------------------------------------------------------------------------

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Do ``action`` at ``time``."""
        self._plans += 1
        heapq.heappush(self._planned, (time, self._plans, action))

    def later(self, delay: float, action: Callable[[], None]) -> None:
        self.at(self.now + delay, action)

    @property
    def next(self) -> float:
        """When something happens next; infinity when the world is quiet."""
        planned = self._planned[0][0] if self._planned else math.inf
        deadlines = [node.deadline for node in self.nodes.values()]
        return min(planned, self.network.next_delivery, *deadlines)

    def run(self, seconds: float = 0.0) -> None:
        """Let ``seconds`` pass, with everything that happens meanwhile."""
        self.run_until(self.now + seconds)

    def run_until(self, end: float) -> None:
        self.drain()
        while (time := self.next) <= end and time < math.inf:
            self._step(time)
        if end < math.inf:
            self.now = end

    def settle(self) -> None:
        """Let everything happen that is still going to happen, until nobody waits for anything."""
        self.run_until(math.inf)

    def _step(self, time: float) -> None:
        self._steps += 1
        assert self._steps < MAXIMUM_STEPS, "the world does not come to rest"
        self.now = max(self.now, time)
        for delivery in self.network.deliveries(self.now):
            self._deliver(delivery)
        while self._planned and self._planned[0][0] <= self.now:
            heapq.heappop(self._planned)[2]()
            self.drain()
        for node in self.nodes.values():
            if node.deadline <= self.now:
                node.timeout()
                self.drain()

    def _deliver(self, delivery: Delivery) -> None:
        node = self.nodes.get(delivery.destination)
        if node is not None:
            node.arrived(delivery)
            self.drain()
        elif self._icmp:
            self.network.refuse(delivery, self.now)

    def drain(self) -> None:
        moved = True
        while moved:
            moved = False
            for node in self.nodes.values():
                moved = node.drain() or moved

    # -- what was sent -------------------------------------------------------------------------------------

    @property
    def trace(self) -> list[Passage]:
        """Every datagram with its time and its fate."""
        return self.network.trace

    def ladder(self, by: str = "") -> list[str]:
        """What was sent since the last look, a line each: ``alice -> bob 180 Ringing [1 INVITE]``.

        With ``by`` only what that node sent.
        """
        return [line for _, line in self.timed_ladder() if not by or line.startswith(f"{by} -> ")]

    def timed_ladder(self) -> list[tuple[float, str]]:
        """The same with the time of sending, to the millisecond."""
        fresh = self.sent[self._shown :]
        self._shown = len(self.sent)
        return [(round(time, 3), self._line(a, b, data)) for time, a, b, data in fresh]

    def _line(self, source: Address, destination: Address, data: bytes) -> str:
        return f"{self._name(source)} -> {self._name(destination)} {shown(data)}"

    def _name(self, address: Address) -> str:
        node = self.nodes.get(address)
        return node.name if node is not None else f"{address[0]}:{address[1]}"


def shown(data: bytes) -> str:
    """A message in one line: its start line without the version, and its CSeq."""
    try:
        message = parse(data)
    except ParseError:
        return repr(data[:40])
    line = message.start_line.removesuffix(" SIP/2.0").removeprefix("SIP/2.0 ")
    number, _, method = (message.headers.get("CSeq") or "").partition(" ")
    return f"{line} [{number}]" if isinstance(message, Request) else f"{line} [{number} {method}]"


def ladder(text: str) -> list[str]:
    """The lines of a ladder as a test writes it, with any spacing."""
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


def timed(text: str) -> list[tuple[float, str]]:
    """The same where each line begins with its time."""
    return [(float(time), line) for time, _, line in (line.partition(" ") for line in ladder(text))]
