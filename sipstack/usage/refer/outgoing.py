"""A REFER of ours, inside of a call or out of any, and the subscription that it makes (RFC 3515 §2.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import ParseError, RemoteProtocolError, SipError, TransactionTimeout
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.message.parameterised import SubscriptionState
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.refer.events import ReferConcluded, ReferProgressed
from sipstack.usage.refer.fragment import read_status

PACKAGE = "refer"
USUAL = 180
"""Seconds that a subscription lasts whose notifier does not say."""
LONGEST = 3600
"""Seconds that we wait for the next NOTIFY at the most, whatever the notifier says."""


class OutgoingRefer:
    """Sends one REFER, takes its NOTIFYs, and tells the outcome once.

    ``host``: the dialog that it goes out in; None begins one. ``closed`` is called when it takes no more
    NOTIFYs, which may be after the outcome.
    """

    __slots__ = (
        "_closed",
        "_concluded",
        "_core",
        "_draft",
        "_heard",
        "_host",
        "_is_over",
        "_outside",
        "_sent",
        "deadline",
        "scheduled",
        "user",
    )

    def __init__(self, core: CoreServices, draft: Draft, host: DialogUsages | None = None) -> None:
        self.user: Any = None
        self.deadline = self.scheduled = NEVER
        self._core = core
        self._draft = draft
        self._host = host
        self._outside = host is None
        self._closed: Callable[[], None] = lambda: None
        self._sent: SentRequest | None = None
        self._heard = False  # a NOTIFY has come
        self._concluded = False
        self._is_over = False

    @classmethod
    def inside(cls, core: CoreServices, host: DialogUsages, headers: HeaderFields) -> OutgoingRefer:
        """One in the dialog of a call."""
        return cls(core, host.draft("REFER", headers, contact=True), host)

    def __repr__(self) -> str:
        return f"<OutgoingRefer {self._draft.uri} {self._draft.call_id}>"

    @property
    def call_id(self) -> str:
        return self._draft.call_id

    @property
    def request(self) -> Request | None:
        """The REFER as it last went out."""
        return self._sent.request if self._sent is not None else None

    @property
    def number(self) -> int:
        """The CSeq number, which is the id of the subscription (§2.4.6)."""
        request = self.request
        return self._draft.cseq if request is None else request.cseq.number

    def start(self, now: float, closed: Callable[[], None] = lambda: None) -> None:
        self._closed = closed
        if self._host is not None:
            # the next number as well: it goes out with that when it is challenged
            for number in (self._draft.cseq + 1, self._draft.cseq):
                self._host.add(self, ("NOTIFY", PACKAGE, str(number)))
        else:
            self._core.open_dialog_set(*self._place, self)
        sent = self._core.send(self._draft, self, now, self._host)
        if not self._is_over:
            self._sent = sent

    @property
    def _place(self) -> tuple[str, str]:
        return self._draft.call_id, self._draft.from_.rpartition(";tag=")[2]

    def abandon(self, now: float) -> None:
        """Nobody waits for the outcome any more: NOTIFYs are answered for a while, and that is all."""
        self._concluded = True
        if not self._is_over:
            self._wait(min(self.deadline, now + self._core.timers.timeout))

    # -- the answer to REFER -------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200 or self._is_over:
            return
        if response.status >= 300:
            self._refused(response, now)
            return
        if self._host is not None and not self._outside:
            with suppress(ParseError, RemoteProtocolError):
                self._host.dialog.refresh_target(response)
            if self.number != self._draft.cseq:  # it went out again, with credentials
                self._host.add(self, ("NOTIFY", PACKAGE, str(self.number)))
        if wants_no_subscription(response):  # RFC 4488 §4
            self._conclude(response, of_refer=True)
            self._close()
        elif not self._heard:
            self._wait(now + self._core.timers.timeout)  # RFC 6665 §4.1.2.4: Timer N

    def _refused(self, response: Response, now: float) -> None:
        self._conclude(response, of_refer=True)
        self._close()
        outcome = f"REFER: {response.status} {response.reason}"
        if response.status == 481:  # RFC 5057 §5.1: these two are about the dialog
            self._lose(RemoteProtocolError(outcome, 481), now)
        elif response.status == 408:
            self._lose(TransactionTimeout(outcome), now)

    def request_failed(self, error: SipError, now: float) -> None:
        """Whoever sends us NOTIFYs has taken it: then only the answer was lost."""
        if self._is_over or self._heard:
            return
        self._conclude(error)
        self._close()
        if isinstance(error, TransactionTimeout):
            self._lose(error, now)

    def _lose(self, error: SipError, now: float) -> None:
        if self._host is not None and not self._outside:
            self._host.lost(error, now)

    # -- NOTIFY --------------------------------------------------------------------------------------------

    def dialog_of(self, request: Request) -> DialogUsages | None:
        """The NOTIFY that makes the dialog of a REFER outside of any, before the 2xx or after it. The first
        fork that says something is the one that counts.
        """
        sent = self.request
        key = self._core.owner_key(request)
        if self._host is not None or sent is None or key not in self._keys_outside:
            return None
        host = DialogUsages(self._core, Dialog.as_subscriber(sent, request), self._draft.identity)
        if self._sent is not None:
            host.hop, host.flow = self._draft.next_hop, self._sent.flow
        host.add(self, key)
        self._host = host
        return host

    @property
    def _keys_outside(self) -> tuple[tuple[str, str, str | None], ...]:
        return ("NOTIFY", PACKAGE, None), ("NOTIFY", PACKAGE, str(self.number))

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A NOTIFY. Without Subscription-State, which some leave out, the subscription goes on."""
        state: SubscriptionState | None = request.headers.readable("Subscription-State")
        response = read_status(request)
        if self._host is not None:
            self._host.dialog.refresh_target(request)
        self._core.respond(transaction, request.response(200), now)
        self._heard = True
        over = state is not None and state.state == "terminated"
        if response is not None and response.status >= 200:
            self._conclude(response)
        elif response is not None and not self._concluded:
            self._core.emit(ReferProgressed(self, response))
        if over:
            reason = state.reason if state is not None else None
            text = f"the other side does not tell what became of its call: {reason or 'no reason given'}"
            self._conclude(RemoteProtocolError(text))
            self._close()
        elif self._concluded:  # what still comes is only the end
            self._wait(now + self._core.timers.timeout)
        else:
            self._wait(now + min(_seconds(state), LONGEST))

    def ack_received(self, request: Request, now: float) -> None:
        """No REFER is acknowledged."""

    def lost(self, error: SipError, now: float) -> None:
        self._conclude(error)
        self._close()

    # -- the end -------------------------------------------------------------------------------------------

    def _wait(self, until: float) -> None:
        self.deadline = until
        self._core.schedule(self)

    def timeout(self, now: float) -> None:
        self._conclude(TransactionTimeout("the other side does not tell what became of its call"))
        self._close()

    def faulted(self, error: SipError, now: float) -> None:
        self._conclude(error)
        self._close()

    def _conclude(self, outcome: Response | SipError, *, of_refer: bool = False) -> None:
        if not self._concluded:
            self._concluded = True
            self._core.emit(ReferConcluded(self, outcome, of_refer))

    def _close(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.deadline = NEVER
        if self._host is not None:
            self._host.remove(self)
        if self._outside:
            self._core.close_dialog_set(*self._place)
        self._closed()


def wants_no_subscription(message: Request | Response) -> bool:
    """Whether it says ``Refer-Sub: false`` (RFC 4488)."""
    value = message.headers.readable("Refer-Sub")
    return value is not None and value.value.lower() == "false"


def _seconds(state: SubscriptionState | None) -> int:
    """How long the subscription lasts, where that can be read."""
    if state is None:
        return USUAL
    try:
        return USUAL if state.expires is None else state.expires
    except ParseError:
        return USUAL
