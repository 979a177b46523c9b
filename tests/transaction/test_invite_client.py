"""The INVITE client transaction: RFC 3261 figure 5 as changed by RFC 6026 figure 1, state by state."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from sipstack.errors import FlowClosed, TransactionTimeout
from sipstack.transaction.effects import NOTHING, Deliver, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.machine import State
from sipstack.transaction.requests import ack_for
from tests.transaction.examples import TCP, TIMERS, UDP, Situation, User, left_alone, request, response

CALLING, PROCEEDING, ACCEPTED = State.CALLING, State.PROCEEDING, State.ACCEPTED
COMPLETED, TERMINATED = State.COMPLETED, State.TERMINATED

INVITE = request("INVITE")
RINGING, OK, BUSY = response(INVITE, 180), response(INVITE, 200), response(INVITE, 486)
SEND, ACK = Send(bytes(INVITE)), Send(bytes(ack_for(INVITE, BUSY)))
TIMEOUT, CLOSED = Fail(TransactionTimeout("")), Fail(FlowClosed(""))

Machine = InviteClientTransaction


def calling(flow: Flow) -> Machine:
    """Started at 0 s."""
    machine = Machine("key", flow, TIMERS, INVITE, User())
    assert machine.start(0.0) == (SEND,)
    return machine


def proceeding(flow: Flow) -> Machine:
    machine = calling(flow)
    assert machine.receive(RINGING, 0.1) == (Deliver(RINGING),)
    return machine


def accepted(flow: Flow) -> Machine:
    machine = proceeding(flow)
    assert machine.receive(OK, 1.0) == (Deliver(OK),)
    return machine


def completed(flow: Flow) -> Machine:
    machine = proceeding(flow)
    assert machine.receive(BUSY, 1.0) == (ACK, Deliver(BUSY))
    return machine


def terminated(flow: Flow) -> Machine:
    machine = completed(flow)
    left_alone(machine)
    return machine


STATES = {
    CALLING: calling,
    PROCEEDING: proceeding,
    ACCEPTED: accepted,
    COMPLETED: completed,
    TERMINATED: terminated,
}


def _give_up(machine: Machine) -> Effects:
    machine.give_up(2.0)
    return NOTHING


INPUTS: dict[str, Callable[[Machine], Effects]] = {
    "1xx": lambda machine: machine.receive(RINGING, 2.0),
    "2xx": lambda machine: machine.receive(OK, 2.0),
    "3xx-6xx": lambda machine: machine.receive(BUSY, 2.0),
    "transport error": lambda machine: machine.transport_failed(FlowClosed("gone"), 2.0),
    "given up": _give_up,
    "too early": lambda machine: machine.timeout(0.4),
    "Timer A": lambda machine: machine.timeout(0.5),
    "Timer B": lambda machine: machine.timeout(32.0),
    "Timer D or M": lambda machine: machine.timeout(33.0),
}

# state, input, effects, and the situation after it: state, next retransmission, end of the state
UNRELIABLE: list[tuple[State, str, Effects, Situation]] = [
    (CALLING, "1xx", (Deliver(RINGING),), Situation(PROCEEDING)),
    (CALLING, "2xx", (Deliver(OK),), Situation(ACCEPTED, expires_at=34.0)),
    (CALLING, "3xx-6xx", (ACK, Deliver(BUSY)), Situation(COMPLETED, expires_at=34.0)),
    (CALLING, "transport error", (CLOSED,), Situation(TERMINATED)),
    (CALLING, "given up", NOTHING, Situation(CALLING, 0.5, 32.0)),
    (CALLING, "too early", NOTHING, Situation(CALLING, 0.5, 32.0)),
    (CALLING, "Timer A", (SEND,), Situation(CALLING, 1.5, 32.0)),
    (CALLING, "Timer B", (TIMEOUT,), Situation(TERMINATED)),
    (CALLING, "Timer D or M", (TIMEOUT,), Situation(TERMINATED)),
    (PROCEEDING, "1xx", (Deliver(RINGING),), Situation(PROCEEDING)),
    (PROCEEDING, "2xx", (Deliver(OK),), Situation(ACCEPTED, expires_at=34.0)),
    (PROCEEDING, "3xx-6xx", (ACK, Deliver(BUSY)), Situation(COMPLETED, expires_at=34.0)),
    (PROCEEDING, "transport error", NOTHING, Situation(PROCEEDING)),
    (PROCEEDING, "given up", NOTHING, Situation(PROCEEDING, expires_at=34.0)),
    (PROCEEDING, "too early", NOTHING, Situation(PROCEEDING)),
    (PROCEEDING, "Timer A", NOTHING, Situation(PROCEEDING)),
    (PROCEEDING, "Timer B", NOTHING, Situation(PROCEEDING)),
    (PROCEEDING, "Timer D or M", NOTHING, Situation(PROCEEDING)),
    (ACCEPTED, "1xx", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "2xx", (Deliver(OK),), Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "3xx-6xx", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "transport error", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "given up", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "too early", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "Timer A", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "Timer B", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
    (ACCEPTED, "Timer D or M", NOTHING, Situation(TERMINATED)),
    (COMPLETED, "1xx", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "2xx", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "3xx-6xx", (ACK,), Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "transport error", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "given up", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "too early", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "Timer A", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "Timer B", NOTHING, Situation(COMPLETED, expires_at=33.0)),
    (COMPLETED, "Timer D or M", NOTHING, Situation(TERMINATED)),
    *((TERMINATED, name, NOTHING, Situation(TERMINATED)) for name in INPUTS),
]

# over a reliable flow Timer A does not run, and Timer D is zero: Completed is left at once
RELIABLE: list[tuple[State, str, Effects, Situation]] = [
    (CALLING, "1xx", (Deliver(RINGING),), Situation(PROCEEDING)),
    (CALLING, "2xx", (Deliver(OK),), Situation(ACCEPTED, expires_at=34.0)),
    (CALLING, "3xx-6xx", (ACK, Deliver(BUSY)), Situation(TERMINATED)),
    (CALLING, "transport error", (CLOSED,), Situation(TERMINATED)),
    (CALLING, "given up", NOTHING, Situation(CALLING, expires_at=32.0)),
    (CALLING, "too early", NOTHING, Situation(CALLING, expires_at=32.0)),
    (CALLING, "Timer A", NOTHING, Situation(CALLING, expires_at=32.0)),
    (CALLING, "Timer B", (TIMEOUT,), Situation(TERMINATED)),
    (CALLING, "Timer D or M", (TIMEOUT,), Situation(TERMINATED)),
    *(row for row in UNRELIABLE if row[0] is PROCEEDING and row[1] not in ("3xx-6xx", "transport error")),
    *(row for row in UNRELIABLE if row[0] is ACCEPTED and row[1] != "3xx-6xx"),
    (PROCEEDING, "3xx-6xx", (ACK, Deliver(BUSY)), Situation(TERMINATED)),
    (PROCEEDING, "transport error", (CLOSED,), Situation(TERMINATED)),
    (ACCEPTED, "3xx-6xx", NOTHING, Situation(ACCEPTED, expires_at=33.0)),
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


def test_timer_a_doubles_until_timer_b_ends_the_waiting() -> None:
    sent = [(at, (SEND,)) for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert left_alone(calling(UDP)) == [*sent, (32.0, (TIMEOUT,))]


def test_over_a_reliable_flow_only_timer_b_runs() -> None:
    assert left_alone(calling(TCP)) == [(32.0, (TIMEOUT,))]


def test_a_phone_may_ring_for_as_long_as_it_likes() -> None:
    assert left_alone(proceeding(UDP)) == []


def test_without_a_final_response_an_invite_that_was_given_up_ends_after_64_t1() -> None:
    machine = proceeding(UDP)
    machine.give_up(10.0)
    machine.give_up(20.0)  # once is enough
    assert machine.receive(RINGING, 30.0) == (Deliver(RINGING),)
    assert left_alone(machine) == [(42.0, (TIMEOUT,))]


def test_given_up_before_the_first_response_it_ends_64_t1_after_that() -> None:
    machine = calling(UDP)
    machine.give_up(0.2)
    assert machine.receive(RINGING, 5.0) == (Deliver(RINGING),)
    assert left_alone(machine) == [(37.0, (TIMEOUT,))]


def test_timer_m_lets_every_2xx_through_for_64_t1() -> None:
    machine = accepted(UDP)
    assert machine.receive(response(INVITE, 200, "fork"), 32.9) == (Deliver(response(INVITE, 200, "fork")),)
    assert left_alone(machine) == [(33.0, NOTHING)]
    assert machine.receive(OK, 33.1) == NOTHING


def test_timer_d_absorbs_repeated_refusals_for_32_seconds() -> None:
    machine = completed(UDP)
    assert machine.receive(BUSY, 32.9) == (ACK,)
    assert left_alone(machine) == [(33.0, NOTHING)]


def test_its_deadline_is_the_nearer_of_the_two_timers() -> None:
    machine = calling(UDP)
    assert machine.deadline == 0.5
    machine.receive(RINGING, 0.1)
    assert machine.deadline == inf


def test_its_repr_tells_state_and_key() -> None:
    assert repr(calling(UDP)) == "<InviteClientTransaction CALLING key>"
