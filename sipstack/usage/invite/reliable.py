"""Reliable provisional responses of either side (RFC 3262): ``100rel`` and PRACK.

As a callee we repeat such a response until its PRACK comes: at T1, 2*T1, 4*T1 ..., and refuse the call after
64*T1. As a caller we confirm each with PRACK, in order; a repetition counts for nothing.
"""

from __future__ import annotations

from typing import Any

from sipstack.message import RAck, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER, Timers
from sipstack.usage.content import session_description
from sipstack.usage.invite.extension import (
    Action,
    Ask,
    CallExtension,
    Confirm,
    Extension,
    Ignore,
    NewCall,
    Refuse,
    Reply,
    Resend,
    TakeOffer,
)

TAG = "100rel"


class Reliable(CallExtension):
    """One dialog's reliable provisional responses."""

    name = TAG
    methods = ("PRACK",)

    def __init__(self, timers: Timers, *, demanded: bool = False) -> None:
        self._timers = timers
        self._demanded = demanded  # one of the two sides insists on it
        self._heard: int | None = None  # the latest RSeq of the peer, in its responses to
        self._invite = 0  # our INVITE with this number
        self._said = 0  # our latest RSeq
        self._awaited: RAck | None = None
        self._interval = timers.t1
        self._expires_at = NEVER

    def fork(self) -> Reliable:
        return Reliable(self._timers, demanded=self._demanded)

    # -- the caller ----------------------------------------------------------------------------------------

    def answered(self, response: Response, now: float) -> Action | None:
        if not 100 < response.status < 200 or "RSeq" not in response.headers:
            return None
        number = response.headers.readable("RSeq")
        if number is None or TAG not in response.headers.readable("Require"):
            return None
        invite = response.cseq.number
        if self._invite != invite:  # "the RSeq numbering space is within a single transaction" (§3)
            self._invite, self._heard = invite, None
        if self._heard is not None and number != self._heard + 1:  # again, or one before it is still missing
            return Ignore()
        self._heard = number
        return Confirm(Ask("PRACK", (("RAck", f"{number} {response.headers.get('CSeq')}"),)))

    # -- the callee ----------------------------------------------------------------------------------------

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        if status >= 200 or not (self._demanded or (described if wish is None else wish)):
            return ()
        self._said += 1
        self._awaited = RAck(self._said, request.cseq.number, request.cseq.method)
        self.holding, self._interval = True, self._timers.t1
        self.deadline, self._expires_at = now + self._interval, now + self._timers.timeout
        return (("Require", TAG), ("RSeq", self._said))

    def timeout(self, now: float) -> Resend | Refuse:
        if now >= self._expires_at:
            return Refuse(504)
        self._interval *= 2
        self.deadline = min(now + self._interval, self._expires_at)
        return Resend()

    def request_received(self, request: Request, now: float) -> Reply | TakeOffer:
        if self._awaited is None or request.headers.typed("RAck") != self._awaited:
            return Reply(481)
        self.holding, self._awaited, self.deadline = False, None, NEVER
        return TakeOffer() if session_description(request) else Reply(200)


def reliable(timers: Timers, *, required: bool = False) -> Extension:
    """The registration. ``required``: we call nobody, and are called by nobody, without it."""
    caller = Reliable(timers)

    def begin(call: NewCall) -> Reliable | None:
        invite = call.invite
        if invite is None:  # a copy for each dialog
            return caller if call.is_caller else None
        demanded = TAG in invite.headers.readable("Require")
        if demanded or TAG in invite.headers.readable("Supported"):
            return Reliable(timers, demanded=demanded or required)
        return None

    return Extension(TAG, begin, Reliable.methods, required=required)
