"""The host of one dialog's usages (RFC 5057): the owner of each request, and the flow of requests of ours.

The dialog itself is a record of values. Here is what lives beside it: the usages, the flow. A dialog comes
into the core's table with its first usage and leaves it with the last.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.keeper import Noting, nothing
from sipstack.dialog.proof import Proof
from sipstack.dialog.services import AckUser, CoreServices, SentRequest, Usage
from sipstack.errors import SipError
from sipstack.message import Headers, Request
from sipstack.message.headers import HeaderFields
from sipstack.outcome import Outcome
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import ClientUser

MAXIMUM_USAGES = 32
"""Beside the call, of one dialog."""
REPEATABLE = frozenset(("INVITE", "UPDATE", "PRACK", "BYE", "OPTIONS"))
"""Methods that do no harm when a request of which we have seen to already comes again, in a new transaction:
to the heir of a session, or from who has overheard it.
"""
CSEQ_MARGIN = 500
"""How many of the reserved numbers are left when new ones are asked for."""
INVITE_USAGE = "INVITE"
"""The key of the one usage that the methods of a call belong to."""


class DialogUsages:
    """Hosts the usages of ``dialog``. A plain call has one, the INVITE usage, in a place of its own."""

    __slots__ = (
        "_core",
        "_others",
        "ceiling",
        "closing",
        "dialog",
        "flow",
        "hop",
        "identity",
        "invite",
        "proof",
        "source",
    )

    def __init__(self, core: CoreServices, dialog: Dialog, identity: Identity) -> None:
        self._core = core
        self.dialog = dialog
        self.identity = identity
        self.invite: Usage | None = None
        self._others: dict[Hashable, Usage] | None = None
        self.flow: Flow | None = None
        """The way of the latest request, of ours or of the peer. It is taken without a look-up while it leads
        to ``hop``, for a dialog finds its way once; and in place of a next hop that leads nowhere.
        """
        self.hop = ""
        self.closing = False
        """Whether our BYE ends the call, and the peer does not know it yet: without other usages the dialog
        is over (RFC 3261 §15.1.1, RFC 5407 §3.3.3).
        """
        self.ceiling = 0
        """The CSeq number up to which ours are reserved in the store; 0 while the session is not kept."""
        self.proof: Proof | None = None
        """Who has proved to be the peer; None where nobody was asked."""
        self.source = ""
        """The host that sent the request which began the dialog; empty when that was ours."""

    def __repr__(self) -> str:
        return f"<DialogUsages {[*self._all()]} of {self.dialog.call_id}>"

    @property
    def host(self) -> str:
        """The host that the dialog began with; empty where that is not known."""
        return self.source or ("" if self.flow is None else self.flow.remote[0])

    # -- usages --------------------------------------------------------------------------------------------

    def add(self, usage: Usage, key: Hashable = INVITE_USAGE) -> None:
        """Host ``usage`` under the key that its requests have (see ``CoreServices.owner_key``)."""
        if self.invite is None and not self._others:
            self._core.open_dialog(self)
        if key == INVITE_USAGE:
            self.invite = usage
        else:
            self._others = {**(self._others or {}), key: usage}

    def remove(self, usage: Usage) -> None:
        """The usage is over; with the last one the dialog is. Does nothing when it was over before."""
        if self.invite is usage:
            self.invite = None
        elif self._others:
            self._others = {key: other for key, other in self._others.items() if other is not usage} or None
        else:
            return
        if self.invite is None and not self._others:
            self._core.close_dialog(self)

    def find(self, key: Hashable | None) -> Usage | None:
        """The usage under ``key``. One that names no id means the oldest of its kind (RFC 3515 §2.4.6)."""
        if key == INVITE_USAGE:
            return self.invite
        others = self._others or {}
        if key in others or not isinstance(key, tuple) or key[-1] is not None:
            return others.get(key)
        alike = (other for at, other in others.items() if isinstance(at, tuple) and at[:-1] == key[:-1])
        return next(alike, None)

    @property
    def is_full(self) -> bool:
        """Whether the peer may begin nothing more in it: each SUBSCRIBE and REFER adds a usage."""
        return self._others is not None and len(self._others) >= MAXIMUM_USAGES

    def lost(self, error: SipError, now: float) -> None:
        """The peer has lost the dialog: every usage is told, and ends."""
        for usage in self._all():
            usage.lost(error, now)

    def _all(self) -> list[Usage]:
        first = [] if self.invite is None else [self.invite]
        return [*first, *(self._others or {}).values()]

    # -- requests of the peer ------------------------------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request other than ACK and CANCEL: to its owner, in order of CSeq (RFC 3261 §12.2.2)."""
        core, dialog = self._core, self.dialog
        refused = core.refusal(request)
        number = request.cseq.number
        if refused is None:
            seen = dialog.remote_cseq
            if seen is not None and (number < seen or (number == seen and request.method not in REPEATABLE)):
                refused = 500, ()  # the same number again was never meant, or is done already
            else:
                dialog.remote_cseq = number
        if refused is not None:
            core.respond(transaction, request.response(refused[0], headers=refused[1]), now)
            return
        if self.ceiling and request.method not in REPEATABLE and core.keeper is not None:
            # who takes over must not do it a second time
            core.keeper.settle(self, Noting(partial(self._take, request, transaction)), now)
        else:
            self._take(request, transaction, Outcome.DONE, now)

    def _take(self, request: Request, transaction: AnyServer, outcome: Outcome, now: float) -> None:
        core = self._core
        if outcome is Outcome.CONFLICT:
            core.respond(transaction, request.response(500), now)
            return
        key = core.owner_key(request)
        usage = self.invite if key is INVITE_USAGE else self.find(key)
        if usage is not None:
            usage.request_received(request, transaction, now)
        elif key is INVITE_USAGE or (self.closing and not self._others):
            # an INVITE, too: what serves it outside of a dialog would begin a new one
            core.count_unmatched()
            core.respond(transaction, request.response(481), now)
        else:
            core.serve(request, transaction, now)

    def ack_received(self, request: Request, now: float) -> None:
        """An ACK for a 2xx."""
        if self.invite is None:
            self._core.count_unmatched()
        else:
            self.invite.ack_received(request, now)

    # -- requests of ours ----------------------------------------------------------------------------------

    def draft(
        self,
        method: str,
        headers: Headers | HeaderFields = (),
        body: bytes = b"",
        *,
        contact: bool = False,
    ) -> Draft:
        """A new request of ours (§12.2.1.1), with the next CSeq."""
        dialog = self.dialog
        return dialog.draft(
            dialog.next_cseq(), method, headers, body, contact=contact, identity=self.identity
        )

    def send(self, draft: Draft, user: ClientUser, now: float) -> SentRequest:
        """Send a request of the dialog."""
        if (
            self.ceiling
            and self.dialog.local_cseq > self.ceiling - CSEQ_MARGIN
            and self._core.keeper is not None
        ):
            self._core.keeper.settle(self, nothing, now)
        return self._core.send(draft, user, now, self)

    def send_ack(self, cseq: int, headers: HeaderFields, body: bytes, user: AckUser, now: float) -> None:
        """Acknowledge the 2xx to the INVITE with number ``cseq`` (§13.2.2.4)."""
        draft = self.dialog.draft(cseq, "ACK", headers, body, identity=self.identity)
        self._core.send_ack(draft, user, now, self)
