"""The non-INVITE client transaction: RFC 3261 figure 6, state by state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack.errors import FlowClosed, TransactionTimeout
from sipstack.transaction.client import ClientTransaction
from sipstack.transaction.effects import NOTHING, Deliver, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import State
from tests.transaction.examples import TCP, TIMERS, UDP, Situation, User, left_alone, request, response

TRYING, PROCEEDING, COMPLETED, TERMINATED = State.TRYING, State.PROCEEDING, State.COMPLETED, State.TERMINATED

OPTIONS = request("OPTIONS")
ALIVE, OK = response(OPTIONS, 183), response(OPTIONS, 200)
SEND = Send(bytes(OPTIONS))
TIMEOUT, CLOSED = Fail(TransactionTimeout("")), Fail(FlowClosed(""))

Machine = ClientTransaction


def trying(flow: Flow) -> Machine:
    """Started at 0 s."""
    machine = Machine("key", flow, TIMERS, OPTIONS, User())
    assert machine.start(0.0) == (SEND,)
    return machine


def proceeding(flow: Flow) -> Machine:
    machine = trying(flow)
    assert machine.receive(ALIVE, 0.1) == (Deliver(ALIVE),)
    return machine


def completed(flow: Flow) -> Machine:
    machine = trying(flow)
    assert machine.receive(OK, 0.1) == (Deliver(OK),)
    return machine


def terminated(flow: Flow) -> Machine:
    machine = completed(flow)
    left_alone(machine)
    return machine


STATES = {TRYING: trying, PROCEEDING: proceeding, COMPLETED: completed, TERMINATED: terminated}

INPUTS: dict[str, Callable[[Machine], Effects]] = {
    "1xx": lambda machine: machine.receive(ALIVE, 2.0),
    "2xx-6xx": lambda machine: machine.receive(OK, 2.0),
    "transport error": lambda machine: machine.transport_failed(FlowClosed("gone"), 2.0),
    "too early": lambda machine: machine.timeout(0.4),
    "Timer E": lambda machine: machine.timeout(0.5),
    "Timer F": lambda machine: machine.timeout(32.0),
    "Timer K": lambda machine: machine.timeout(5.1),
}

# state, input, effects, and the situation after it: state, next retransmission, end of the state
UNRELIABLE: list[tuple[State, str, Effects, Situation]] = [
    (TRYING, "1xx", (Deliver(ALIVE),), Situation(PROCEEDING, 0.5, 32.0)),
    (TRYING, "2xx-6xx", (Deliver(OK),), Situation(COMPLETED, expires_at=7.0)),
    (TRYING, "transport error", (CLOSED,), Situation(TERMINATED)),
    (TRYING, "too early", NOTHING, Situation(TRYING, 0.5, 32.0)),
    (TRYING, "Timer E", (SEND,), Situation(TRYING, 1.5, 32.0)),
    (TRYING, "Timer F", (TIMEOUT,), Situation(TERMINATED)),
    (TRYING, "Timer K", (SEND,), Situation(TRYING, 6.1, 32.0)),  # a late Timer E
    (PROCEEDING, "1xx", (Deliver(ALIVE),), Situation(PROCEEDING, 0.5, 32.0)),
    (PROCEEDING, "2xx-6xx", (Deliver(OK),), Situation(COMPLETED, expires_at=7.0)),
    (PROCEEDING, "transport error", (CLOSED,), Situation(TERMINATED)),
    (PROCEEDING, "too early", NOTHING, Situation(PROCEEDING, 0.5, 32.0)),
    (PROCEEDING, "Timer E", (SEND,), Situation(PROCEEDING, 4.5, 32.0)),  # reset with T2
    (PROCEEDING, "Timer F", (TIMEOUT,), Situation(TERMINATED)),
    (PROCEEDING, "Timer K", (SEND,), Situation(PROCEEDING, 9.1, 32.0)),  # a late Timer E
    (COMPLETED, "1xx", NOTHING, Situation(COMPLETED, expires_at=5.1)),
    (COMPLETED, "2xx-6xx", NOTHING, Situation(COMPLETED, expires_at=5.1)),
    (COMPLETED, "transport error", NOTHING, Situation(COMPLETED, expires_at=5.1)),
    (COMPLETED, "too early", NOTHING, Situation(COMPLETED, expires_at=5.1)),
    (COMPLETED, "Timer E", NOTHING, Situation(COMPLETED, expires_at=5.1)),
    (COMPLETED, "Timer F", NOTHING, Situation(TERMINATED)),
    (COMPLETED, "Timer K", NOTHING, Situation(TERMINATED)),
    *((TERMINATED, name, NOTHING, Situation(TERMINATED)) for name in INPUTS),
]

# over a reliable flow Timer E does not run, and Timer K is zero: Completed is left at once
UNANSWERED = (TRYING, PROCEEDING)
RELIABLE: list[tuple[State, str, Effects, Situation]] = [
    *((state, "1xx", (Deliver(ALIVE),), Situation(PROCEEDING, expires_at=32.0)) for state in UNANSWERED),
    *((state, "2xx-6xx", (Deliver(OK),), Situation(TERMINATED)) for state in UNANSWERED),
    *((state, "transport error", (CLOSED,), Situation(TERMINATED)) for state in UNANSWERED),
    *((state, "too early", NOTHING, Situation(state, expires_at=32.0)) for state in UNANSWERED),
    *((state, "Timer E", NOTHING, Situation(state, expires_at=32.0)) for state in UNANSWERED),
    *((state, "Timer K", NOTHING, Situation(state, expires_at=32.0)) for state in UNANSWERED),
    *((state, "Timer F", (TIMEOUT,), Situation(TERMINATED)) for state in UNANSWERED),
    *((TERMINATED, name, NOTHING, Situation(TERMINATED)) for name in INPUTS),
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
    lasting = sorted((state, name) for state, name in every if state != "COMPLETED")
    assert sorted((row[0].name, row[1]) for row in RELIABLE) == lasting


def test_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    sent = [(at, (SEND,)) for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert left_alone(trying(UDP)) == [*sent, (32.0, (TIMEOUT,))]


def test_after_a_provisional_timer_e_is_t2_each_time() -> None:
    sent = [(at, (SEND,)) for at in (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)]
    assert left_alone(proceeding(UDP)) == [*sent, (32.0, (TIMEOUT,))]


def test_over_a_reliable_flow_only_timer_f_runs() -> None:
    assert left_alone(trying(TCP)) == [(32.0, (TIMEOUT,))]
    assert left_alone(proceeding(TCP)) == [(32.0, (TIMEOUT,))]


def test_timer_k_absorbs_repeated_responses_for_t4() -> None:
    assert left_alone(completed(UDP)) == [(5.1, NOTHING)]
