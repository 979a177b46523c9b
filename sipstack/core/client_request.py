"""A request of ours on its way: flow, transaction, the next target when one fails, credentials when it is
challenged; and the ACK for a 2xx, which has no transaction.

The flow is chosen before the transaction starts; failing over to another target makes a new branch and so a
new transaction (RFC 3263 §4.3).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.core.authenticator import Authenticator
from sipstack.core.router import Route, Router
from sipstack.dialog.draft import Draft
from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import AckUser, RequestUser
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import InternalError, SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response
from sipstack.message.digest import NOTHING
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.layer import AnyClient, TransactionLayer
from sipstack.transaction.machine import NOBODY, ClientUser, State
from sipstack.transaction.requests import cancel_for


class RequestContext(Protocol):
    """The parts of the core that a request on its way needs."""

    identifiers: Identifiers
    router: Router
    transactions: TransactionLayer

    def transmit(self, flow: Flow, data: bytes) -> None: ...

    def fault(self, error: Exception) -> SipError:
        """Report an exception that should not have been; what to tell the user of it."""


class RoutedRequest:
    """A draft that is looking for its flow. Base of what travels."""

    __slots__ = ("_core", "_route", "_usages", "draft", "flow")

    def __init__(self, core: RequestContext, draft: Draft, usages: DialogUsages | None) -> None:
        self._core = core
        self.draft = draft
        self._usages = usages
        self._route: Route | None = None
        self.flow: Flow | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.draft.method} {self.draft.uri}>"

    def start(self, now: float) -> None:
        """Take the dialog's known flow while it is open, else find one."""
        usages, router = self._usages, self._core.router
        hop = self.draft.next_hop
        if usages is not None and usages.hop == hop:
            flow = usages.flow
            if flow is not None and (not flow.reliable or router.is_open(flow)):
                self.flow = flow
                self.use(flow, now)
                return
        known = router.known(hop)
        if known is not None:
            self.flow_found(known, now)
        else:
            self.find_route(now)

    def find_route(self, now: float) -> None:
        self._route = route = Route(self._core.router, self.draft.next_hop, self)
        route.start(now)

    def flow_found(self, flow: Flow, now: float) -> None:
        """The route leads over ``flow``; requests of the same dialog take it without a look-up."""
        usages = self._usages
        if usages is not None:
            usages.hop, usages.flow = self.draft.next_hop, flow
        self.flow = flow
        self.use(flow, now)

    def use(self, flow: Flow, now: float) -> None:
        raise NotImplementedError

    def unroutable(self, error: SipError, now: float) -> None:
        raise NotImplementedError

    def _way_left(self) -> Flow | None:
        """The way for a request of a dialog whose next hop leads nowhere: that of the INVITE, there or back.

        What the peer says of itself may be wrong (a Contact with ``;transport=tcp`` over UDP, a name that
        only its own network knows), and yet it is there. A dialog that is secure stays so.
        """
        usages = self._usages
        flow = None if usages is None else usages.flow
        if usages is None or flow is None or usages.dialog.secure > flow.secure:
            return None
        return flow if self._core.router.is_open(flow) else None

    def write(self, flow: Flow, branch: str) -> Request:
        """The request as it goes over ``flow``."""
        draft = self.draft
        return draft.write(flow.via(branch), draft.identity.contact(flow))


class AckRequest(RoutedRequest):
    """An ACK for a 2xx: a transaction of its own with no answer (RFC 3261 §13.2.2.4)."""

    __slots__ = ("_user",)

    def __init__(self, core: RequestContext, draft: Draft, usages: DialogUsages, user: AckUser) -> None:
        super().__init__(core, draft, usages)
        self._user = user

    def use(self, flow: Flow, now: float) -> None:
        core = self._core
        self._route = None  # it refers to us in turn
        try:
            data = bytes(self.write(flow, core.identifiers.branch()))
        except Exception as error:
            self._user.ack_failed(_told(core, error), now)
            return
        core.transmit(flow, data)
        self._user.ack_sent(self.draft.cseq, flow, data)

    def unroutable(self, error: SipError, now: float) -> None:
        """§13.2.2.4 wants an ACK for every 2xx: it goes the way that is left, and the call ends."""
        self._route = None
        way = self._way_left()
        if way is not None:
            self.use(way, now)
        self._user.ack_failed(error, now)


