"""The non-INVITE server transaction: RFC 3261 figure 8, state by state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack.errors import FlowClosed, LocalProtocolError
from sipstack.transaction.effects import NOTHING, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import State
from sipstack.transaction.server import ServerTransaction
from tests.transaction.examples import TCP, TIMERS, UDP, Situation, left_alone

TRYING, PROCEEDING, COMPLETED, TERMINATED = State.TRYING, State.PROCEEDING, State.COMPLETED, State.TERMINATED

ALIVE, OK = Send(b"183"), Send(b"200")
CLOSED = Fail(FlowClosed(""))
ILLEGAL: Effects = (Fail(LocalProtocolError("")),)  # in the tables: the input raises

Machine = ServerTransaction


def trying(flow: Flow) -> Machine:
    return Machine("key", flow, TIMERS)


def proceeding(flow: Flow) -> Machine:
    machine = trying(flow)
    assert machine.respond(183, b"183", 0.1) == (ALIVE,)
    return machine


def completed(flow: Flow) -> Machine:
    machine = trying(flow)
    assert machine.respond(200, b"200", 1.0) == (OK,)
    return machine


def terminated(flow: Flow) -> Machine:
    machine = completed(flow)
    left_alone(machine)
    return machine


STATES = {TRYING: trying, PROCEEDING: proceeding, COMPLETED: completed, TERMINATED: terminated}


def _respond(machine: Machine, status: int) -> Effects:
    try:
        return machine.respond(status, b"%d" % status, 2.0)
    except LocalProtocolError as error:
        return (Fail(error),)


INPUTS: dict[str, Callable[[Machine], Effects]] = {
    "request": lambda machine: machine.receive(2.0),
    "1xx": lambda machine: _respond(machine, 183),
    "2xx-6xx": lambda machine: _respond(machine, 200),
    "transport error": lambda machine: machine.transport_failed(FlowClosed("gone"), 2.0),
    "too early": lambda machine: machine.timeout(32.9),
    "Timer J": lambda machine: machine.timeout(33.0),
}

DONE, ENDED = Situation(COMPLETED, expires_at=33.0), Situation(TERMINATED)

# state, input, effects, and the situation after it: state, next retransmission, end of the state
UNRELIABLE: list[tuple[State, str, Effects, Situation]] = [
    (TRYING, "request", NOTHING, Situation(TRYING)),
    (TRYING, "1xx", (ALIVE,), Situation(PROCEEDING)),
    (TRYING, "2xx-6xx", (OK,), Situation(COMPLETED, expires_at=34.0)),
    (TRYING, "transport error", (CLOSED,), Situation(TRYING)),
    (TRYING, "too early", NOTHING, Situation(TRYING)),
    (TRYING, "Timer J", NOTHING, Situation(TRYING)),
    (PROCEEDING, "request", (ALIVE,), Situation(PROCEEDING)),
    (PROCEEDING, "1xx", (ALIVE,), Situation(PROCEEDING)),
    (PROCEEDING, "2xx-6xx", (OK,), Situation(COMPLETED, expires_at=34.0)),
    (PROCEEDING, "transport error", (CLOSED,), Situation(PROCEEDING)),
    (PROCEEDING, "too early", NOTHING, Situation(PROCEEDING)),
    (PROCEEDING, "Timer J", NOTHING, Situation(PROCEEDING)),
    (COMPLETED, "request", (OK,), DONE),
    (COMPLETED, "1xx", ILLEGAL, DONE),
    (COMPLETED, "2xx-6xx", ILLEGAL, DONE),
    (COMPLETED, "transport error", (CLOSED,), DONE),
    (COMPLETED, "too early", NOTHING, DONE),
    (COMPLETED, "Timer J", NOTHING, ENDED),
    (TERMINATED, "request", NOTHING, ENDED),
    (TERMINATED, "1xx", ILLEGAL, ENDED),
    (TERMINATED, "2xx-6xx", ILLEGAL, ENDED),
    (TERMINATED, "transport error", (CLOSED,), ENDED),
    (TERMINATED, "too early", NOTHING, ENDED),
    (TERMINATED, "Timer J", NOTHING, ENDED),
]

# over a reliable flow Timer J is zero: Completed is left at once
RELIABLE: list[tuple[State, str, Effects, Situation]] = [
    *(row for row in UNRELIABLE if row[0] is not COMPLETED and row[3].state is not COMPLETED),
    (TRYING, "2xx-6xx", (OK,), ENDED),
    (PROCEEDING, "2xx-6xx", (OK,), ENDED),
]


@pytest.mark.parametrize(("state", "given", "effects", "after"), UNRELIABLE)
def test_over_an_unreliable_flow(state: State, given: str, effects: Effects, after: Situation) -> None:
    machine = STATES[state](UDP)
    assert machine.state is state
    assert (INPUTS[given](machine), Situation.of(machine)) == (effects, after)


@pytest.mark.parametrize(("state", "given", "effects", "after"), RELIABLE)
def test_over_a_reliable_flow(state: State, given: str, effects: Effects, after: Situation) -> None:
    machine = STATES[state](TCP)
    assert machine.state is state
    assert (INPUTS[given](machine), Situation.of(machine)) == (effects, after)


def test_the_tables_are_complete() -> None:
    every = sorted((state.name, name) for state in STATES for name in INPUTS)
    assert sorted((row[0].name, row[1]) for row in UNRELIABLE) == every
    lasting = [cell for cell in every if cell[0] != "COMPLETED"]
    assert sorted((row[0].name, row[1]) for row in RELIABLE) == lasting


def test_nothing_is_sent_by_timers_it_is_the_client_that_repeats() -> None:
    assert left_alone(trying(UDP)) == []
    assert left_alone(proceeding(UDP)) == []


def test_timer_j_keeps_the_response_for_64_t1() -> None:
    assert left_alone(completed(UDP), start=1.0) == [(32.0, NOTHING)]
