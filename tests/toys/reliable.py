"""A toy of reliable provisional responses (RFC 3262), both roles: a sketch of what 100rel will be.

As a callee it makes each 101-199 reliable if the caller supports that: repeated at T1, 2*T1, 4*T1 …, given up
with 504 after 64*T1. As a caller it confirms each with PRACK, in order, and takes no notice of a repetition.
"""

from __future__ import annotations

from sipstack.core.registry import Extension
from sipstack.message import RAck, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import session_description
from sipstack.usage.invite.extension import (
    Action,
    Ask,
    CallExtension,
    Confirm,
    Ignore,
    Refuse,
    Reply,
    Resend,
    TakeOffer,
)

T1 = 0.5


class Reliable(CallExtension):
    """One dialog's reliable provisional responses."""

    name = "100rel"
    methods = ("PRACK",)

    def __init__(self) -> None:
        self._heard: int | None = None  # the latest RSeq of the peer
        self._said = 0  # our latest RSeq
        self._awaited: RAck | None = None
        self._interval = T1
        self._expires_at = NEVER

    # -- the caller ----------------------------------------------------------------------------------------

    def answered(self, response: Response, now: float) -> Action | None:
        number = response.headers.typed("RSeq")
        if not 100 < response.status < 200 or number is None or "100rel" not in response.require:
            return None
        if self._heard is not None and number != self._heard + 1:
            return Ignore()
        self._heard = number
        return Confirm(Ask("PRACK", (("RAck", f"{number} {response.headers.get('CSeq')}"),)))

    # -- the callee ----------------------------------------------------------------------------------------

    def answering(self, request: Request, status: int, now: float) -> HeaderFields:
        if status >= 200 or "100rel" not in (*request.supported, *request.require):
            return ()
        self._said += 1
        self._awaited = RAck(self._said, request.cseq.number, request.cseq.method)
        self.holding, self._interval = True, T1
        self.deadline, self._expires_at = now + T1, now + 64 * T1
        return (("Require", "100rel"), ("RSeq", self._said))

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


def reliable() -> Extension:
    """The registration."""
    return Extension("100rel", lambda call: Reliable(), Reliable.methods)
