"""Sessions that are over, until their store knows it: a process that finds one there would bring it back.

While the store is away these become more and more, so their number is bounded. Beyond it, and after ten
minutes, the store is not told: the record of such a call lies there until it expires, and somebody may go on
with a call that is over. Its peer then answers 481. A BYE of the peer that cannot be noted is refused with
503, so that the peer does not rely on it, and may come again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sipstack.core.outputs import DialogKey, Forget, Output, Warn
from sipstack.dialog.keeper import Then
from sipstack.errors import SipError
from sipstack.outcome import Outcome
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.timers import NEVER

MOST = 50_000
"""Sessions that are over, and whose store does not know that. Half of them are for calls that were kept: the
others, which the store never confirmed, have probably left nothing there.
"""
PATIENCE = 4.0
"""Seconds until a store that says nothing is asked again."""
AGAIN = 2.0
"""Seconds until what a store could not do is tried again; longer each time once nobody waits for it."""
SELDOM = 30.0
"""Seconds between two tries at the most."""
GIVE_UP = 600.0
"""Seconds after which a store that cannot be told is not asked any more."""
TELL_AGAIN = 60.0
"""Seconds between two warnings."""


class ForgettingCore(Protocol):
    """The parts of the core that forgetting needs."""

    def output(self, output: Output) -> None: ...

    def schedule(self, item: Timed) -> None: ...


class Forgetting:
    """All of them, of one core."""

    __slots__ = ("_over", "_told_at", "given_up", "output", "schedule")

    def __init__(self, core: ForgettingCore) -> None:
        self.output = core.output
        self.schedule = core.schedule
        self._over: dict[DialogKey, Over] = {}
        self.given_up = 0
        """Sessions that are over without their store knowing."""
        self._told_at = -NEVER

    def __len__(self) -> int:
        return len(self._over)

    def __contains__(self, key: DialogKey) -> bool:
        return key in self._over

    def keys(self) -> Iterable[DialogKey]:
        return self._over.keys()

    def begin(
        self, key: DialogKey, epoch: int, then: Then, patience: float, now: float, *, was_kept: bool
    ) -> None:
        """``then`` is told after ``patience`` seconds at the latest; at once where there is no room."""
        over = self._over.get(key)
        if over is None:
            if len(self._over) >= (MOST if was_kept else MOST // 2):
                self.give_up(key, now)
                then(Outcome.FAILED, now)
                return
            over = self._over[key] = Over(self, key, epoch, now)
        over.epoch = max(over.epoch, epoch)
        over.ask(then, patience, now)

    def stored(self, asked: Forget, outcome: Outcome, now: float) -> None:
        over = self._over.get(asked.key)
        if over is not None and over.asked is asked:
            over.told(outcome, now)

    def forgotten(self, over: Over) -> None:
        if self._over.get(over.key) is over:
            del self._over[over.key]

    def give_up(self, key: DialogKey, now: float) -> None:
        """The store does not hear of this one."""
        self.given_up += 1
        if now >= self._told_at + TELL_AGAIN:
            self._told_at = now
            what = f"{self.given_up} calls are over and their store could not be told, now {key[0]}"
            self.output(Warn(f"{what}: another process may go on with them until their records expire"))


class Over:
    """A session that is over, until the store knows it."""

    __slots__ = ("_again_at", "_all", "_then", "_tries", "_until", "asked", "epoch", "key", "scheduled")

    def __init__(self, every: Forgetting, key: DialogKey, epoch: int, now: float) -> None:
        self._all = every
        self.epoch = epoch
        self.key = key
        self.asked: Forget | None = None
        self._then: list[tuple[float, Then]] = []
        self._tries = 0
        self._until = now + GIVE_UP
        self._again_at = NEVER
        self.scheduled = NEVER

    def ask(self, then: Then, patience: float, now: float) -> None:
        """``then`` is told after ``patience`` seconds at the latest."""
        self._then.append((now + patience, then))
        if self._tries == 0:
            self._begin(now)
        self._all.schedule(self)

    def _begin(self, now: float) -> None:
        self._tries += 1
        self.asked = Forget(self.key, self.epoch)
        self._again_at = now + PATIENCE
        self._all.schedule(self)
        self._all.output(self.asked)

    def told(self, outcome: Outcome, now: float) -> None:
        """A conflict is an end as well: the session is another's to end. But not when the peer has ended it
        meanwhile, after we had asked.
        """
        asked, self.asked = self.asked, None
        if outcome is Outcome.CONFLICT and asked is not None and asked.epoch < self.epoch:
            self._begin(now)
            return
        if outcome is Outcome.FAILED and now < self._until:
            self._again_at = now + (AGAIN if self._then else min(AGAIN * self._tries, SELDOM))
            self._all.schedule(self)
            return
        self._again_at = NEVER
        self._all.forgotten(self)
        if outcome is Outcome.FAILED:
            self._all.give_up(self.key, now)
        self._tell(outcome, NEVER, now)

    def _tell(self, outcome: Outcome, until: float, now: float) -> None:
        told = [then for last, then in self._then if last <= until]
        self._then = [(last, then) for last, then in self._then if last > until]
        for then in told:
            then(outcome, now)

    @property
    def deadline(self) -> float:
        return min(self._again_at, *(last for last, _ in self._then), NEVER)

    def timeout(self, now: float) -> None:
        self._tell(Outcome.FAILED, now, now)
        if now < self._again_at:
            self._all.schedule(self)
        elif self.asked is not None:
            self.told(Outcome.FAILED, now)
        else:
            self._begin(now)

    def faulted(self, error: SipError, now: float) -> None:
        self._all.forgotten(self)
        self._tell(Outcome.FAILED, NEVER, now)
