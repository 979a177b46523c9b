"""A subscription that is kept while an ``async with`` block runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs

from sipstack.core.events import AddressChanged
from sipstack.core.registry import Withdraw
from sipstack.errors import (
    AuthenticationFailed,
    LocalProtocolError,
    ParseError,
    SipError,
    SubscriptionRejected,
)
from sipstack.log import TRANSACTION
from sipstack.message import Request
from sipstack.ua.backoff import Backoff
from sipstack.ua.kept_records import subscriber_values
from sipstack.ua.kept_state import Kept
from sipstack.ua.refusal import refusal
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.soft_state import SoftState
from sipstack.ua.stream import Stream
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.subscriber import SubscriberUsage
from sipstack.usage.subscription_events import Accepted, Notified, Over

FINAL = frozenset({"rejected", "noresource", "invariant"})
"""Reasons of an end after which there is nothing to subscribe to any more (RFC 6665 §4.1.3)."""
AT_ONCE = frozenset({"deactivated", "timeout"})
"""Reasons after which to subscribe again without delay."""
STABLE = 60.0
"""Seconds: a subscription that ended sooner was no success, so the waits go on growing."""
RESUMES = 10.0
"""Seconds in which the notifier says something to who goes on after a restart; then we subscribe anew."""
AGAIN = Backoff()

Retry = Backoff | bool | None


@attrs.frozen
class Notification:
    """A NOTIFY. ``state``: that of the subscription, "active", "pending" or "terminated"; ``reason``: why it
    ended, such as "noresource". ``source`` tells one notifier from the next where a SUBSCRIBE was forked.
    """

    package: EventPackage
    state: str
    reason: str
    source: str
    request: Request
    whole: Any = attrs.field(default=None, repr=False)

    @property
    def body(self) -> bytes:
        """The octets of the body."""
        return self.request.body

    @property
    def value(self) -> Any:
        """The state that it tells, as its package reads it: of message-summary a MessageSummary, of dialog a
        DialogInfo, and so on; octets where the package is unknown; None where there is no body. Where a
        notification tells only what has changed, this is the whole. Raises ParseError.
        """
        return self.package.value_of(self.request) if self.whole is None else self.whole


class Subscription(SoftState):
    """Our subscription to a state: ``async for`` gives each notification. 64 wait for who is slow to take
    them; then the oldest is lost.

    The iteration ends when the notifier has ended it for good, and raises what ended it otherwise:
    SubscriptionRejected, AuthenticationFailed, TransactionTimeout, TransportError.
    """

    _UNANSWERED = "the subscription to %s has not ended yet: no answer"

    def __init__(
        self,
        runtime: Runtime,
        subscribe: Callable[[], SubscriberUsage],
        package: EventPackage,
        retry: Retry,
        release: Withdraw,
        target: str,
        kept: Kept | None = None,
    ) -> None:
        super().__init__(runtime, target, kept)
        self._package = package
        self._state = "terminated"
        self._latest: Notification | None = None
        self._subscribe = subscribe
        self._retry = retry
        self._release: Withdraw | None = release
        self._usage: SubscriberUsage | None = None
        self._notifications: Stream[Notification] = Stream()
        self._whole: dict[str, Any] = {}  # the states of notifiers that tell changes
        self._asked_for_all = False
        self._opened: Result[None] = Result()
        self._subscribed_at = self._began
        self._subscribed = False
        self._before: Callable[[float], SubscriberUsage] | None = None  # makes that of before a restart
        self._resuming: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Subscription to {self._package.name} of {self._target}: {self._state}>"

    # -- how it stands -------------------------------------------------------------------------------------

    @property
    def package(self) -> EventPackage:
        """What it is a subscription to."""
        return self._package

    @property
    def state(self) -> str:
        """ "active", "pending", or "terminated" while there is none."""
        return self._state

    @property
    def active(self) -> bool:
        """Whether the notifier tells us the state."""
        return self._state == "active"

    @property
    def latest(self) -> Notification | None:
        """The latest notification."""
        return self._latest

    @property
    def retry_at(self) -> float | None:
        """When we subscribe again after it was lost, in the event loop's time."""
        return self._retry_at

    def refresh(self) -> None:
        """Have the notifier tell the whole state again, now."""
        if self._usage is not None and self._subscribed:
            self._runtime.command(self._usage.refresh, self._runtime.now())

    def __aiter__(self) -> AsyncIterator[Notification]:
        return self

    async def __anext__(self) -> Notification:
        try:
            return await self._notifications.__anext__()
        except StopAsyncIteration:
            if self._error is not None and not self._closing:
                raise self._error from None
            raise

    # -- see SoftState -------------------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._before is not None:
            self._go_on(self._before)
        else:
            self._place()
        await self._opened

    def _place(self) -> None:
        self._stop_trying()
        usage = self._begin(self._subscribe())
        TRANSACTION.info("%s: subscribing to %s of %s", usage.call_id, self._package.name, self._target)
        self._runtime.command(usage.start, self._runtime.now())

    def _begin(self, usage: SubscriberUsage) -> SubscriberUsage:
        self._subscribed_at = self._runtime.now()
        self._usage, self._subscribed = usage, True
        self._runtime.attach(self, usage)
        return usage

    def _go_on(self, before: Callable[[float], SubscriberUsage]) -> None:
        """Refresh what there was before a restart; the NOTIFY that follows tells that it is there still."""
        usage = self._begin(self._runtime.command(before, self._runtime.now()))
        TRANSACTION.info("%s: going on with %s of %s", usage.call_id, self._package.name, self._target)
        self._resuming = self._runtime.loop.call_later(RESUMES, self._begin_anew)
        self._runtime.command(usage.refresh, self._runtime.now())

    def _begin_anew(self) -> None:
        """What there was before is no use."""
        usage = self._usage
        self._resumed()
        if usage is not None:
            usage.user = None
            self._runtime.command(usage.unsubscribe, self._runtime.now())
        self._place()

    def _resumed(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None

    def _taken_over(self) -> None:
        if self._usage is not None:
            self._runtime.command(self._usage.abandon)
        super()._taken_over()

    def _withdraw(self) -> None:
        self._resumed()
        if self._usage is not None and self._subscribed:
            self._runtime.command(self._usage.unsubscribe, self._runtime.now())
        else:
            self._finish(None)

    def _over(self, error: SipError | None) -> None:
        self._resumed()
        release, self._release = self._release, None
        if release is not None:
            release()
        if self._usage is not None:
            self._runtime.detach(self, self._usage)
        self._notifications.close()
        if error is not None:
            self._opened.fail(error)
        else:
            self._opened.set(None)

    def _moved(self, change: AddressChanged) -> None:
        """NOTIFYs come to an address that is not ours any more."""
        usage = self._usage
        hosts = () if usage is None else [each.host for each in usage.subscriptions]
        if any(host.flow in change.moves.values() for host in hosts):
            self.refresh()

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Accepted | Notified | Over) -> None:
        self._heard = True
        match event:
            case Accepted():
                self._settled()
            case Notified():
                self._notified(event)
                self._settled()
            case Over():
                self._ended(event)

    def _settled(self) -> None:
        self._worked, self._error = True, None
        self._opened.set(None)

    def _notified(self, event: Notified) -> None:
        self._resumed()
        self._keep_record()
        state = event.state.state
        told = state in ("pending", "terminated")
        self._state = state if told else "active"
        self._expires_at = None if event.expires is None else self._runtime.now() + event.expires
        whole = None if self._package.merge is None else self._merged(event, self._package.merge)
        reason = event.state.reason or ""
        found = Notification(self._package, self._state, reason, event.source, event.request, whole)
        self._latest = found
        self._notifications.put(found)

    def _keep_record(self) -> None:
        usage = self._usage
        if self._kept is None or usage is None:
            return
        record = usage.record(self._runtime.now())
        if record is not None:
            lasts = max(each.expires_in for each in record.subscriptions)
            self._keep(subscriber_values(record), lasts)

    def _merged(self, event: Notified, merge: Callable[[Any, Any], Any]) -> Any:
        """The whole state of this notifier; None where it is not known: then it is asked for, once."""
        try:
            came = self._package.value_of(event.request)
        except ParseError:
            return None  # whoever looks at the value is told
        if came is None:
            return None
        whole = merge(self._whole.get(event.source), came)
        if whole is None:
            self._whole.pop(event.source, None)
            if not self._asked_for_all and not self._closing:
                self._asked_for_all = True
                self.refresh()
        else:
            self._asked_for_all = False
            self._whole[event.source] = whole
        return whole

    def _ended(self, event: Over) -> None:
        usage = event.subscriber
        self._subscribed = False
        usage.user = None
        self._state, self._expires_at = "terminated", None
        self._whole.clear()
        self._forget()
        if self._closing:
            self._finish(None)
            return
        error = failure(event)
        if self._resuming is not None and not isinstance(error, AuthenticationFailed):
            TRANSACTION.info("%s: it is not there any more: %s", usage.call_id, error or event.state)
            self._begin_anew()
            return
        reason = "" if event.state is None else (event.state.reason or "").lower()
        told = error if error is not None else f"the notifier says {reason or 'terminated'}"
        TRANSACTION.info("%s: the subscription to %s is over: %s", usage.call_id, self._target, told)
        if usage.expires == 0 or reason in FINAL or not self._may_help(error, event):
            self._finish(error)
        else:
            self._plan(event, reason, error)

    def _may_help(self, error: SipError | None, event: Over) -> bool:
        """Whether to subscribe again. What has worked once is tried again where that may help, ``retry`` or
        not; with ``retry`` whatever the notifier says, but for credentials.
        """
        if isinstance(error, AuthenticationFailed | LocalProtocolError):
            return False
        if error is None:
            return True
        unknown = event.response is not None and event.response.status == 481 and self._worked
        hopeful = error.transient or unknown or (self._worked and bool(self._retry))
        return hopeful and bool(self._worked or self._retry)

    def _plan(self, event: Over, reason: str, error: SipError | None) -> None:
        runtime = self._runtime
        self._count(anew=runtime.now() - self._subscribed_at >= STABLE)
        unknown = event.response is not None and event.response.status == 481
        at_once = self._failures == 1 and (reason in AT_ONCE or unknown or event.error is not None)
        backoff = self._retry if isinstance(self._retry, Backoff) else AGAIN
        identifiers = runtime.identifiers
        wait = identifiers.uniform(0.0, 1.0) if at_once else backoff.wait(self._failures, identifiers)
        self._error = error
        wait = self._try_in(wait, event.retry_after)
        self._opened.set(None)  # ``retry`` is given, or it has worked
        TRANSACTION.warning("the subscription to %s begins again in %s s", self._target, round(wait, 1))


def failure(event: Over) -> SipError | None:
    """The error that the end of a subscription stands for; None where the notifier has said why."""
    if event.response is None:
        return event.error
    return refusal(event.response, event.subscriber.request, SubscriptionRejected)


@asynccontextmanager
async def subscribed(subscription: Subscription) -> AsyncIterator[Subscription]:
    """Own ``subscription``: leaving the block unsubscribes."""
    try:
        await subscription._open()
        yield subscription
    finally:
        await subscription._close()
