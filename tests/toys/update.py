"""A toy UPDATE (RFC 3311): offers inside of a call without a three-way handshake.

The session does the rest: glare, the answer, the refresh of the target. Its own offers are made by
``Session.reoffer(body, now, "UPDATE")``.
"""

from __future__ import annotations

from sipstack.core.registry import Extension
from sipstack.message import Request
from sipstack.usage.content import session_description
from sipstack.usage.invite.extension import CallExtension, Reply, TakeOffer


class Update(CallExtension):
    """Tells an offer from a mere refresh of the target."""

    name = "update"
    methods = ("UPDATE",)

    def request_received(self, request: Request, now: float) -> Reply | TakeOffer:
        return TakeOffer() if session_description(request) else Reply(200, refreshes=True)


def update() -> Extension:
    """The registration. UPDATE has no option tag in truth: it is announced by Allow alone."""
    return Extension("update", lambda call: Update(), Update.methods, tagged=False)
