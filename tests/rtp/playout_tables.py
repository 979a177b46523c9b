"""A sender, a network and a listener in virtual time, and what came of it: one row of a table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sipstack.rtp.playout import Gap, PlayoutBuffer

RATE = 8000
FRAME = 160
TICK = 0.02


class Packet(NamedTuple):
    """Number ``number`` is said at ``said`` and lasts ``units`` of the RTP clock."""

    said: float
    number: int
    timestamp: int
    units: int


class Arrival(NamedTuple):
    at: float
    packet: Packet


def speech(
    seconds: float, sizes: Iterable[int] = (20,), *, drift: float = 0.0, start: int = 5000
) -> list[Packet]:
    """Packets of these sizes (milliseconds), the one after the other and over again.

    ``drift``: by how much the sender's clock is faster than ours.
    """
    packets: list[Packet] = []
    sizes = tuple(sizes)
    units = 0
    while (said := units / RATE / (1 + drift)) < seconds:
        size = sizes[len(packets) % len(sizes)] * RATE // 1000
        packets.append(Packet(said, len(packets), start + units, size))
        units += size
    return packets


def without(packets: Iterable[Packet], *pauses: tuple[float, float]) -> list[Packet]:
    """The sender says nothing meanwhile; its timestamps run on."""
    return [packet for packet in packets if not any(begin <= packet.said < end for begin, end in pauses)]


def jumped(packets: Iterable[Packet], at: float, seconds: float) -> list[Packet]:
    """From ``at`` on timestamps are others."""
    return [
        packet._replace(timestamp=packet.timestamp + round(seconds * RATE)) if packet.said >= at else packet
        for packet in packets
    ]


Network = Callable[[Iterable[Packet], random.Random], Iterator[Arrival]]


def direct(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
    """10 ms, always."""
    for packet in packets:
        yield Arrival(packet.said + 0.01, packet)


def lossy(share: float, burst: float = 1.0) -> Network:
    """So many are lost, in bursts of this mean length (Gilbert's model)."""

    def network(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
        lost = False
        for arrival in direct(packets, numbers):
            lost = numbers.random() < (1 - 1 / burst if lost else share / burst / (1 - share))
            if not lost:
                yield arrival

    return network if burst > 1 else _independent(share)


def _independent(share: float) -> Network:
    def network(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
        return (arrival for arrival in direct(packets, numbers) if numbers.random() >= share)

    return network


def uniform(jitter: float, share: float = 0.0) -> Network:
    """Each takes up to ``jitter`` seconds more than the fastest one, so that some overtake others."""

    def network(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
        for packet in packets:
            late = numbers.uniform(0, jitter)
            if numbers.random() >= share:
                yield Arrival(packet.said + 0.01 + late, packet)

    return network


def queue(mean: float, load: float) -> Network:
    """Through a queue that other traffic comes to in heaps: delays rise and fall, nothing overtakes."""

    def network(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
        free = 0.0
        for packet in packets:
            if numbers.random() < load:
                free = max(free, packet.said) + numbers.expovariate(1 / mean)
            free = max(free, packet.said + 0.01)
            yield Arrival(free, packet)

    return network


def stalls(*times: tuple[float, float]) -> Network:
    """Nothing passes from a time on for some seconds; then all comes at once."""

    def network(packets: Iterable[Packet], numbers: random.Random) -> Iterator[Arrival]:
        for at, packet in direct(packets, numbers):
            for begin, length in times:
                if begin <= at < begin + length:
                    at = begin + length
            yield Arrival(at, packet)

    return network


class Row(NamedTuple):
    """What became of it. Times in milliseconds."""

    lost: int
    """Packets that never came."""
    late: int
    """Packets that came too late to be played."""
    skipped: int
    """Packets that came in time and were not played."""
    made_up: int
    """Milliseconds concealed."""
    left_out: int
    """Milliseconds left out of what was played, to get the delay down."""
    longest: int
    """The longest delay from mouth to ear, of which 10 are the network."""
    delay: int
    """That of the last second, in the mean."""


class Listener:
    """Takes frames of 20 ms as a call does, and leaves out some of a packet where it may."""

    def __init__(self) -> None:
        self.buffer = PlayoutBuffer[Packet]()
        self.delays: list[tuple[float, float]] = []  # when heard, seconds after it was said
        self.heard: list[int] = []
        self.made_up = self.left_out = 0  # units
        self._rest = 0

    def put(self, packet: Packet, now: float) -> None:
        self.buffer.put(packet.timestamp & 0xFFFFFFFF, packet.units, packet, now)

    def tick(self, now: float) -> None:
        """One frame is heard."""
        while self._rest < FRAME:
            self._rest += self._take(now)
        self._rest -= FRAME

    def _take(self, now: float) -> int:
        item = self.buffer.get(now)
        if item is Gap.LOST:
            self.made_up += self.buffer.missing
        if isinstance(item, Gap):
            return self.buffer.missing
        self.heard.append(item.number)
        at = now + self._rest / RATE
        self.delays.append((at, at - item.said))
        left_out = min(self.buffer.excess, item.units // 2)
        self.left_out += left_out
        return item.units - left_out


def play(
    packets: list[Packet], network: Network = direct, *, seed: int = 1, deaf: tuple[float, float] = (0, 0)
) -> tuple[Row, Listener]:
    """All of it through the network. We do not run while we are ``deaf`` (from, to)."""
    arrivals = sorted(network(packets, random.Random(seed)))
    listener = Listener()
    pending, end = iter(arrivals), arrivals[-1].at + 1.0
    following = next(pending, None)
    for tick in range(round(end / TICK)):
        now = TICK * tick + 0.001
        if deaf[0] <= now < deaf[1]:
            continue
        while following is not None and following.at <= now:
            asleep = deaf[0] <= following.at < deaf[1]
            listener.put(following.packet, deaf[1] if asleep else following.at)
            following = next(pending, None)
        listener.tick(now)
    return _row(packets, arrivals, listener), listener


def _row(packets: list[Packet], arrivals: list[Arrival], listener: Listener) -> Row:
    assert listener.heard == sorted(set(listener.heard)), "in order, and each once"
    arrived = {arrival.packet.number for arrival in arrivals}
    buffer = listener.buffer
    last = [delay for at, delay in listener.delays if at > listener.delays[-1][0] - 1.0]
    return Row(
        len(packets) - len(arrived),
        buffer.late,
        len(arrived) - len(listener.heard) - buffer.late,
        listener.made_up * 1000 // RATE,
        listener.left_out * 1000 // RATE,
        round(1000 * max(delay for _, delay in listener.delays)),
        round(1000 * sum(last) / len(last)),
    )
