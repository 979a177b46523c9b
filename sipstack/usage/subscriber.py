"""A SUBSCRIBE outside of a dialog, and the subscriptions that its forks make (RFC 6665 §4.1)."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError, TransactionTimeout
from sipstack.message import Headers, Request, Response
from sipstack.message.parameterised import SubscriptionState
from sipstack.transaction.timers import NEVER
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.records import SubscriberRecord, local_tag, recalled
from sipstack.usage.refresh import longer_interval
from sipstack.usage.subscription import SubscriptionUsage, seconds_of
from sipstack.usage.subscription_events import Accepted, Notified, Over

MOST_FORKS = 32


class SubscriberUsage:
    """Subscribes with ``draft``, and keeps what it has made until ``unsubscribe``. Tells of each NOTIFY, and
    once that it is over.

    A NOTIFY makes the dialog, not the 2xx, which may come after it or from elsewhere (§4.4.1). Where the
    package has one notifier, the first NOTIFY counts, and the dialog of another is refused (§5.4.9).
    """

    __slots__ = (
        "_answered",
        "_core",
        "_draft",
        "_is_over",
        "_open",
        "_sent",
        "_waits_until",
        "closing",
        "expires",
        "granted",
        "package",
        "scheduled",
        "subscriptions",
        "user",
    )

    def __init__(self, core: CoreServices, draft: Draft, package: EventPackage, expires: int) -> None:
        self.user: Any = None
        self.package = package
        self.expires = expires
        """Seconds that each SUBSCRIBE asks for. 0: the state as it is, once (§4.4.3)."""
        self.granted = expires
        """Seconds that the 2xx to it has granted."""
        self.subscriptions: list[SubscriptionUsage] = []
        self.closing = False
        self.scheduled = NEVER
        self._core = core
        self._draft = draft
        self._sent: SentRequest | None = None
        self._waits_until = NEVER  # for the first NOTIFY of each fork: Timer N
        self._open = False
        self._answered = False
        self._is_over = False  # nothing more is told

    @classmethod
    def from_record(
        cls,
        record: SubscriberRecord,
        core: CoreServices,
        draft: Draft,
        package: EventPackage,
        expires: int,
        now: float,
    ) -> SubscriberUsage:
        """Go on with the subscriptions from before a restart: ``refresh``, in place of ``start``, tells the
        notifiers where we are.
        """
        usage = cls(core, recalled(draft, record.call_id, record.local_tag), package, expires)
        for each in record.subscriptions:
            host = DialogUsages(core, attrs.evolve(each.dialog), draft.identity)
            kept = SubscriptionUsage.from_record(each, core, host, usage, package.name, now)
            usage.subscriptions.append(kept)
        return usage

    def record(self, now: float) -> SubscriberRecord | None:
        """What must survive a restart; None while there is no subscription."""
        kept = [each.record(now) for each in self.subscriptions]
        found = tuple(each for each in kept if each is not None)
        return SubscriberRecord(*self._place, found) if found and not self.closing else None

    def __repr__(self) -> str:
        return f"<SubscriberUsage {self.package.name} {self._draft.uri}>"

    @property
    def deadline(self) -> float:
        return self._waits_until

    @property
    def _place(self) -> tuple[str, str]:
        return self._draft.call_id, local_tag(self._draft.from_)

    @property
    def request(self) -> Request | None:
        """The first SUBSCRIBE as it went out last; None before that."""
        return self._sent.request if self._sent is not None else None

    @property
    def call_id(self) -> str:
        return self._draft.call_id

    # -- commands ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Subscribe, and wait for NOTIFYs as long as Timer N runs (§4.1.2.4)."""
        self._open = True
        self._core.open_dialog_set(*self._place, self)
        self._subscribe(now)

    def _subscribe(self, now: float) -> None:
        core, draft = self._core, self._draft
        self._answered = False
        self._waits_until = now + core.timers.timeout
        core.schedule(self)
        headers = draft.headers.joined(Headers(self.fields(self.expires)))
        self._sent = core.send(attrs.evolve(draft, headers=headers), self, now)

    def fields(self, expires: int) -> tuple[tuple[str, str], ...]:
        """The fields of each SUBSCRIBE."""
        accept = (("Accept", self.package.content_type),) if self.package.content_type else ()
        return ("Event", self.package.name), ("Expires", str(expires)), *accept

    def refresh(self, now: float) -> None:
        """Have each notifier tell the whole state (§4.1.2.2), at our present address."""
        for each in self.subscriptions:
            if each.known:
                each.refresh(now)

    def unsubscribe(self, now: float) -> None:
        """End it (§4.1.2.3): the last NOTIFY, or a refusal, does so. A SUBSCRIBE that is under way cannot be
        taken back: what it makes is ended.
        """
        if not self.closing:
            self.closing = True
            self.refresh(now)

    def abandon(self) -> None:
        """Another process goes on with it: answer and send nothing more, and tell nobody."""
        self._is_over = True
        for each in self.subscriptions:
            each.discard()
        self.subscriptions.clear()
        self._close_set()

    # -- forks ---------------------------------------------------------------------------------------------

    def dialog_of(self, request: Request) -> DialogUsages | None:
        """See ``dialog.services.DialogSet``."""
        sent = self.request
        event = request.headers.typed("Event")
        if sent is None or request.method != "NOTIFY" or event is None:
            return None
        if (event.package, event.id) != (self.package.name, None) or not self._takes_one_more:
            return None
        flow = None if self._sent is None else self._sent.flow
        dialog = Dialog.as_subscriber(sent, request, secure=flow is not None and flow.secure)
        host = DialogUsages(self._core, dialog, self._draft.identity)
        host.hop, host.flow = self._draft.next_hop, flow
        self.subscriptions.append(SubscriptionUsage(self._core, host, self, self.package.name))
        return host

    @property
    def _takes_one_more(self) -> bool:
        return len(self.subscriptions) < (MOST_FORKS if self.package.forks else 1)

    def notified(
        self,
        subscription: SubscriptionUsage,
        state: SubscriptionState,
        expires: float | None,
        request: Request,
    ) -> None:
        """One of the subscriptions has had a NOTIFY."""
        source = subscription.host.dialog.remote_tag
        self._core.emit(Notified(self, source, state, expires, request))

    def ended(
        self,
        subscription: SubscriptionUsage,
        state: SubscriptionState | None = None,
        response: Response | None = None,
        error: SipError | None = None,
    ) -> None:
        """One of the subscriptions is over. What is asked for once is over with its first notifier."""
        self.subscriptions.remove(subscription)
        if self._is_subscribed:
            return
        if response is not None:
            pause = retry_after(response)
        else:
            pause = None if state is None else seconds_of(state, "retry-after")
        self._over(state, response, error, pause)

    # -- answers -------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200 or self._is_over:
            return
        self._answered = True
        minimum = longer_interval(response, self.expires)
        if response.status < 300:
            granted = response.headers.readable("Expires")
            self.granted = self.expires if granted is None else granted
            self._core.emit(Accepted(self))
            for each in self.subscriptions:
                each.first_answered(now)
        elif self._is_subscribed:
            pass  # a fork has taken it, whatever another says
        elif minimum is not None and not self.closing and self.request is not None:
            self.expires = minimum
            self._draft = attrs.evolve(self._draft, cseq=self.request.cseq.number + 1)
            self._subscribe(now)
        else:
            self._over(response=response, pause=retry_after(response))

    def request_failed(self, error: SipError, now: float) -> None:
        self._answered = True
        if not self._is_subscribed and not self._is_over:
            self._over(error=error)

    def timeout(self, now: float) -> None:
        """Timer N: no other fork is waited for; while targets are tried one after the other, it runs on."""
        if not self._answered:
            self._waits_until = now + self._core.timers.timeout
            self._core.schedule(self)
            return
        self._close_set()
        if not self._is_subscribed:
            self._over(error=TransactionTimeout("SUBSCRIBE was accepted, but no NOTIFY came"))

    def faulted(self, error: SipError, now: float) -> None:
        for each in self.subscriptions:
            each.discard()
        self.subscriptions.clear()
        self._over(error=error)

    @property
    def _is_subscribed(self) -> bool:
        return any(each.known for each in self.subscriptions)

    def _close_set(self) -> None:
        """No dialog begins any more."""
        self._waits_until = NEVER
        for each in [each for each in self.subscriptions if not each.known]:
            self.subscriptions.remove(each)
            each.discard()
        if self._open:
            self._open = False
            self._core.close_dialog_set(*self._place)

    def _over(
        self,
        state: SubscriptionState | None = None,
        response: Response | None = None,
        error: SipError | None = None,
        pause: float | None = None,
    ) -> None:
        self._is_over = True
        self._close_set()
        self._core.emit(Over(self, state, response, error, pause))