class ClientRequest(RoutedRequest):
    """A request with its client transaction, renewed for each target and each challenge.

    With ``asks`` the user is told of the flow first (``routed``), and the request goes out with ``proceed``.
    """

    __slots__ = (
        "answered",
        "_asks",
        "_authentication",
        "_authenticator",
        "_cancelling",
        "_given_up",
        "_user",
        "request",
        "transaction",
    )

    def __init__(
        self,
        core: RequestContext,
        draft: Draft,
        usages: DialogUsages | None,
        user: ClientUser,
        authenticator: Authenticator,
        *,
        asks: RequestUser | None = None,
    ) -> None:
        super().__init__(core, draft, usages)
        self._authenticator = authenticator
        self._authentication = authenticator.accepted(draft)
        if self._authentication is not NOTHING:
            self.draft = attrs.evolve(draft, headers=authenticator.authorized(draft, self._authentication))
        self._user = user
        self._asks = asks
        self.request: Request | None = None
        self.transaction: AnyClient | None = None
        self.answered = False  # by a provisional response: the target is alive
        self._cancelling = False  # waits for a provisional response, before which no CANCEL may go out
        self._given_up = False

    def use(self, flow: Flow, now: float) -> None:
        if self._given_up:
            return
        if self._asks is not None:
            asks, self._asks = self._asks, None
            asks.routed(flow, now)
            return
        core = self._core
        branch = core.identifiers.branch()
        try:
            self.request = self.write(flow, branch)
            self.transaction = core.transactions.request(self.request, branch, flow, self, now)
        except Exception as error:
            self._fail(_told(core, error), now)

    def proceed(self, draft: Draft, now: float) -> None:
        """Send ``draft`` over the flow that was found."""
        if self._authentication is not NOTHING:
            headers = self._authenticator.authorized(draft, self._authentication)
            draft = attrs.evolve(draft, headers=headers)
        self.draft = draft
        assert self.flow is not None
        self._take_again(self.flow, now)

    def unroutable(self, error: SipError, now: float) -> None:
        if self._given_up:
            return
        way, self._route = self._way_left(), None
        if way is None:
            self._fail(error, now)
        else:
            self.flow = way
            self.use(way, now)

    def _fail(self, error: SipError, now: float) -> None:
        user, self._user, self._route = self._user, NOBODY, None
        try:
            user.request_failed(error, now)
        except Exception as again:
            self._core.fault(again)

    # -- answers -------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if not self.answered and self._route is not None:
            self._target_answered(self._route, response, now)
        if status < 200:
            self.answered = True
            if self._cancelling:
                self._send_cancel(now)
        elif status in (401, 407) and not self._given_up and self._authenticate(response, now):
            return
        elif status == 503 and self._may_fail_over:
            self._fail_over(now)
            return
        if status >= 200:
            self._route = None  # no other target is tried any more, and it refers to us in turn
            if self._authentication is not NOTHING:
                self._authenticator.concluded(self.draft, self._authentication, status)
        self._user.response_received(response, now)
        if status >= 300 or (status >= 200 and self.draft.method != "INVITE"):
            self._user = NOBODY  # that was the last: the user may refer to us, and need not outlive us

    def _target_answered(self, route: Route, response: Response, now: float) -> None:
        """The target is there; one that answers 503 is avoided for a while (§21.5.4)."""
        suspects, target = self._core.router.suspects, route.target
        if target is None:
            return
        if response.status == 503:
            suspects.failed(target, now, retry_after(response))
        else:
            suspects.answered(target)

    def request_failed(self, error: SipError, now: float) -> None:
        """A timeout, or the network could not deliver it; or what was received could not be dealt with."""
        if isinstance(error, InternalError):
            user = self._user
            self._fail(error, now)
            if self.draft.method == "INVITE":
                self._user = user  # a 2xx that still comes is acknowledged and ended
            return
        lost = isinstance(error, TransportError)
        if lost and self._usages is not None:
            self._usages.hop = ""  # look for another way; this one stays the last resort
        if lost and self._may_replace:
            self._replace_flow(now)
            return
        if self._route is not None and self._route.target is not None and not self.answered:
            self._core.router.suspects.failed(self._route.target, now)
        if self._may_fail_over:
            self._fail_over(now)
        else:
            self._fail(error, now)

    @property
    def _may_fail_over(self) -> bool:
        """Whether another target may be tried (RFC 3263 §4.3)."""
        route = self._route
        return route is not None and route.has_alternative and not self.answered and not self._given_up

    def _fail_over(self, now: float) -> None:
        assert self._route is not None
        self.request = self.transaction = None
        self._route.next(now)

    @property
    def _may_replace(self) -> bool:
        """Whether it was a connection from before that has died: that says nothing against the target."""
        flow, route = self.flow, self._route
        reused = flow is not None and flow.reliable and (route is None or route.is_reused)
        return reused and not self.answered and not self._given_up

    def _replace_flow(self, now: float) -> None:
        self.request = self.transaction = None
        if self._route is None:
            self.find_route(now)
        else:
            self._route.again(now)

    def _authenticate(self, response: Response, now: float) -> bool:
        """Send the request again with credentials (§22.2): same Call-ID and From, next CSeq."""
        assert self.request is not None
        assert self.transaction is not None
        answered = self._authenticator.challenged(self.draft, self._authentication, response)
        if answered is None:
            return False
        self._authentication = answered
        headers = self._authenticator.authorized(self.draft, answered)
        usages = self._usages
        cseq = self.draft.cseq + 1 if usages is None else usages.dialog.next_cseq()
        self.draft = attrs.evolve(self.draft, cseq=cseq, headers=headers)
        self._take_again(self.transaction.flow, now)
        return True

    def _take_again(self, flow: Flow, now: float) -> None:
        """Take the flow that was found some time ago, or another one when its connection is gone."""
        if flow.reliable and not self._core.router.is_open(flow):
            self._replace_flow(now)
        else:
            self.use(flow, now)

    # -- giving up -----------------------------------------------------------------------------------------

    def give_up(self, now: float) -> None:
        self._given_up = True
        if self._route is not None:
            self._route.abandon()
            self._route = None
        if isinstance(self.transaction, InviteClientTransaction):
            self._core.transactions.give_up(self.transaction, now)

    def cancel(self, now: float) -> None:
        self.give_up(now)
        if self.transaction is not None and self.transaction.state is State.PROCEEDING:
            self._send_cancel(now)
        else:
            self._cancelling = True

    def _send_cancel(self, now: float) -> None:
        """§9.1: the INVITE's own branch, the same flow."""
        assert self.request is not None
        assert self.transaction is not None
        self._cancelling = False
        branch = self.request.via.branch or ""
        flow = self.transaction.flow
        # the answer to a CANCEL changes nothing, that of the INVITE does
        self._core.transactions.request(cancel_for(self.request), branch, flow, NOBODY, now)


def _told(core: RequestContext, error: Exception) -> SipError:
    """What the user hears of a request that cannot be written: the caller's mistake, or a fault of ours."""
    return error if isinstance(error, SipError) else core.fault(error)
