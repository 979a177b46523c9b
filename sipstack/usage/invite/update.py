"""UPDATE of the peer (RFC 3311): an offer inside of a call without a three-way handshake, or a mere refresh
of the target.

The session does the rest: glare, the answer, the new target. Our own go out by ``Session.reoffer``.
"""

from __future__ import annotations

from sipstack.message import Request
from sipstack.usage.content import session_description
from sipstack.usage.invite.extension import CallExtension, Extension, Reply, TakeOffer


class Update(CallExtension):
    """Tells an offer from a refresh. It has no state: all calls share one."""

    name = "update"
    methods = ("UPDATE",)

    def fork(self) -> Update:
        return self

    def request_received(self, request: Request, now: float) -> Reply | TakeOffer:
        return TakeOffer() if session_description(request) else Reply(200, refreshes=True)


def update() -> Extension:
    """The registration. UPDATE has no option tag: Allow alone announces it."""
    part = Update()
    return Extension(part.name, lambda call: part, part.methods, tagged=False)
