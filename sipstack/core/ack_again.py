"""An ACK that is repeated when its connection is gone: routed once more (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from sipstack.core.routed_request import AckRequest, RequestContext
from sipstack.dialog.draft import Draft
from sipstack.errors import SipError
from sipstack.message import Request
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

WRITTEN = {"Via", "Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Content-Length"}
"""The fields that a draft writes anew."""


class AckAgain:
    """Sends ``request`` along its route set over a new flow, with a new branch. It begins by itself, at the
    next look at the deadlines.
    """

    __slots__ = ("_core", "_request", "deadline", "scheduled")

    def __init__(self, core: RequestContext, request: Request) -> None:
        self._core = core
        self._request = request
        self.deadline = 0.0
        self.scheduled = NEVER

    def timeout(self, now: float) -> None:
        self.deadline = NEVER
        request = self._request
        headers = request.headers
        draft = Draft(
            "ACK",
            request.uri_text,
            headers.get("From") or "",
            headers.get("To") or "",
            request.call_id,
            request.cseq.number,
            tuple(map(str, request.headers.typed("Route"))) if "Route" in headers else (),
            tuple((name, value) for name, value in headers.items() if name not in WRITTEN),
            request.body,
            max_forwards=headers.get("Max-Forwards") or "70",
        )
        AckRequest(self._core, draft, None, self).start(now)

    def faulted(self, error: SipError, now: float) -> None:
        """It is reported; the peer repeats its 2xx, and may do without."""

    def ack_sent(self, cseq: int, flow: Flow, data: bytes) -> None:
        """Should the 2xx come again, this is done again."""

    def ack_failed(self, error: SipError, now: float) -> None:
        """The peer hears nothing: it ends the call by BYE (§13.3.1.4)."""
