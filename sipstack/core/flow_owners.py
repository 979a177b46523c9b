"""Who needs which flow: they are told when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipstack.dialog.services import FlowOwner
from sipstack.errors import SipError, TransportError
from sipstack.transaction.flow import Flow


class FlowOwners:
    """A table of flows and their owners, such as the registrations whose calls come over a flow."""

    __slots__ = ("_fault", "_owners")

    def __init__(self, fault: Callable[[Exception], SipError]) -> None:
        """``fault`` reports an exception of an owner."""
        self._fault = fault
        self._owners: dict[Flow, dict[FlowOwner, None]] = {}

    def flows(self) -> list[Flow]:
        """Those that somebody holds."""
        return list(self._owners)

    def hold(self, flow: Flow, owner: FlowOwner) -> None:
        """``owner`` is told when ``flow`` is gone."""
        self._owners.setdefault(flow, {})[owner] = None

    def release(self, flow: Flow, owner: FlowOwner) -> None:
        """``owner`` does not need ``flow`` any more. Does nothing when it did not hold it."""
        owners = self._owners.get(flow, {})
        owners.pop(owner, None)
        if not owners:
            self._owners.pop(flow, None)

    def moved(self, moves: Mapping[Flow, Flow]) -> None:
        """Each of these flows has become another."""
        self._owners = {moves.get(flow, flow): owners for flow, owners in self._owners.items()}

    def failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The flow is gone, and nobody holds it any more. One owner's fault spoils nothing for the others."""
        if not self._owners:
            return
        for owner in self._owners.pop(flow, ()):
            try:
                owner.flow_failed(flow, error, now)
            except Exception as fault:
                self._fault(fault)
