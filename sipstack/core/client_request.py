"""A request of ours on its way: flow, transaction, the next target when one fails, credentials when it is
challenged.

The flow is chosen before the transaction starts; failing over to another target makes a new branch and so a
new transaction (RFC 3263 §4.3).
"""

from __future__ import annotations

from sipstack.core.authenticator import Authenticator
from sipstack.core.challenged_request import ChallengedRequest
from sipstack.core.message_size import check_datagram
from sipstack.core.routed_request import RequestContext, told
from sipstack.core.router import Route
from sipstack.core.stream_attempt import stream_target
from sipstack.dialog.draft import Draft
from sipstack.dialog.keeper import TAKEN_OVER
from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import RequestUser
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import CallEnded, InternalError, SipError, TransportError
from sipstack.message import Headers, Request, Response
from sipstack.message.digest import NOTHING
from sipstack.message.session_id import paired
from sipstack.outcome import Outcome
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.layer import AnyClient
from sipstack.transaction.machine import NOBODY, ClientUser, State
from sipstack.transaction.requests import cancel_for


class ClientRequest(ChallengedRequest):
    """A request with its client transaction, renewed for each target and each challenge.

    With ``asks`` the user is told of the flow first (``routed``), and the request goes out with ``proceed``.
    """

    __slots__ = (
        "answered",
        "_asks",
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
        if (
            not draft.session_id
            and core.configuration.session_ids
            and "Session-ID" not in draft.headers.index
        ):
            draft.session_id = paired(core.identifiers.uuid())  # nobody has sent the draft yet
        super().__init__(core, draft, usages, authenticator)
        self._user = user
        self._asks = asks
        self.request: Request | None = None
        self.transaction: AnyClient | None = None
        self.answered = False  # by a provisional response: the target is alive
        self._cancelling: Headers | None = None
        """The fields of a CANCEL that waits for a provisional response, before which none may go out."""
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
            request = self.write(flow, branch, now)
            if flow.transport == "UDP":
                if self._takes_stream(request, flow, now):
                    return
                if request.method == "MESSAGE":
                    check_datagram(request)
            self.request = request
            self.transaction = core.transactions.request(request, branch, flow, self, now)
        except Exception as error:
            self._fail(told(core, error), now)

    def kept(self, outcome: Outcome, now: float) -> None:
        """What the peer had to hear first is out: now it may go out, unless its number is another's."""
        if self._given_up:
            return
        if outcome is Outcome.CONFLICT:
            self._fail(CallEnded("elsewhere", TAKEN_OVER), now)
        else:
            self.start(now)

    def proceed(self, draft: Draft, now: float) -> None:
        """Send ``draft`` over the flow that was found."""
        self.draft = self._authorized(draft)
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
        if self._usages is not None:
            self._usages.dialog.hear(response)
        if not self.answered and self._route is not None:
            self._target_answered(self._route, response, now)
        if status < 200:
            self.answered = True
            if self._cancelling is not None:
                self._send_cancel(self._cancelling, now)
        elif status in (401, 407) and not self._given_up and self._challenged(response, now):
            return
        elif status == 503 and self._may_fail_over:
            self._fail_over(now)
            return
        self._tell(response, now)

    def _tell(self, response: Response, now: float) -> None:
        """A response that the user is to have."""
        status = response.status
        if status >= 200:
            self._route = None  # no other target is tried any more, and it refers to us in turn
            if self._authentication is not NOTHING:
                self._conclude(response)
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
        if lost and self._datagram is not None and self.flow is not self._datagram and not self.answered:
            self._core.router.without_streams.failed(stream_target(self._datagram), now)
            if not self._given_up:
                self.flow_found(self._datagram, now)
                return
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

    def _go_again(self, now: float) -> None:
        assert self.transaction is not None
        self._take_again(self.transaction.flow, now)

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
        self._wait_no_longer(now)

    def cancel(self, now: float, headers: Headers) -> None:
        self.give_up(now)
        if self.transaction is not None and self.transaction.state is State.PROCEEDING:
            self._send_cancel(headers, now)
        else:
            self._cancelling = headers

    def _send_cancel(self, headers: Headers, now: float) -> None:
        """§9.1: the INVITE's own branch, the same flow."""
        assert self.request is not None
        assert self.transaction is not None
        self._cancelling = None
        branch = self.request.via.branch or ""
        flow = self.transaction.flow
        # the answer to a CANCEL changes nothing, that of the INVITE does
        self._core.transactions.request(cancel_for(self.request, headers), branch, flow, NOBODY, now)
