"""The way of one request of ours: next hop, addresses, flow, transaction, and the next address when one
fails.

The flow is chosen before the transaction starts; failing over to another address makes a new branch and so a
new transaction (RFC 3263 §4.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from sipstack.core.authenticator import NOTHING
from sipstack.core.outputs import Question, Target
from sipstack.core.routing import destination
from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.usage import AckSent
from sipstack.errors import ResolutionError, SipError, TransportError
from sipstack.message import Request, Response
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.layer import AnyClient
from sipstack.transaction.machine import NOBODY, ClientUser, State
from sipstack.transaction.requests import cancel_for

if TYPE_CHECKING:
    from sipstack.core.core import Core


class Way:
    """Finds the flow for a draft. Base of what travels: a request with a transaction, or an ACK without
    one.
    """

    __slots__ = ("_dialog", "_given_up", "_targets", "core", "draft")

    def __init__(self, core: Core, draft: Draft, dialog: Dialog | None) -> None:
        self.core = core
        self.draft = draft
        self._dialog = dialog
        self._targets: Sequence[Target] = ()
        self._given_up = False

    def find(self, now: float) -> None:
        """Take the dialog's known flow, or ask the way."""
        dialog, hop = self._dialog, self.draft.next_hop
        if dialog is not None and dialog.hop_flow is not None and dialog.hop == hop:
            self.use(dialog.hop_flow, now)
            return
        try:
            where = destination(hop)
        except (ResolutionError, ValueError) as error:
            self.failed(error if isinstance(error, SipError) else ResolutionError(str(error)), now)
            return
        if isinstance(where, Question):
            self.core.resolve(where, self)
        else:
            self.resolved((where,), now)

    def resolved(self, targets: Sequence[Target], now: float) -> None:
        """The addresses, best first."""
        if self._given_up:
            return
        self._targets = targets
        if targets:
            self.next_target(now)
        else:
            self.failed(ResolutionError(f"no address for {self.draft.next_hop}"), now)

    def next_target(self, now: float) -> None:
        target, self._targets = self._targets[0], self._targets[1:]
        self.core.find_flow(target, self, now)

    def flow_found(self, flow: Flow, now: float) -> None:
        """The driver has a flow to the target."""
        if self._given_up:
            return
        if self._dialog is not None:
            self._dialog.hop, self._dialog.hop_flow = self.draft.next_hop, flow
        self.use(flow, now)

    def flow_refused(self, error: TransportError, now: float) -> None:
        """There is no flow to the target: try the next one."""
        if self._given_up:
            return
        if self._targets:
            self.next_target(now)
        else:
            self.failed(error, now)

    def use(self, flow: Flow, now: float) -> None:
        raise NotImplementedError

    def failed(self, error: SipError, now: float) -> None:
        raise NotImplementedError


class AckDispatch(Way):
    """An ACK for a 2xx: a transaction of its own with no answer (RFC 3261 §13.2.2.4)."""

    __slots__ = ("_user",)

    def __init__(self, core: Core, draft: Draft, dialog: Dialog, user: AckSent) -> None:
        super().__init__(core, draft, dialog)
        self._user = user

    def use(self, flow: Flow, now: float) -> None:
        data = bytes(self.draft.write(flow.via(self.core.identifiers.branch()), self.core.contact(flow)))
        self.core.retransmit(flow, data)
        self._user.ack_sent(self.draft.cseq, flow, data)

    def failed(self, error: SipError, now: float) -> None:
        """Nothing to do: the peer repeats its 2xx, and ends the call when no ACK arrives."""


class Dispatch(Way):
    """A request with its client transaction, renewed for each address and each challenge."""

    __slots__ = ("_answered", "_authentication", "_cancelling", "_user", "request", "transaction")

    def __init__(self, core: Core, draft: Draft, dialog: Dialog | None, user: ClientUser) -> None:
        super().__init__(core, draft, dialog)
        self._authentication = core.authenticator.remembered(draft)
        if self._authentication is not NOTHING:
            self.draft = attrs.evolve(
                draft, headers=core.authenticator.authorized(draft, self._authentication)
            )
        self._user = user
        self._answered = False  # a provisional came: no failing over any more
        self._cancelling = False  # CANCEL waits for a provisional
        self.request: Request | None = None
        self.transaction: AnyClient | None = None

    def __repr__(self) -> str:
        return f"<Dispatch {self.draft.method} {self.draft.uri}>"

    def use(self, flow: Flow, now: float) -> None:
        core = self.core
        branch = core.identifiers.branch()
        self.request = self.draft.write(flow.via(branch), core.contact(flow))
        self.transaction = core.transactions.request(self.request, branch, flow, self, now)

    def failed(self, error: SipError, now: float) -> None:
        user, self._user = self._user, NOBODY
        user.request_failed(error, now)

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            self._answered = True
            if self._cancelling:
                self._send_cancel(now)
        elif status in (401, 407) and not self._given_up and self._authenticate(response, now):
            return
        elif status == 503 and self._may_fail_over:
            self._fail_over(now)
            return
        if status >= 200 and self._authentication is not NOTHING:
            self.core.authenticator.concluded(self.draft, self._authentication, status)
        user = self._user
        if status >= 300 or (status >= 200 and self.draft.method != "INVITE"):
            self._user = NOBODY  # that was the last: he may refer to us, and need not outlive us
        user.response_received(response, now)

    def request_failed(self, error: SipError, now: float) -> None:
        if isinstance(error, TransportError) and self._dialog is not None:
            self._dialog.hop_flow = None
        if self._may_fail_over:
            self._fail_over(now)
        else:
            self.failed(error, now)

    @property
    def _may_fail_over(self) -> bool:
        """Whether another address may be tried (RFC 3263 §4.3)."""
        return bool(self._targets) and not self._answered and not self._given_up

    def _fail_over(self, now: float) -> None:
        self.request = self.transaction = None
        self.next_target(now)

    def _authenticate(self, response: Response, now: float) -> bool:
        """Send the request again with credentials (§22.2): same Call-ID and From, next CSeq."""
        assert self.request is not None
        assert self.transaction is not None
        authenticator = self.core.authenticator
        answered = authenticator.challenged(self._authentication, response)
        if answered is None:
            return False
        self._authentication = answered
        headers = authenticator.authorized(self.draft, answered)
        if self._dialog is None:
            cseq = self.draft.cseq + 1
        else:
            self._dialog.local_cseq += 1
            cseq = self._dialog.local_cseq
        self.draft = attrs.evolve(self.draft, cseq=cseq, headers=headers)
        self.use(self.transaction.flow, now)
        return True

    def give_up(self, now: float) -> None:
        self._given_up = True
        if isinstance(self.transaction, InviteClientTransaction):
            self.core.transactions.give_up(self.transaction, now)

    def cancel(self, now: float) -> None:
        """Give up, and send CANCEL as soon as a provisional response allows it (§9.1)."""
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
        self.core.transactions.request(cancel_for(self.request), branch, flow, NOBODY, now)
