"""Keep-alives: when they go out, and what becomes of a peer that does not answer (RFC 5626 §4.4)."""

from __future__ import annotations

import random

import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.keep_alive import PING, PONG, SHORTEST
from sipstack.core.outputs import Close, Target, Transmit, Transport
from sipstack.errors import FlowClosed, TransportError
from sipstack.identifiers import Identifiers
from sipstack.transaction.flow import Flow

HERE, THERE = ("192.0.2.1", 5060), ("198.51.100.1", 5060)
UDP = Flow("UDP", HERE, THERE)
TCP = Flow("TCP", HERE, THERE, reliable=True, connection=1)


class Owner:
    """A registration, whose flow stays."""

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """It is told, and does nothing."""


ALICE, BOB = Owner(), Owner()


class Bench:
    """A core whose time is turned by hand."""

    def __init__(self, keep_alive: float | None = 25.0) -> None:
        self.core = Core(Configuration(keep_alive=keep_alive), Identifiers(random.Random(1)))
        self.core.speak(Transport("TCP", reliable=True))
        self.core.flow_opened(Target("TCP", THERE), TCP, 0.0)

    def hold(self, flow: Flow, interval: float | None = None, owner: Owner = ALICE, now: float = 0.0) -> None:
        self.core.hold_flow(flow, owner, interval, now)

    def pings(self, until: float, *, answers: bool = False) -> list[float]:
        """The times at which a keep-alive goes out."""
        times: list[float] = []
        while (now := self.core.deadline) <= until:
            self.core.timeout(now)
            for output in self.core.outputs:
                if isinstance(output, Transmit):
                    assert output.data == PING
                    times.append(now)
                    if answers:
                        self.core.flow_alive(output.flow, now)
            if not any(isinstance(output, Close) for output in self.core.outputs):
                self.core.outputs.clear()
        return times

    def ping(self) -> float:
        """Let time pass until the next keep-alive goes out."""
        while not (sent := self.pings(self.core.deadline)):
            pass
        return sent[0]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]


@pytest.mark.parametrize(
    ("flow", "interval", "shortest", "longest"),
    [
        (UDP, None, 20.0, 25.0),
        (UDP, 60.0, 48.0, 60.0),
        (TCP, None, 96.0, 120.0),
        (TCP, 30.0, 24.0, 30.0),
        (TCP, 0.0, 0.8 * SHORTEST, SHORTEST),
    ],
)
def test_the_times_between_two(flow: Flow, interval: float | None, shortest: float, longest: float) -> None:
    bench = Bench()
    bench.hold(flow, interval)
    between = gaps(bench.pings(40 * longest))
    assert len(between) >= 40
    assert shortest <= min(between) < max(between) <= longest
    assert len(set(between)) == len(between)  # never in step


def test_our_own_interval() -> None:
    bench = Bench(keep_alive=10.0)
    bench.hold(UDP)
    assert 8.0 <= min(gaps(bench.pings(500.0))) < 10.0


def test_switched_off_nothing_is_sent() -> None:
    bench = Bench(keep_alive=None)
    bench.hold(UDP)
    bench.hold(TCP, 30.0)
    assert bench.pings(10_000.0) == []
    assert len(bench.core.keep_alives) == 0


# --- owners ---


def test_it_goes_on_until_the_last_owner_lets_go() -> None:
    bench = Bench()
    bench.hold(UDP)
    bench.hold(UDP, owner=BOB)
    bench.core.release_flow(UDP, ALICE)
    assert len(bench.pings(100.0)) >= 4
    bench.core.release_flow(UDP, ALICE)  # once more: nothing
    assert len(bench.pings(200.0)) >= 4
    bench.core.release_flow(UDP, BOB)
    assert bench.pings(1_000.0) == []
    assert (len(bench.core.keep_alives), bench.core.leftovers()) == (0, [])


def test_two_owners_get_no_two_keep_alives_and_the_shorter_interval() -> None:
    bench = Bench()
    bench.hold(TCP)
    bench.hold(TCP, 30.0, owner=BOB)
    assert 24.0 <= min(gaps(bench.pings(600.0))) <= 30.0


