"""All four machines under random histories of inputs and times (RFC 3261 §17, RFC 6026)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import FlowClosed, LocalProtocolError
from sipstack.transaction.client import ClientTransaction
from sipstack.transaction.effects import Effects, Send
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.machine import State, Transaction
from sipstack.transaction.server import ServerTransaction
from tests.transaction.examples import TCP, TIMERS, UDP, User, left_alone, request, response

INVITE, OPTIONS = request("INVITE"), request("OPTIONS")
STATUSES = (100, 180, 183, 200, 202, 302, 401, 486, 503, 600)

flows = st.sampled_from([UDP, TCP])
pauses = st.one_of(st.just(0.0), st.floats(0.0, 40.0), st.sampled_from([0.2, 0.5, 1.0, 4.0, 5.0, 32.0]))
inputs = st.one_of(
    st.sampled_from(["request", "ack", "error", "give up", "wait", "wait", "wait"]), st.sampled_from(STATUSES)
)
histories = st.lists(st.tuples(pauses, inputs), max_size=25)

Input = Callable[[object, float], Effects]


def play(machine: Transaction, history: list[tuple[float, object]], put: Input) -> float:
    """Run a history with all timers on time; the time at its end. Checks every invariant on the way."""
    now = 0.0
    for pause, what in history:
        now += pause
        while machine.deadline <= now:
            at = machine.deadline
            check(machine, machine.timeout, at)
            assert machine.deadline > at, "a deadline in the past"
        if what != "wait":
            check(machine, partial(put, what), now)
    return now


def check(machine: Transaction, give: Callable[[float], Effects], now: float) -> None:
    over = machine.state is State.TERMINATED
    with contextlib.suppress(LocalProtocolError):
        effects = give(now)
        assert not (over and any(isinstance(effect, Send) for effect in effects)), "sent after the end"
    assert not over or machine.state is State.TERMINATED, "back from the dead"
    assert machine.state is not State.TERMINATED or machine.deadline == math.inf, "the dead wait for nothing"


def client_input(machine: InviteClientTransaction | ClientTransaction, what: object, now: float) -> Effects:
    match what:
        case int(status):
            asked = INVITE if isinstance(machine, InviteClientTransaction) else OPTIONS
            return machine.receive(response(asked, status), now)
        case "error":
            return machine.transport_failed(FlowClosed("gone"), now)
        case "give up" if isinstance(machine, InviteClientTransaction):
            machine.give_up(now)
    return ()


def server_input(machine: InviteServerTransaction | ServerTransaction, what: object, now: float) -> Effects:
    match what:
        case int(status):
            return machine.respond(status, b"%d" % status, now)
        case "request":
            return machine.receive(now)
        case "error":
            return machine.transport_failed(FlowClosed("gone"), now)
        case "ack" if isinstance(machine, InviteServerTransaction):
            machine.acknowledge(now)
    return ()


@given(flows, histories)
def test_the_invite_client(flow: object, history: list[tuple[float, object]]) -> None:
    assert flow is UDP or flow is TCP
    machine = InviteClientTransaction("key", flow, TIMERS, INVITE, User())
    machine.start(0.0)
    now = play(machine, history, lambda what, time: client_input(machine, what, time))
    machine.give_up(now)
    left_alone(machine)
    assert machine.state is State.TERMINATED


@given(flows, histories)
def test_the_client(flow: object, history: list[tuple[float, object]]) -> None:
    assert flow is UDP or flow is TCP
    machine = ClientTransaction("key", flow, TIMERS, OPTIONS, User())
    machine.start(0.0)
    play(machine, history, lambda what, time: client_input(machine, what, time))
    left_alone(machine)
    assert machine.state is State.TERMINATED


@given(flows, histories)
def test_the_invite_server(flow: object, history: list[tuple[float, object]]) -> None:
    assert flow is UDP or flow is TCP
    machine = InviteServerTransaction("key", flow, TIMERS, INVITE, 0.0)
    now = play(machine, history, lambda what, time: server_input(machine, what, time))
    with contextlib.suppress(LocalProtocolError):
        machine.respond(480, b"480", now)  # its user owes a final response
    left_alone(machine)
    assert machine.state is State.TERMINATED


@given(flows, histories)
def test_the_server(flow: object, history: list[tuple[float, object]]) -> None:
    assert flow is UDP or flow is TCP
    machine = ServerTransaction("key", flow, TIMERS)
    now = play(machine, history, lambda what, time: server_input(machine, what, time))
    with contextlib.suppress(LocalProtocolError):
        machine.respond(480, b"480", now)  # its user owes a final response
    left_alone(machine)
    assert machine.state is State.TERMINATED
