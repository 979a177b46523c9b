"""A bad network as a pure object: datagrams and the time go in, due deliveries come out, the seed decides.

It knows no sockets and no clock. Drive it by hand, or under an event loop through
``sipstack.testing.simulated``. The same seed and the same calls give the same ``trace``, byte for byte.
"""

from __future__ import annotations

import enum
import heapq
import math
import random
from collections.abc import Collection
from typing import NamedTuple

from sipstack.testing.link import PERFECT, Link
from sipstack.transaction.flow import Address


def authority(address: Address) -> str:
    """``host:port`` as a URI and a Via write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Fate(enum.StrEnum):
    """What became of a datagram."""

    DELIVERED = "delivered"  # it reached the host, whether or not somebody listens at the port
    LOST = "lost"  # the link lost it
    CUT = "cut"  # a partition lies between the hosts
    DOWN = "down"  # one of the hosts is down
    REFUSED = "refused"  # the sender learnt that nobody listens at the port


class Passage(NamedTuple):
    """One line of the trace: when a datagram's fate was decided, and how.

    A refusal goes from the closed port back to the sender, and carries the refused data, as ICMP does.
    """

    time: float
    source: Address
    destination: Address
    fate: Fate
    data: bytes


class Departure(NamedTuple):
    """A datagram as it was sent, whatever became of it."""

    time: float
    source: Address
    destination: Address
    data: bytes


class Delivery(NamedTuple):
    """A datagram, or the refusal of one, that arrived at ``destination``."""

    time: float
    source: Address
    destination: Address
    data: bytes
    refused: bool = False


class Network:
    """Hosts that reach each other over links. Hosts need not be declared: an address is enough.

    ``link`` is the path between any two hosts that have none of their own.
    """

    def __init__(self, link: Link = PERFECT, *, seed: int = 0) -> None:
        self.trace: list[Passage] = []
        self.sent: list[Departure] = []
        self._random = random.Random(seed)
        self._segments = random.Random(f"segments {seed}")  # apart: streams change nothing for datagrams
        self._links: dict[tuple[str | None, str | None], Link] = {(None, None): link}
        self._sides: dict[str, int] = {}
        self._down: set[str] = set()
        self._copies = 0
        self._under_way: list[tuple[float, int, Delivery]] = []

    def set_link(self, link: Link, *, source: str | None = None, destination: str | None = None) -> None:
        """Use ``link`` for what ``source`` sends to ``destination``, one direction only.

        None means any host. The most exact setting wins; among half-exact ones, the source's.
        Datagrams that are under way are not affected.
        """
        self._links[source, destination] = link

    def partition(self, *sides: Collection[str]) -> None:
        """Cut the paths between hosts of different sides; what is under way between them gets lost as well.

        A host that is on no side reaches everybody. Replaces an earlier partition.
        """
        self._sides = {host: number for number, side in enumerate(sides) for host in side}

    def heal(self) -> None:
        """Undo the partition."""
        self._sides = {}

    def down(self, host: str) -> None:
        """Switch a host off: it neither sends nor receives, and what arrives meanwhile is lost."""
        self._down.add(host)

    def up(self, host: str) -> None:
        """Switch a host on again."""
        self._down.discard(host)

    def send(self, source: Address, destination: Address, data: bytes, now: float) -> None:
        """Put a datagram on its way. Its fate is found in ``deliveries`` or in the trace."""
        self.sent.append(Departure(now, source, destination, data))
        self._send(Delivery(now, source, destination, data))

    def refuse(self, delivery: Delivery, now: float) -> None:
        """Tell the sender that nobody listens at the port (ICMP), over the path back with all its faults."""
        if not delivery.refused:
            self._send(Delivery(now, delivery.destination, delivery.source, delivery.data, refused=True))

    @property
    def next_delivery(self) -> float:
        """When ``deliveries`` has to be asked again; infinity when nothing is under way."""
        return self._under_way[0][0] if self._under_way else math.inf

    def deliveries(self, now: float) -> list[Delivery]:
        """Takes out what has arrived by ``now``, in order of arrival; at one time, in order of sending."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            _, _, delivery = heapq.heappop(self._under_way)
            if self.arrives(delivery):
                arrived.append(delivery)
        return arrived

    # -- segments of streams -------------------------------------------------------------------------------

    def written(self, departure: Departure) -> None:
        """Remember what was written to a stream; its segments follow by ``transit``."""
        self.sent.append(departure)

    def transit(self, segment: Delivery) -> float | None:
        """How many seconds this segment of a stream takes, sent at its ``time``; None when it gets lost.

        Who sent it sends it again, so a segment is never doubled. Ask ``arrives`` when the time has come.
        """
        transits = self._transits(segment, self._segments)
        return transits[0] if transits else None

    # -- both ----------------------------------------------------------------------------------------------

    def _send(self, sent: Delivery) -> None:
        self._put_under_way(sent, self._transits(sent, self._random))

    def _transits(self, sent: Delivery, source: random.Random) -> list[float]:
        """The seconds that each copy is under way; none when the fate is decided on departure, and noted."""
        transits = self._link(sent.source[0], sent.destination[0]).carry(source)
        if sent.source[0] in self._down:
            self._note(sent, Fate.DOWN)
        elif self._is_cut(sent):
            self._note(sent, Fate.CUT)
        elif not transits:
            self._note(sent, Fate.LOST)
        else:
            return transits
        return []

    def arrives(self, delivery: Delivery) -> bool:
        """Whether what was under way gets through at its ``time``, which is that of its arrival."""
        if delivery.destination[0] in self._down:
            fate = Fate.DOWN
        elif self._is_cut(delivery):
            fate = Fate.CUT
        else:
            fate = Fate.REFUSED if delivery.refused else Fate.DELIVERED
        self._note(delivery, fate)
        return fate in (Fate.DELIVERED, Fate.REFUSED)

    def _put_under_way(self, sent: Delivery, transits: list[float]) -> None:
        for transit in transits:
            self._copies += 1
            arrival = sent.time + transit
            heapq.heappush(self._under_way, (arrival, self._copies, sent._replace(time=arrival)))

    def _link(self, source: str, destination: str) -> Link:
        keys = (source, destination), (source, None), (None, destination), (None, None)
        return next(self._links[key] for key in keys if key in self._links)

    def _is_cut(self, delivery: Delivery) -> bool:
        hosts = delivery.source[0], delivery.destination[0]
        return len({self._sides[host] for host in hosts if host in self._sides}) > 1

    def _note(self, delivery: Delivery, fate: Fate) -> None:
        self.trace.append(Passage(delivery.time, delivery.source, delivery.destination, fate, delivery.data))
