"""Sessions that are kept beyond this process: what is written when, and who waits for it.

A session is written when it has a new stable state, before the peer is told so: the 2xx or the ACK waits for
the store. Not each request of ours is worth a write: what is kept as our CSeq is a ceiling, under which the
numbers are this process's own, and whoever takes over begins above it (RFC 3261 §12.2.2 allows gaps).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.core.forgetting import Forgetting
from sipstack.core.lasting import BEGAN
from sipstack.core.outputs import WHOEVER, DialogKey, Forget, Output, Store
from sipstack.dialog.keeper import TAKEN_OVER, Noting, Then, nothing
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError
from sipstack.outcome import Outcome
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.session import Session

RESERVED = 1000
"""CSeq numbers that a process has to itself beyond the last one that it used when the state was written."""
PATIENCE = 4.0
"""Seconds that a 2xx or an ACK waits for the store. The peer's INVITE or our 2xx is repeated meanwhile."""
AGAIN = 2.0
"""Seconds until what a store could not do is tried again."""


class KeepingCore(Protocol):
    """The parts of the core that keeping needs."""

    def output(self, output: Output) -> None: ...

    def schedule(self, item: Timed) -> None: ...


class Keeping:
    """The keeper of one core's sessions: asks its store by outputs, and is told the outcome by ``stored``."""

    __slots__ = ("_epochs", "_forgetting", "_writes", "output", "schedule")

    def __init__(self, core: KeepingCore) -> None:
        self.output = core.output
        self.schedule = core.schedule
        self._writes: dict[DialogKey, Write] = {}
        self._forgetting = Forgetting(core)
        self._epochs: dict[DialogKey, int] = {}
        """Of the sessions that were taken over; 0 of the others."""

    def __len__(self) -> int:
        """What is on its way to the store."""
        return len(self._writes) + len(self._forgetting)

    # -- by usages -----------------------------------------------------------------------------------------

    def settle(self, usages: DialogUsages, then: Then, now: float) -> None:
        if usages.invite is None:  # a 2xx of a call that is over by now: there is nothing to keep
            then(Outcome.DONE, now)
            return
        key = usages.dialog.key
        write = self._writes.get(key)
        if write is None:
            write = self._writes[key] = Write(self, usages)
        write.ask(then, now)

    def forget(self, usages: DialogUsages, then: Then, patience: float, now: float, *, by_peer: bool) -> None:
        key = usages.dialog.key
        write = self._writes.pop(key, None)
        if write is not None:
            write.stop(now)
        was_kept = usages.ceiling > 0
        usages.ceiling = 0
        epoch = self._epochs.pop(key, 0)
        self._forgetting.begin(key, WHOEVER if by_peer else epoch, then, patience, now, was_kept=was_kept)

    def delays(self, usages: DialogUsages, then: Then) -> bool:
        write = self._writes.get(usages.dialog.key)
        return write is not None and write.delays(then)

    def refused(self, usages: DialogUsages) -> None:
        """What was kept before is kept."""

    def holds(self, usages: DialogUsages) -> bool:
        key = usages.dialog.key
        return usages.ceiling > 0 or key in self._writes or key in self._forgetting

    def is_settled(self, usages: DialogUsages) -> bool:
        key = usages.dialog.key
        return usages.ceiling > 0 and key not in self._writes and key not in self._forgetting

    def release(self, usages: DialogUsages) -> None:
        self._epochs.pop(usages.dialog.key, None)
        usages.ceiling = 0

    def ends(self, key: DialogKey) -> bool:
        """Whether it is over, and the store does not know that yet."""
        return key in self._forgetting

    # -- by the core ---------------------------------------------------------------------------------------

    def stored(self, asked: Store | Forget, outcome: Outcome, now: float) -> None:
        """The answer to ``asked``. One that comes too late, or twice, is nothing to anybody."""
        if isinstance(asked, Forget):
            self._forgetting.stored(asked, outcome, now)
            return
        write = self._writes.get(asked.key)
        if write is not None and write.asked is asked:
            write.told(outcome, now)

    def resumed(self, usages: DialogUsages, epoch: int, now: float) -> None:
        """A session was taken over: from now on its state is ours to write."""
        self._epochs[usages.dialog.key] = epoch
        self.settle(usages, nothing, now)

    def epoch_of(self, key: DialogKey) -> int:
        return self._epochs.get(key, 0)

    def waiting(self) -> list[str]:
        """What is on its way to the store, in words."""
        return [f"{key[0]} waits for its store" for key in (*self._writes, *self._forgetting.keys())]

    # -- by what waits -------------------------------------------------------------------------------------

    def writes(self, write: Write) -> bool:
        """Whether it is still the one of its session."""
        return self._writes.get(write.key) is write

    def written(self, write: Write) -> None:
        """Nothing of it is left to do."""
        if self.writes(write):
            del self._writes[write.key]

    def conflict(self, usages: DialogUsages, now: float) -> None:
        """Another process has it."""
        session = usages.invite
        if isinstance(session, Session):
            session.hand_over(now, TAKEN_OVER)


