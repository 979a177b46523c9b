"""A request on its way through us to the node that has its dialog, and its responses on their way back.

Nothing of it is repeated by us, and no provisional response is made: that is for its two ends (RFC 3261
§16.11). What is remembered is where its responses go, and whether its owner has said anything.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.core.owner import Owner
from sipstack.core.router import Route, Router
from sipstack.errors import SipError
from sipstack.message import Request, Response
from sipstack.message.grammar import split_commas
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.requests import ack_for
from sipstack.transaction.timers import NEVER, Timers

HOPS = 70
"""Max-Forwards of a request that comes without (§16.6 step 3)."""
RINGING = 300.0
"""Seconds without a response that the final one of an INVITE may take after a provisional one."""


class PassingCore(Protocol):
    """The parts of the core that passing on needs."""

    router: Router
    timers: Timers

    def schedule(self, item: Timed) -> None: ...

    def transmit(self, flow: Flow, data: bytes) -> None: ...

    def serve_here(self, request: Request, flow: Flow, now: float) -> None:
        """Answer ``request``, which came over ``flow``, as if its owner had never been asked."""

    def answered_late(self, request: Request, response: Response, now: float) -> None:
        """The owner was only slow. As long as we have not answered, ``response`` is the answer."""


@attrs.frozen
class Rule:
    """When we answer in place of an owner. ``patience``: seconds without a word of it after which another
    copy of a request is ours; ``heirs``: whether we can take over what it has, so that its 503 is not the
    last word.
    """

    patience: float
    heirs: bool


class PassedRequest:
    """One request. ``back``: where its responses go."""

    __slots__ = (
        "_again",
        "_asked_at",
        "_back",
        "_branch",
        "_core",
        "_flow",
        "_interval",
        "_is_ours",
        "_owner",
        "_request",
        "_rule",
        "_sent",
        "_table",
        "_until",
        "scheduled",
    )

    def __init__(
        self,
        core: PassingCore,
        rule: Rule,
        table: Table,
        request: Request,
        branch: str,
        back: Flow,
        owner: Owner,
    ) -> None:
        self._core = core
        self._rule = rule
        self._table = table
        self._request = request
        self._branch = branch
        self._back = back
        self._owner = owner
        self._flow: Flow | None = None
        self._sent: Request | None = None
        self._asked_at = -NEVER  # since when its owner owes us a word
        self._is_ours = False  # to answer: its owner does not
        self._interval = 2 * core.timers.t1
        self._again = self._until = NEVER
        self.scheduled = NEVER

    def __repr__(self) -> str:
        return f"<PassedRequest {self._request.method} to {self._owner.name}>"

    # -- to the owner --------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Send it, and wait for its responses."""
        core = self._core
        self._table[self._branch, self._request.method] = self
        self._owner.waiting[self] = None
        self._asked_at = now
        self._until = now + 64 * core.timers.t1
        if self._back.reliable:  # nobody sends another copy of it
            self._again = now + self._interval
        core.schedule(self)
        self.send(now)

    def send(self, now: float) -> None:
        """Send it once: an ACK, which nobody answers, or one copy of another."""
        router, hop = self._core.router, self._owner.hop
        flow = router.known(hop)
        if flow is not None and router.is_open(flow):
            self.flow_found(flow, now)
        else:
            Route(router, hop, self).start(now)

    def again(self, now: float) -> bool:
        """Another copy of it has come. Whether that goes to the owner, too; else it is ours to answer."""
        if self._is_ours:
            return False
        owner = self._owner
        if owner.heard_at >= self._asked_at:
            self._asked_at = now
        elif now - self._asked_at >= self._rule.patience:
            owner.silent(now)
            self._take()
            return False
        self.send(now)
        return True

    def flow_found(self, flow: Flow, now: float) -> None:
        """The way to the owner."""
        if self._is_ours:
            return
        if self._back.secure and not flow.secure:  # what came in secret is not sent on in the clear (§26.2.2)
            self.serve_here(now)
            return
        self._owner.flow = flow
        if flow is not self._flow or self._sent is None:
            self._flow, self._sent = flow, self._written(flow)
        self._core.transmit(flow, bytes(self._sent))

    def unroutable(self, error: SipError, now: float) -> None:
        """There is no way to it."""
        self._owner.silent(now)
        self.serve_here(now)

    def _written(self, flow: Flow) -> Request:
        request, hops = self._request, hops_left(self._request)
        headers = request.headers.prepend("Via", flow.via(self._branch))
        return request.with_headers(headers.with_("Max-Forwards", HOPS if hops is None else hops - 1))

    # -- back ----------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        """It goes back the way that the request came, without our Via (§16.11)."""
        status = response.status
        self._owner.heard(now)
        if status == 503 and self._rule.heirs:
            self._acknowledge(response)
            self.serve_here(now)
            return
        first, *others = response.headers.raw("Via")  # as they came: what is only given back needs no check
        headers = response.headers.with_("Via", *split_commas(first)[1:], *others)
        response = response.replace(headers=headers)
        if self._is_ours:
            self._acknowledge(response)
            if status >= 200 and self._request.method != "INVITE":
                self._core.answered_late(self._request, response, now)
            return
        self._core.transmit(self._back, bytes(response))
        self._again = NEVER
        self._until = now + (RINGING if status < 200 else 64 * self._core.timers.t1)
        if status >= 200:
            self._sent = None  # it is written again for a copy
            self._owner.waiting.pop(self, None)

    def _acknowledge(self, response: Response) -> None:
        """A refusal of INVITE that goes no further."""
        if response.status >= 300 and self._request.method == "INVITE" and self._sent is not None:
            assert self._flow is not None
            self._core.transmit(self._flow, bytes(ack_for(self._sent, response)))

    # -- not to the owner ----------------------------------------------------------------------------------

    def serve_here(self, now: float) -> None:
        """Answer it ourselves, once. An ACK has no answer."""
        if not self._is_ours:
            self._take()
            if self._request.method != "ACK":
                self._core.serve_here(self._request, self._back, now)

    def _take(self) -> None:
        self._is_ours = True
        self._again = NEVER
        self._owner.waiting.pop(self, None)

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        return min(self._again, self._until)

    def timeout(self, now: float) -> None:
        if now >= self._until:
            self.forget()
            return
        self._interval *= 2
        self._again = now + self._interval
        if not self.again(now):
            self._core.serve_here(self._request, self._back, now)
        self._core.schedule(self)

    def faulted(self, error: SipError, now: float) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing more is expected of it."""
        self._again = self._until = NEVER
        self._table.pop((self._branch, self._request.method), None)
        self._owner.waiting.pop(self, None)


def hops_left(request: Request) -> int | None:
    """Its Max-Forwards, where there is one that can be read."""
    left: int | None = request.headers.readable("Max-Forwards") if "Max-Forwards" in request.headers else None
    return left


Table = dict[tuple[str, str], PassedRequest]
"""What was passed on, by branch and method."""
