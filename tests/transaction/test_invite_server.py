"""The INVITE server transaction: RFC 3261 figure 7 as changed by RFC 6026 figure 3, state by state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack.errors import FlowClosed, LocalProtocolError, TransactionTimeout
from sipstack.transaction.effects import NOTHING, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.machine import State
from tests.transaction.examples import TCP, TIMERS, UDP, Situation, left_alone, request

PROCEEDING, ACCEPTED, COMPLETED = State.PROCEEDING, State.ACCEPTED, State.COMPLETED
CONFIRMED, TERMINATED = State.CONFIRMED, State.TERMINATED

INVITE = request("INVITE")
TRYING = Send(bytes(INVITE.response(100)))
RINGING, OK, BUSY = Send(b"180"), Send(b"200"), Send(b"486")
TIMEOUT, CLOSED = Fail(TransactionTimeout("")), Fail(FlowClosed(""))
ILLEGAL: Effects = (Fail(LocalProtocolError("")),)  # in the tables: the input raises

Machine = InviteServerTransaction


def fresh(flow: Flow) -> Machine:
    """The INVITE came at 0 s; nothing is sent yet."""
    return Machine("key", flow, TIMERS, INVITE, 0.0)


def proceeding(flow: Flow) -> Machine:
    machine = fresh(flow)
    assert machine.respond(180, b"180", 0.1) == (RINGING,)
    return machine


def accepted(flow: Flow) -> Machine:
    machine = proceeding(flow)
    assert machine.respond(200, b"200", 1.0) == (OK,)
    return machine


def completed(flow: Flow) -> Machine:
    machine = proceeding(flow)
    assert machine.respond(486, b"486", 1.0) == (BUSY,)
    return machine


def confirmed(flow: Flow) -> Machine:
    machine = completed(flow)
    assert machine.acknowledge(1.2) is False
    return machine


def terminated(flow: Flow) -> Machine:
    machine = completed(flow)
    left_alone(machine)
    return machine


STATES: dict[str, Callable[[Flow], Machine]] = {
    "PROCEEDING, silent": fresh,
    "PROCEEDING": proceeding,
    "ACCEPTED": accepted,
    "COMPLETED": completed,
    "CONFIRMED": confirmed,
    "TERMINATED": terminated,
}


def _respond(machine: Machine, status: int) -> Effects:
    try:
        return machine.respond(status, b"%d" % status, 2.0)
    except LocalProtocolError as error:
        return (Fail(error),)


def _acknowledge(machine: Machine) -> Effects:
    """ACK is for the user in Accepted alone."""
    assert machine.acknowledge(2.0) is (machine.state is ACCEPTED)
    return NOTHING


INPUTS: dict[str, Callable[[Machine], Effects]] = {
    "INVITE": lambda machine: machine.receive(2.0),
    "ACK": _acknowledge,
    "1xx": lambda machine: _respond(machine, 180),
    "2xx": lambda machine: _respond(machine, 200),
    "3xx-6xx": lambda machine: _respond(machine, 486),
    "transport error": lambda machine: machine.transport_failed(FlowClosed("gone"), 2.0),
    "too early": lambda machine: machine.timeout(0.1),
    "200 ms": lambda machine: machine.timeout(0.2),
    "Timer G": lambda machine: machine.timeout(1.5),
    "Timer H or L": lambda machine: machine.timeout(33.0),
    "Timer I": lambda machine: machine.timeout(6.2),
}

TIMES = ("too early", "200 ms", "Timer G", "Timer H or L", "Timer I")
SILENT, ENDED = Situation(PROCEEDING, 0.2), Situation(TERMINATED)
WAITING, LASTING = Situation(PROCEEDING), Situation(ACCEPTED, expires_at=33.0)
REFUSED, ACKED = Situation(COMPLETED, 1.5, 33.0), Situation(CONFIRMED, expires_at=6.2)

# state, input, effects, and the situation after it: state, next retransmission, end of the state
UNRELIABLE: list[tuple[str, str, Effects, Situation]] = [
    ("PROCEEDING, silent", "INVITE", NOTHING, SILENT),
    ("PROCEEDING, silent", "ACK", NOTHING, SILENT),
    ("PROCEEDING, silent", "1xx", (RINGING,), WAITING),
    ("PROCEEDING, silent", "2xx", (OK,), Situation(ACCEPTED, expires_at=34.0)),
    ("PROCEEDING, silent", "3xx-6xx", (BUSY,), Situation(COMPLETED, 2.5, 34.0)),
    ("PROCEEDING, silent", "transport error", (CLOSED,), SILENT),
    ("PROCEEDING, silent", "too early", NOTHING, SILENT),
    ("PROCEEDING, silent", "200 ms", (TRYING,), WAITING),
    ("PROCEEDING, silent", "Timer G", (TRYING,), WAITING),
    ("PROCEEDING, silent", "Timer H or L", (TRYING,), WAITING),
    ("PROCEEDING, silent", "Timer I", (TRYING,), WAITING),
    ("PROCEEDING", "INVITE", (RINGING,), WAITING),
    ("PROCEEDING", "ACK", NOTHING, WAITING),
    ("PROCEEDING", "1xx", (RINGING,), WAITING),
    ("PROCEEDING", "2xx", (OK,), Situation(ACCEPTED, expires_at=34.0)),
    ("PROCEEDING", "3xx-6xx", (BUSY,), Situation(COMPLETED, 2.5, 34.0)),
    ("PROCEEDING", "transport error", (CLOSED,), WAITING),
    *(("PROCEEDING", name, NOTHING, WAITING) for name in TIMES),
    ("ACCEPTED", "INVITE", NOTHING, LASTING),  # RFC 6026 §7.1: the 2xx is repeated by its user
    ("ACCEPTED", "ACK", NOTHING, LASTING),
    ("ACCEPTED", "1xx", ILLEGAL, LASTING),
    ("ACCEPTED", "2xx", (OK,), LASTING),
    ("ACCEPTED", "3xx-6xx", ILLEGAL, LASTING),
    ("ACCEPTED", "transport error", (CLOSED,), LASTING),
    ("ACCEPTED", "too early", NOTHING, LASTING),
    ("ACCEPTED", "200 ms", NOTHING, LASTING),
    ("ACCEPTED", "Timer G", NOTHING, LASTING),
    ("ACCEPTED", "Timer H or L", NOTHING, ENDED),
    ("ACCEPTED", "Timer I", NOTHING, LASTING),
    ("COMPLETED", "INVITE", (BUSY,), REFUSED),
    ("COMPLETED", "ACK", NOTHING, Situation(CONFIRMED, expires_at=7.0)),
    ("COMPLETED", "1xx", ILLEGAL, REFUSED),
    ("COMPLETED", "2xx", ILLEGAL, REFUSED),
    ("COMPLETED", "3xx-6xx", ILLEGAL, REFUSED),
    ("COMPLETED", "transport error", (CLOSED,), REFUSED),
    ("COMPLETED", "too early", NOTHING, REFUSED),
    ("COMPLETED", "200 ms", NOTHING, REFUSED),
    ("COMPLETED", "Timer G", (BUSY,), Situation(COMPLETED, 2.5, 33.0)),
    ("COMPLETED", "Timer H or L", (TIMEOUT,), ENDED),
    ("COMPLETED", "Timer I", (BUSY,), Situation(COMPLETED, 7.2, 33.0)),  # a late Timer G
    ("CONFIRMED", "INVITE", NOTHING, ACKED),
    ("CONFIRMED", "ACK", NOTHING, ACKED),
    ("CONFIRMED", "1xx", ILLEGAL, ACKED),
    ("CONFIRMED", "2xx", ILLEGAL, ACKED),
    ("CONFIRMED", "3xx-6xx", ILLEGAL, ACKED),
    ("CONFIRMED", "transport error", (CLOSED,), ACKED),
    ("CONFIRMED", "too early", NOTHING, ACKED),
    ("CONFIRMED", "200 ms", NOTHING, ACKED),
    ("CONFIRMED", "Timer G", NOTHING, ACKED),
    ("CONFIRMED", "Timer H or L", NOTHING, ENDED),
    ("CONFIRMED", "Timer I", NOTHING, ENDED),
    *(("TERMINATED", name, ILLEGAL, ENDED) for name in INPUTS if "xx" in name),
    ("TERMINATED", "transport error", (CLOSED,), ENDED),
    *(("TERMINATED", name, NOTHING, ENDED) for name in ("INVITE", "ACK", *TIMES)),
]

REFUSALS = ("COMPLETED", "CONFIRMED")
SENT_ONCE = Situation(COMPLETED, expires_at=33.0)

# over a reliable flow Timer G does not run, and Timer I is zero: Confirmed is left at once
RELIABLE: list[tuple[str, str, Effects, Situation]] = [
    *(row for row in UNRELIABLE if row[0] not in REFUSALS and row[3].state is not COMPLETED),
    ("PROCEEDING, silent", "3xx-6xx", (BUSY,), Situation(COMPLETED, expires_at=34.0)),
    ("PROCEEDING", "3xx-6xx", (BUSY,), Situation(COMPLETED, expires_at=34.0)),
    ("COMPLETED", "INVITE", (BUSY,), SENT_ONCE),
    ("COMPLETED", "ACK", NOTHING, ENDED),
    *(("COMPLETED", name, ILLEGAL, SENT_ONCE) for name in INPUTS if "xx" in name),
    ("COMPLETED", "transport error", (CLOSED,), SENT_ONCE),
    *(("COMPLETED", name, NOTHING, SENT_ONCE) for name in ("too early", "200 ms", "Timer G", "Timer I")),
    ("COMPLETED", "Timer H or L", (TIMEOUT,), ENDED),
]


@pytest.mark.parametrize(("state", "given", "effects", "after"), UNRELIABLE)
def test_over_an_unreliable_flow(state: str, given: str, effects: Effects, after: Situation) -> None:
    machine = STATES[state](UDP)
    assert machine.state.name == state.partition(",")[0]
    assert (INPUTS[given](machine), Situation.of(machine)) == (effects, after)


@pytest.mark.parametrize(("state", "given", "effects", "after"), RELIABLE)
def test_over_a_reliable_flow(state: str, given: str, effects: Effects, after: Situation) -> None:
    machine = STATES[state](TCP)
    assert (INPUTS[given](machine), Situation.of(machine)) == (effects, after)


def test_the_tables_are_complete() -> None:
    every = sorted((state, name) for state in STATES for name in INPUTS)
    assert sorted(row[:2] for row in UNRELIABLE) == every
    assert sorted(row[:2] for row in RELIABLE) == [cell for cell in every if cell[0] != "CONFIRMED"]


def test_100_goes_out_after_200_ms_of_silence_and_is_then_the_latest_response() -> None:
    machine = fresh(UDP)
    assert left_alone(machine) == [(0.2, (TRYING,))]
    assert machine.receive(0.6) == (TRYING,)


def test_a_provisional_in_time_makes_100_superfluous() -> None:
    machine = proceeding(UDP)
    assert left_alone(machine) == []
    assert machine.respond(183, b"183", 0.5) == (Send(b"183"),)
    assert machine.receive(0.6) == (Send(b"183"),)


def test_timer_g_doubles_up_to_t2_until_timer_h() -> None:
    sent = [(at, (BUSY,)) for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert left_alone(completed(UDP), start=1.0) == [*sent, (32.0, (TIMEOUT,))]


def test_over_a_reliable_flow_only_timer_h_runs() -> None:
    assert left_alone(completed(TCP), start=1.0) == [(32.0, (TIMEOUT,))]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_timer_l_lasts_64_t1_over_any_flow(flow: Flow) -> None:
    assert left_alone(accepted(flow), start=1.0) == [(32.0, NOTHING)]


def test_timer_i_absorbs_repeated_acks_for_t4() -> None:
    assert left_alone(confirmed(UDP), start=1.2) == [(5.0, NOTHING)]
