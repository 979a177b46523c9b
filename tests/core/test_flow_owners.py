"""Who is told when a flow is gone."""

from __future__ import annotations

import attrs

from sipstack.core.flow_owners import FlowOwners
from sipstack.errors import FlowClosed, InternalError, SipError, TransportError
from sipstack.transaction.flow import Flow

FLOW = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.9", 5060), True, connection=1)
NEXT = attrs.evolve(FLOW, connection=2)
GONE = FlowClosed("connection reset")


class Owner:
    def __init__(self, fault: Exception | None = None) -> None:
        self.told: list[tuple[Flow, TransportError, float]] = []
        self._fault = fault

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        self.told.append((flow, error, now))
        if self._fault is not None:
            raise self._fault


def owners() -> tuple[FlowOwners, list[Exception]]:
    faults: list[Exception] = []

    def fault(error: Exception) -> SipError:
        faults.append(error)
        return InternalError("")

    return FlowOwners(fault), faults


def test_each_owner_is_told_once() -> None:
    table, _ = owners()
    one, other = Owner(), Owner()
    for owner in (one, other, one):
        table.hold(FLOW, owner)
    table.failed(FLOW, GONE, 1.0)
    table.failed(FLOW, GONE, 2.0)
    assert (one.told, other.told, table.flows()) == ([(FLOW, GONE, 1.0)], [(FLOW, GONE, 1.0)], [])


def test_who_has_released_it_is_not_told() -> None:
    table, _ = owners()
    one, other = Owner(), Owner()
    table.hold(FLOW, one)
    table.hold(FLOW, other)
    table.release(FLOW, one)
    table.release(FLOW, one)
    table.release(NEXT, other)
    table.failed(FLOW, GONE, 1.0)
    assert (one.told, len(other.told)) == ([], 1)


def test_the_end_of_a_connection_says_nothing_of_its_successor() -> None:
    table, _ = owners()
    owner = Owner()
    table.hold(NEXT, owner)
    table.failed(FLOW, GONE, 1.0)
    assert (owner.told, table.flows()) == ([], [NEXT])
    table.release(NEXT, owner)
    assert table.flows() == []


def test_the_fault_of_one_owner_is_reported_and_the_others_are_told() -> None:
    table, faults = owners()
    broken, fine = Owner(ValueError("odd")), Owner()
    table.hold(FLOW, broken)
    table.hold(FLOW, fine)
    table.failed(FLOW, GONE, 1.0)
    assert (len(fine.told), [str(fault) for fault in faults]) == (1, ["odd"])
