"""A store of sessions for tests, shared by the cores that are given it: with outages, as late as you like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from sipstack.core.outputs import DialogKey, Forget, Load, Loaded, Store
from sipstack.outcome import Absent, Outcome
from sipstack.usage.invite.record import SessionRecord

if TYPE_CHECKING:
    from sipstack.testing.agent import CoreAgent


@attrs.define
class Entry:
    """What is kept of one session; ``record`` is None once it is over: a tombstone."""

    record: SessionRecord | None
    epoch: int


class SharedStore:
    """Answers in the same turn, unless ``waits``: then when ``answer`` says so; or after as many seconds as
    ``delay`` gives. ``down``: it fails; ``cut``: it does for these; ``largest``: octets of a description.
    """

    def __init__(self) -> None:
        self.entries: dict[DialogKey, Entry] = {}
        self.down = False
        self.largest = 65_536
        self.cut: set[str] = set()
        self.delay: Callable[[], float] | None = None
        self.waits = False
        self.writes = 0
        self._due: list[Callable[[], None]] = []

    def perform(self, agent: CoreAgent, output: Store | Forget | Load) -> None:
        """Do what the core of ``agent`` asks, and answer it."""
        if self.waits:
            self._due.append(lambda: self._perform(agent, output))
        elif self.delay is not None:
            agent.world.later(self.delay(), lambda: self._perform(agent, output))
        else:
            self._perform(agent, output)

    def answer(self) -> None:
        """Answer what has waited, and from now on at once."""
        self.waits = False
        due, self._due = self._due, []
        for each in due:
            each()

    def _perform(self, agent: CoreAgent, output: Store | Forget | Load) -> None:
        core, now = agent.core, agent.now
        down = self.down or agent.name in self.cut
        if isinstance(output, Load):
            core.loaded(output, Absent.FAILED if down else self._take_over(output), now)
        else:
            core.stored(output, Outcome.FAILED if down else self._write(output), now)

    def _write(self, output: Store | Forget) -> Outcome:
        entry = self.entries.get(output.key)
        if entry is not None and (entry.record is None or entry.epoch > output.epoch):
            return Outcome.CONFLICT
        self.writes += 1
        record = output.record if isinstance(output, Store) else None
        if record is not None and len(record.remote or b"") > self.largest:
            return Outcome.TOO_LARGE
        self.entries[output.key] = Entry(record, output.epoch)
        return Outcome.DONE

    def _take_over(self, load: Load) -> Loaded | Absent:
        entry = self.entries.get(load.key)
        if entry is None or entry.record is None or load.epoch not in (None, entry.epoch):
            return Absent.UNKNOWN
        entry.epoch += 1
        return Loaded(attrs.evolve(entry.record, dialog=attrs.evolve(entry.record.dialog)), entry.epoch)

    @property
    def sessions(self) -> list[SessionRecord]:
        """Those that are not over."""
        return [entry.record for entry in self.entries.values() if entry.record is not None]
