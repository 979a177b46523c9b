"""A toy option tag: a call is leased, and ends unless the caller renews the lease.

An INVITE that supports ``lease`` says for how long it wants it (``Lease: 60``). A callee that wants it longer
refuses with 475 and the hint ``Min-Lease: 90``; one that agrees repeats the field. The caller renews by the
method LEASE at half time. A callee that hears nothing for the whole time ends the call.
"""

from __future__ import annotations

from typing import Any

from sipstack.dialog.services import Refusal
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import Action, Ask, CallExtension, Close, Extension, Reply, Retry

TOO_SHORT = 475


class Lease(CallExtension):
    """One call's lease. Times are in seconds."""

    name = "lease"
    methods = ("LEASE",)

    def __init__(self, is_caller: bool, wish: int, minimum: int) -> None:
        self._is_caller = is_caller
        self._wish = wish
        self._minimum = minimum
        self._agreed = 0
        self._ends_at = NEVER

    # -- the caller ----------------------------------------------------------------------------------------

    def outgoing(self, method: str) -> HeaderFields:
        return (("Lease", self._wish),) if method == "INVITE" else ()

    def answered(self, response: Response, now: float) -> Action | None:
        hint, agreed = _seconds(response, "Min-Lease"), _seconds(response, "Lease")
        if response.status == TOO_SHORT and hint:
            self._wish = hint
            return Retry((("Lease", hint),))
        if 200 <= response.status < 300 and agreed:
            self._begin(agreed, now)
        elif response.status == 481:
            return Close("remote", "the lease is unknown")
        return None

    # -- the callee ----------------------------------------------------------------------------------------

    def refusal(self, request: Request) -> Refusal | None:
        wish = _seconds(request, "Lease")
        return (TOO_SHORT, (("Min-Lease", self._minimum),)) if 0 < wish < self._minimum else None

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        wanted = _seconds(request, "Lease")
        if not wanted:
            return ()
        if status >= 200:
            self._begin(wanted, now)
        return (("Lease", wanted),)

    def request_received(self, request: Request, now: float) -> Reply:
        self._begin(self._agreed, now)
        return Reply(200, (("Lease", self._agreed),))

    # -- time ----------------------------------------------------------------------------------------------

    def _begin(self, agreed: int, now: float, *, gone: float = 0.0) -> None:
        self._agreed, self._ends_at = agreed, now + agreed - gone
        half = self._ends_at - agreed / 2
        self.deadline = half if self._is_caller else self._ends_at

    def timeout(self, now: float) -> Close | Ask | None:
        if now >= self._ends_at:
            return Close("timeout", "the lease has ended")
        self.deadline = self._ends_at
        return Ask("LEASE")

    def record(self, now: float) -> dict[str, object]:
        return {"agreed": self._agreed, "left": self._ends_at - now} if self._agreed else {}

    def restore(self, record: dict[str, object], now: float) -> None:
        agreed, left = record.get("agreed"), record.get("left")
        if isinstance(agreed, int) and isinstance(left, int | float):
            self._begin(agreed, now, gone=agreed - left)


def lease(wish: int = 60, minimum: int = 10, *, required: bool = False) -> Extension:
    """The registration: what we ask for as a caller, and want at least as a callee."""
    return Extension(
        "lease", lambda call: Lease(call.is_caller, wish, minimum), Lease.methods, required=required
    )


def _seconds(message: Request | Response, name: str) -> int:
    """The number in a field; 0 when there is none."""
    text = message.headers.get(name) or ""
    return int(text) if text.isdecimal() and len(text) < 9 else 0
