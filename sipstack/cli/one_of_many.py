"""One call of many, for whoever carries it out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import attrs

from sipstack.cli.report import FAILURES, Event, Teller
from sipstack.cli.summary import Tally


class OneOfMany:
    """Numbers the events of one call, and counts the time until its answer. With ``quiet`` nothing but a
    failure is reported.
    """

    def __init__(self, report: Teller, number: int, tally: Tally, *, quiet: bool) -> None:
        self.call_id: str | None = None
        self._report = report
        self._number = number
        self._tally = tally
        self._quiet = quiet

    @property
    def report(self) -> Teller:
        return self

    def __call__(self, event: Event) -> None:
        if event.answered_after is not None:
            self._tally.answered(event.answered_after)
        if event.event in FAILURES or not self._quiet:
            self._report(attrs.evolve(event, number=self._number))

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        """Others wait at the same time: the terminal has one line for all of them."""
        return nullcontext()
