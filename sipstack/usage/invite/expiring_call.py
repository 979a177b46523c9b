"""A call that ends at some age. How long it may be idle is the user agent's to see: it has the media."""

from __future__ import annotations

from typing import Any

from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.expiry import BY, NAME, Expiry
from sipstack.usage.invite.extension import CallExtension, Close, Extension, NewCall
from sipstack.usage.invite.timed_call import LOOK

UNBOUNDED = Expiry()


class ExpiringCall(CallExtension):
    """The expiry of one dialog."""

    name = NAME

    def __init__(self, expiry: Expiry = UNBOUNDED) -> None:
        self.idle = expiry.idle
        self._age = expiry.age
        self._ends_at = NEVER

    def answered(self, response: Response, now: float) -> None:
        if 200 <= response.status < 300 and response.cseq.method == "INVITE":
            self._begin(now)

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        if 200 <= status < 300 and request.method == "INVITE":
            self._begin(now)
        return ()

    def _begin(self, now: float) -> None:
        """With the first 2xx."""
        if self._age is not None and self._ends_at == NEVER:
            self._ends_at = now + self._age
            self._wait(now)

    def _wait(self, now: float) -> None:
        """Not longer than others, so that short calls leave nothing behind among the deadlines."""
        self.deadline = min(self._ends_at, now + LOOK) if self._ends_at < NEVER else NEVER

    @property
    def needed_at(self) -> float:
        return self._ends_at

    def timeout(self, now: float) -> Close | None:
        if now < self._ends_at:
            self._wait(now)
            return None
        return Close(BY, f"the call has lasted {self._age:g} s")

    def record(self, now: float) -> dict[str, object]:
        left = None if self._ends_at == NEVER else self._ends_at - now
        state = {"idle": self.idle, "age": self._age, "left": left}
        return {name: value for name, value in state.items() if value is not None}

    def restore(self, record: dict[str, object], now: float) -> None:
        """What is past its age ends at once."""
        self.idle, self._age = _seconds(record.get("idle")), _seconds(record.get("age"))
        left = record.get("left")
        if self._age is not None:
            known = isinstance(left, int | float) and not isinstance(left, bool)
            self._ends_at = now + (min(float(left), self._age) if known else self._age)  # type: ignore[arg-type]
            self._wait(now)


def _seconds(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def expiry(default: Expiry) -> Extension:
    """The registration. The wish of a call is an ``Expiry`` in place of ``default``."""

    def begin(call: NewCall) -> ExpiringCall:
        return ExpiringCall(call.wish or default)

    return Extension(NAME, begin, tagged=False)


def expiring(parts: tuple[CallExtension, ...], chosen: Expiry | None) -> tuple[CallExtension, ...]:
    """The parts of a call, with that of ``chosen`` where there is none yet."""
    if chosen is None or any(part.name == NAME for part in parts):
        return parts
    return (*parts, ExpiringCall(chosen))
