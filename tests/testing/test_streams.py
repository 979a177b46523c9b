"""Simulated TCP connections: what goes wrong first, then every way to cut a stream into pieces."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

from sipstack.testing.clock import ManualClock
from sipstack.testing.ladders import ladder
from sipstack.testing.link import PERFECT, Link
from sipstack.testing.loop import run
from sipstack.testing.network import Passage
from sipstack.testing.ports import FIRST_PORT, LAST_PORT
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.streams import (
    Cut,
    anywhere,
    octet_by_octet,
    uncut,
)
from sipstack.testing.world import World

ALICE, BOB = ("192.0.2.1", 49152), ("192.0.2.2", 5060)
MESSAGE = b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
BAD = Link(delay=0.02, jitter=0.05, loss=0.3, duplicate=0.1, reorder=0.1)


class End(asyncio.Protocol):
    """Writes down what it is told, with the time."""

    def __init__(self, world: World, *, stays_half_open: bool = False) -> None:
        self.world = world
        self.told: list[tuple[float, Any]] = []
        self.stays_half_open = stays_half_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, SimulatedStream)
        self.stream = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self._note(data)

    def eof_received(self) -> bool:
        self._note("eof")
        return self.stays_half_open

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("lost" if exc is None else type(exc))

    def _note(self, what: Any) -> None:
        self.told.append((round(self.world.now, 3), what))

    @property
    def news(self) -> list[Any]:
        """The same without the times."""
        return [what for _, what in self.told]

    @property
    def data(self) -> list[bytes]:
        return [what for what in self.news if isinstance(what, bytes)]


def connected(
    link: Link = PERFECT, *, seed: int = 0, stays_half_open: bool = False
) -> tuple[World, End, End]:
    """Alice, who has opened a connection to bob, and bob."""
    world = World(link, seed=seed)
    near, far = End(world), End(world, stays_half_open=stays_half_open)
    world.streams.listen(*BOB, lambda: far)
    world.streams.connect((ALICE[0], 0), BOB, near)
    world.run(5)
    assert (near.news, far.news) == (["made"], ["made"])
    return world, near, far


# --- opening ---


def test_where_nobody_listens_a_connection_is_refused_after_the_round_trip() -> None:
    world = World(Link(delay=0.05))
    near = End(world)
    stream = world.streams.connect(ALICE, BOB, near)
    stream.write(MESSAGE)
    world.settle()
    assert near.told == [(0.1, ConnectionRefusedError)]
    assert world.streams.streams == []


def test_a_host_that_is_down_is_silence_for_127_seconds() -> None:
    world = World()
    world.network.down(BOB[0])
    near = End(world)
    world.streams.listen(*BOB, lambda: End(world))
    world.streams.connect(ALICE, BOB, near)
    world.settle()
    assert near.told == [(127.0, TimeoutError)]
    assert [passage.time for passage in world.trace] == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0]


def test_a_refusal_that_gets_lost_is_asked_for_again_by_nobody() -> None:
    world = World()
    world.network.set_link(Link(loss=1.0), source=BOB[0])
    near = End(world)
    world.streams.connect(ALICE, BOB, near)
    world.run(3600)
    assert near.told == []


def test_a_connection_given_up_while_it_is_opened_is_never_accepted() -> None:
    world = World(Link(delay=0.05))
    near, far = End(world), End(world)
    world.streams.listen(*BOB, lambda: far)
    world.streams.connect(ALICE, BOB, near).abort()
    world.settle()
    assert (near.told, far.told) == ([(0.0, "lost")], [])


def test_a_connection_given_up_after_it_was_accepted_is_reset() -> None:
    world = World(Link(delay=0.05))
    near, far = End(world), End(world)
    world.streams.listen(*BOB, lambda: far)
    stream = world.streams.connect(ALICE, BOB, near)
    world.run(0.06)
    stream.abort()
    world.settle()
    assert (near.news, far.told) == (["lost"], [(0.05, "made"), (0.11, ConnectionResetError)])


def test_an_address_is_taken_until_its_listener_is_closed() -> None:
    world = World()
    listener = world.streams.listen(*BOB, lambda: End(world))
    with pytest.raises(OSError, match=".") as taken:
        world.streams.listen(*BOB, lambda: End(world))
    assert taken.value.errno == errno.EADDRINUSE
    listener.close()
    again = world.streams.listen(*BOB, lambda: End(world))
    listener.close()  # a second close does not take the address from its new owner
    assert world.streams.listening == [again.local] == [BOB]
    with pytest.raises(OSError, match=".") as wildcard:
        world.streams.listen("0.0.0.0", 5060, lambda: End(world))
    assert wildcard.value.errno == errno.EADDRNOTAVAIL


def test_all_ports_of_a_host_can_be_in_use() -> None:
    world = World()
    for port in range(FIRST_PORT, LAST_PORT + 1):
        world.streams.listen(ALICE[0], port, lambda: End(world))
    with pytest.raises(OSError, match=".") as caught:
        world.streams.connect((ALICE[0], 0), BOB, End(world))
    assert caught.value.errno == errno.EADDRINUSE


# --- breaking ---


def test_a_reset_breaks_it_at_once_and_loses_what_is_under_way() -> None:
    world, near, far = connected(Link(delay=0.05))
    near.stream.write(MESSAGE)
    near.stream.abort()
    world.settle()
    assert (near.told[1:], far.told[1:]) == ([(5.0, "lost")], [(5.05, ConnectionResetError)])
    assert world.leftovers == ["listener 192.0.2.2:5060"]


def test_a_partition_is_silence_and_what_was_written_arrives_when_it_heals() -> None:
    world, near, far = connected()
    world.network.partition({ALICE[0]}, {BOB[0]})
    near.stream.write(b"one ")
    near.stream.write(b"two")
    world.run(10)
    world.network.heal()
    world.run(10)
    assert far.told[1:] == [(17.6, b"one "), (17.6, b"two")]  # 0.2 s doubled six times after 5 s
    assert near.news == ["made"]


def test_a_partition_for_ever_is_a_timeout_for_the_end_that_has_something_to_say() -> None:
    world, near, far = connected()
    world.network.partition({ALICE[0]}, {BOB[0]})
    near.stream.write(MESSAGE)
    world.settle()
    assert near.told[1:] == [(929.6, TimeoutError)]
    assert far.news == ["made"]  # TCP has nothing to tell an end that only listens


def test_what_a_partition_catches_under_way_is_sent_again() -> None:
    world, near, far = connected(Link(delay=0.1))
    near.stream.write(MESSAGE)
    world.run(0.05)
    world.network.partition({ALICE[0]}, {BOB[0]})
    world.run(0.1)
    world.network.heal()
    world.settle()
    assert far.told[1:] == [(5.4, MESSAGE)]


def test_an_end_that_vanished_answers_with_a_reset_once_its_host_is_back() -> None:
    world, near, far = connected()
    far.stream.vanish()
    world.network.down(BOB[0])
    near.stream.write(MESSAGE)
    world.run(10)
    assert near.news == ["made"]
    world.network.up(BOB[0])
    world.settle()
    assert (near.news, far.news) == (["made", ConnectionResetError], ["made"])


# --- closing ---


def test_a_close_sends_what_was_written_and_ends_both() -> None:
    world, near, far = connected(Link(delay=0.05))
    near.stream.write(MESSAGE)
    near.stream.close()
    assert near.stream.is_closing()
    world.settle()
    assert near.told[1:] == [(5.0, "lost")]
    assert far.told[1:] == [(5.05, MESSAGE), (5.05, "eof"), (5.05, "lost")]


def test_a_half_open_connection_goes_on_in_the_other_direction() -> None:
    world, near, far = connected(stays_half_open=True)
    near.stream.write_eof()
    world.run()
    far.stream.write(MESSAGE)
    world.run()
    assert (near.news, far.news) == (["made", MESSAGE], ["made", "eof"])
    with pytest.raises(RuntimeError, match="write_eof"):
        near.stream.write(b"more")
    far.stream.close()
    world.settle()
    assert (near.news[2:], far.news[2:]) == (["eof", "lost"], ["lost"])


def test_what_is_written_to_an_end_that_closed_is_answered_by_a_reset() -> None:
    world, near, far = connected(Link(delay=0.05), stays_half_open=True)
    near.stream.close()
    world.run(1)
    far.stream.write(MESSAGE)
    world.settle()
    assert far.told[1:] == [(5.05, "eof"), (6.1, ConnectionResetError)]
    far.stream.write(b"into the void")
    far.stream.close()
    far.stream.abort()
    world.settle()
    assert far.news == ["made", "eof", ConnectionResetError]


def test_both_close_at_the_same_moment() -> None:
    world, near, far = connected(Link(delay=0.05))
    near.stream.close()
    far.stream.close()
    world.settle()
    assert (near.news, far.news) == (["made", "lost"], ["made", "lost"])


# --- data ---


@pytest.mark.parametrize("seed", range(20))
def test_loss_and_reordering_only_delay(seed: int) -> None:
    world, near, far = connected(BAD, seed=seed)
    numbers = b"".join(b"%d " % number for number in range(200))
    for place in range(0, len(numbers), 7):
        near.stream.write(numbers[place : place + 7])
        far.stream.write(numbers[place : place + 7])
    near.stream.write_eof()
    world.settle()
    assert b"".join(far.data) == b"".join(near.data) == numbers
    assert (far.news[-2:], near.news[-2:]) == (["eof", "lost"], ["eof", "lost"])


@pytest.mark.parametrize("place", range(1, len(MESSAGE)))
def test_two_writes_are_received_apart(place: int) -> None:
    """So a test of framing can try every split."""
    world, near, far = connected()
    near.stream.write(MESSAGE[:place])
    near.stream.write(MESSAGE[place:])
    world.run()
    assert far.data == [MESSAGE[:place], MESSAGE[place:]]


@pytest.mark.parametrize(("cut", "most"), [(uncut, 1), (octet_by_octet, len(MESSAGE)), (anywhere, 4)])
def test_the_cut_decides_on_the_pieces(cut: Cut, most: int) -> None:
    world, near, far = connected()
    world.streams.cut = cut
    pieces = []
    for _ in range(50):
        seen = len(far.data)
        near.stream.write(MESSAGE)
        world.run()
        pieces.append(far.data[seen:])
    assert {b"".join(each) for each in pieces} == {MESSAGE}
    assert max(len(each) for each in pieces) == most


def test_one_octet_cannot_be_cut() -> None:
    world, near, far = connected()
    world.streams.cut = anywhere
    near.stream.write(b"x")
    near.stream.write(b"")
    world.run()
    assert far.data == [b"x"]


def test_data_behind_a_lost_segment_waits_for_it_and_comes_in_one_piece() -> None:
    world, near, far = connected()
    world.network.set_link(Link(loss=1.0), source=ALICE[0])
    near.stream.write(b"one ")
    world.network.set_link(Link(), source=ALICE[0])
    near.stream.write(b"two ")
    near.stream.write(b"three")
    world.settle()
    assert far.told[1:] == [(5.2, b"one two three")]


def test_the_ladder_shows_what_was_written_under_the_names_of_the_hosts() -> None:
    world, near, _ = connected()
    world.names |= {"alice.test": [ALICE[0]], "bob.test": [BOB[0]]}
    near.stream.write(MESSAGE)
    near.stream.close()
    world.settle()
    assert world.ladder() == ladder("alice -> bob    OPTIONS sip:bob@192.0.2.2 [1]")


# --- the seed, and the loop ---


def traced(seed: int) -> list[Passage]:
    world, near, far = connected(BAD, seed=seed)
    world.streams.cut = anywhere
    for number in range(30):
        world.later(number / 10, lambda: near.stream.write(MESSAGE))
        world.later(number / 10, lambda: far.stream.write(MESSAGE))
    world.settle()
    return world.trace


def test_the_same_seed_gives_the_same_trace() -> None:
    assert traced(1) == traced(1)
    assert traced(1) != traced(2)


def test_streams_change_nothing_for_datagrams() -> None:
    def datagrams(with_stream: bool) -> list[Passage]:
        world = World(BAD, seed=3)
        if with_stream:
            world.streams.connect(("192.0.2.3", 0), BOB, End(world))
        for number in range(50):
            world.at(number, lambda: world.send(ALICE, BOB, b"datagram"))
        world.settle()
        return [passage for passage in world.trace if passage.data]

    assert datagrams(True) == datagrams(False)


def test_asyncio_streams_run_on_it_under_the_loop() -> None:
    async def main() -> tuple[bytes, float]:
        world = World(Link(delay=0.1))
        loop = asyncio.get_running_loop()

        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            writer.close()

        def protocol(served: Callable[..., Any] | None = None) -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(), served)

        world.streams.listen(*BOB, lambda: protocol(upper))
        reader = asyncio.StreamReader()
        client = asyncio.StreamReaderProtocol(reader)
        stream = world.streams.connect(ALICE, BOB, client)
        stream.write(b"hello\n")
        answer = await reader.read()
        stream.close()
        await asyncio.sleep(1)
        assert world.streams.streams == []
        return answer, round(loop.time() - 1, 3)

    assert run(main()) == (b"HELLO\n", 0.2)


def test_an_end_and_its_addresses() -> None:
    world, near, far = connected()
    assert (near.stream.get_extra_info("sockname"), near.stream.get_extra_info("peername")) == (ALICE, BOB)
    assert near.stream.peer is far.stream
    assert near.stream.can_write_eof()
    other = End(world)
    near.stream.set_protocol(other)
    assert near.stream.get_protocol() is other
    far.stream.write(b"x")
    world.run()
    assert (other.data, near.data) == ([b"x"], [])
    assert repr(near.stream) == "<SimulatedStream 192.0.2.1:49152 to 192.0.2.2:5060>"
    near.stream.close()
    assert repr(near.stream) == "<SimulatedStream 192.0.2.1:49152 to 192.0.2.2:5060 closed>"
    assert isinstance(world.clock, ManualClock)