class Write:
    """One session on its way to the store: one write of it is under way, and one more may be due after it."""

    __slots__ = (
        "_keeping",
        "_later",
        "_retry_at",
        "_then",
        "_usages",
        "_waits_until",
        "asked",
        "key",
        "scheduled",
    )

    def __init__(self, keeping: Keeping, usages: DialogUsages) -> None:
        self._keeping = keeping
        self._usages = usages
        self.key: DialogKey = usages.dialog.key
        self.asked: Store | None = None
        self._then: list[Then] = []
        self._later: list[Then] = []  # asked for while one is under way: they need the next one
        self._retry_at = self._waits_until = NEVER
        self.scheduled = NEVER

    def ask(self, then: Then, now: float) -> None:
        """A new state: now, or after the write that is under way."""
        if self.asked is not None:
            self._later.append(then)
        else:
            self._begin([then], now)

    def delays(self, then: Then) -> bool:
        """Whether something waits that the peer is to hear: then ``then`` comes after the last of it."""
        for waiting in (self._later, self._then):
            if any(each is not nothing and not isinstance(each, Noting) for each in waiting):
                waiting.append(then)
                return True
        return False

    def _begin(self, then: list[Then], now: float) -> None:
        keeping, usages = self._keeping, self._usages
        session, dialog = usages.invite, usages.dialog
        assert isinstance(session, Session)
        numbers = dialog.local_cseq + RESERVED
        if session.application is None:
            session.application = {}
        session.application.setdefault(BEGAN, now)
        record = session.snapshot(now)
        record = attrs.evolve(record, dialog=attrs.evolve(dialog, local_cseq=numbers, early=False))
        self.asked = Store(self.key, record, keeping.epoch_of(self.key))
        self._then, self._retry_at, self._waits_until = then, NEVER, now + PATIENCE
        keeping.output(self.asked)
        keeping.schedule(self)

    def told(self, outcome: Outcome, now: float) -> None:
        """The answer to what was asked."""
        if outcome is Outcome.DONE and self.asked is not None:
            self._usages.ceiling = self.asked.record.dialog.local_cseq
        self.asked, self._waits_until = None, NEVER
        then, self._then = self._then, []
        if outcome is Outcome.CONFLICT:
            self._keeping.written(self)
            then, self._later = then + self._later, []
            self._keeping.conflict(self._usages, now)
        heard = Outcome.FAILED if outcome is Outcome.TOO_LARGE else outcome
        for each in then:
            each(heard, now)
        if self.asked is None and self._keeping.writes(self):  # else it went on, or ended, meanwhile
            self._go_on(outcome, now)

    def _go_on(self, outcome: Outcome, now: float) -> None:
        later, self._later = self._later, []
        if later:
            self._begin(later, now)
        elif outcome is Outcome.FAILED:
            self._retry_at = now + AGAIN
            self._keeping.schedule(self)
        elif outcome is not Outcome.TOO_LARGE:  # that is not settled, and waits for another state
            self._keeping.written(self)

    def stop(self, now: float) -> None:
        """The session is over: what waited hears that nothing was kept."""
        self.asked, self._retry_at, self._waits_until = None, NEVER, NEVER
        then = self._then + self._later
        self._then, self._later = [], []
        for each in then:
            each(Outcome.FAILED, now)

    @property
    def deadline(self) -> float:
        return min(self._retry_at, self._waits_until)

    def timeout(self, now: float) -> None:
        if now >= self._waits_until:
            self.told(Outcome.FAILED, now)
        elif now >= self._retry_at:
            self._begin([], now)

    def faulted(self, error: SipError, now: float) -> None:
        self._keeping.written(self)
        self.stop(now)
