"""The protocol between dialogs and who keeps their sessions beyond this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs

from sipstack.outcome import Outcome

if TYPE_CHECKING:
    from sipstack.dialog.usages import DialogUsages


Then = Callable[[Outcome, float], None]
"""What waits for the outcome: it is called once, with the time."""
TAKEN_OVER = "another process has taken the call over"
"""Why a session ends where it was a conflict."""


class Keeper(Protocol):
    """Keeps the session of a dialog. What makes the peer rely on a new state waits until that is kept."""

    def settle(self, usages: DialogUsages, then: Then, now: float) -> None:
        """The session has a new stable state: keep it, and call ``then``, in a bounded time in any case."""

    def forget(self, usages: DialogUsages, then: Then, patience: float, now: float, *, by_peer: bool) -> None:
        """The session is over: nobody may go on with it. ``then`` is called after ``patience`` seconds at the
        latest; the store is asked for longer. ``by_peer``: the peer has ended it, whoever has it now; else it
        is a conflict where another process does.
        """

    def delays(self, usages: DialogUsages, then: Then) -> bool:
        """Whether the peer is to hear something first, a 2xx or an ACK, that waits for the store: then
        ``then`` is called once that is out.
        """

    def refused(self, usages: DialogUsages) -> None:
        """The peer has refused an offer of ours: the session is as it was."""

    def holds(self, usages: DialogUsages) -> bool:
        """Whether it may be kept somewhere, so that it has to be forgotten."""

    def is_settled(self, usages: DialogUsages) -> bool:
        """Whether its present state is kept, and nothing is on its way."""

    def release(self, usages: DialogUsages) -> None:
        """It is not ours any more, and not over: what is kept stays."""


@attrs.frozen
class Noting:
    """A request of the peer that is taken once it is noted. Requests of ours need not wait behind that."""

    take: Then

    def __call__(self, outcome: Outcome, now: float) -> None:
        self.take(outcome, now)


def nothing(outcome: Outcome, now: float) -> None:
    """Nobody waits."""