def test_who_holds_it_again_does_not_put_it_off() -> None:
    bench = Bench()
    bench.hold(UDP)
    first = bench.core.deadline
    for now in (5.0, 10.0, 15.0):
        bench.hold(UDP, now=now)
    assert bench.core.deadline == first


def test_releasing_what_nobody_holds() -> None:
    Bench().core.release_flow(UDP, ALICE)


# --- pongs ---


def test_a_peer_that_never_answered_need_not() -> None:
    """A server without outbound may ignore what is between two messages (RFC 3261 §7.5)."""
    bench = Bench()
    bench.hold(TCP)
    assert len(bench.pings(1_000.0)) >= 8
    assert bench.core.router.is_open(TCP)


def test_a_peer_that_has_answered_and_falls_silent_is_gone() -> None:
    bench = Bench()
    bench.hold(TCP)
    answered = bench.pings(1_000.0, answers=True)
    assert len(answered) >= 8
    unanswered = bench.ping()
    assert bench.pings(unanswered + PONG - 0.01) == []
    assert bench.core.router.is_open(TCP)
    assert bench.pings(unanswered + PONG) == []
    assert list(bench.core.outputs) == [Close(TCP)]
    assert not bench.core.router.is_open(TCP)
    assert (len(bench.core.keep_alives), bench.core.leftovers()) == (0, [])


def test_one_that_is_known_to_answer_must_from_the_first_on() -> None:
    bench = Bench()
    bench.core.keep_alives.hold(TCP, ALICE, None, 0.0, pong=True)
    ping = bench.ping()
    bench.pings(ping + PONG)
    assert list(bench.core.outputs) == [Close(TCP)]


def test_a_pong_that_comes_late_but_in_time_counts() -> None:
    bench = Bench()
    bench.core.keep_alives.hold(TCP, ALICE, None, 0.0, pong=True)
    ping = bench.ping()
    bench.core.flow_alive(TCP, ping + PONG - 0.1)
    assert bench.pings(ping + 90.0) == []
    assert bench.ping() <= ping + PONG + 120.0


def test_a_pong_of_a_flow_that_nobody_holds() -> None:
    bench = Bench()
    bench.core.flow_alive(TCP, 1.0)
    assert bench.pings(1_000.0) == []


def test_a_flow_that_fails_is_not_kept_alive() -> None:
    bench = Bench()
    bench.hold(TCP)
    bench.core.router.close(TCP)
    (close,) = bench.core.outputs
    bench.core.outputs.clear()
    bench.core.flow_failed(TCP, FlowClosed("connection reset"), 1.0)
    assert isinstance(close, Close)
    assert bench.pings(1_000.0) == []


def test_who_waits_for_an_answer_over_it_hears_that_the_peer_is_gone() -> None:
    bench = Bench()
    bench.core.keep_alives.hold(TCP, ALICE, None, 0.0, pong=True)
    ping = bench.ping()
    bench.core.standalone("OPTIONS", f"sip:{THERE[0]};transport=tcp").start(ping + 1.0)
    sent = [output.flow for output in bench.core.outputs if isinstance(output, Transmit)]
    assert sent == [TCP]
    bench.core.outputs.clear()
    while bench.core.deadline <= ping + PONG:
        bench.core.timeout(bench.core.deadline)
    closed, *opened = bench.core.outputs
    assert closed == Close(TCP)
    assert len(opened) == 1  # it looks for another connection


# --- those of peers ---


@pytest.mark.parametrize("data", [PING, b"\r\n", b"\n"])
def test_a_datagram_of_line_ends_is_no_malformed_message(data: bytes) -> None:
    core = Bench().core
    core.receive(UDP, data, 0.0)
    assert (core.counters.malformed, list(core.outputs)) == (0, [])


def test_other_garbage_is_counted() -> None:
    core = Bench().core
    core.receive(UDP, b"\r\nx", 0.0)
    assert core.counters.malformed == 1
