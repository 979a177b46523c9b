"""Subscribing to the states of others, and taking what they tell unasked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from functools import partial

from sipstack.errors import LocalProtocolError, TransactionTimeout
from sipstack.message import NameAddr
from sipstack.message.grammar import is_token
from sipstack.ua.account import Account
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import IN_REGISTERS, HeadersArgument, header_fields, target_uri
from sipstack.ua.events import Events
from sipstack.ua.kept_records import subscriber_of
from sipstack.ua.stream import Stream
from sipstack.ua.subscription import Notification, Retry, Subscription, subscribed
from sipstack.usage.packages.known import package_named
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.records import SubscriberRecord
from sipstack.usage.subscriber import SubscriberUsage
from sipstack.usage.unsolicited import NotifiedUnasked

IN_SUBSCRIBES = IN_REGISTERS | {
    "Event": "give the event",
    "Expires": "give expires=",
    "Accept": "it follows from the event package",
}


class Subscribing(AgentBase):
    """Subscribes."""

    def subscribe(
        self,
        target: str,
        event: str | EventPackage,
        *,
        expires: int | None = None,
        retry: Retry = None,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe to an event of ``target`` (RFC 6665) and keep it so; leaving the block unsubscribes.

        ``event``: the name of a package, such as "message-summary", "dialog" or "presence"; a package of your
        own is an ``EventPackage``. ``expires``: seconds; the package's own if not given.

        Entering waits until the notifier has taken it, and raises SubscriptionRejected, AuthenticationFailed,
        TransactionTimeout, TransportError. It is refreshed in time; when the notifier loses it (481), is not
        there for a while or asks for that (``deactivated``, ``probation``), we subscribe again. With
        ``retry`` also where the first SUBSCRIBE fails for the moment, and whatever the notifier says later;
        the waits are those of the Backoff.
        """
        package = as_package(event)
        fields = header_fields(headers, IN_SUBSCRIBES)
        target = target_uri(target)
        sender = self._sender(account, from_, max_forwards)
        seconds = package.expires if expires is None else expires
        if not 0 <= seconds < 2**31:
            raise LocalProtocolError(f"expires is 0 to 2**31-1 seconds, not {seconds}")
        core, names = self._runtime.core, sender.towards(target)
        begin = partial(core.subscriber, target, package, seconds, fields, **names)
        name = (
            "" if seconds == 0 else str(from_ or self._known(account).aor)
        )  # what is asked once is not kept

        def go_on(record: SubscriberRecord, now: float) -> SubscriberUsage:
            return core.resume_subscriber(record, now, target, package, seconds, fields, **names)

        return self._subscribed(begin, go_on, package, retry, target, name)

    @contextlib.asynccontextmanager
    async def _subscribed(
        self,
        begin: Callable[[], SubscriberUsage],
        go_on: Callable[[SubscriberRecord, float], SubscriberUsage],
        package: EventPackage,
        retry: Retry,
        target: str,
        name: str,
    ) -> AsyncIterator[Subscription]:
        runtime = self._runtime
        places = runtime.kept if name else None
        kept = None if places is None else await places.claim("subscription", name, target, package.name)
        events: Events = runtime.services[Events]
        release = events.subscribe(package.name)
        subscription = Subscription(runtime, begin, package, retry, release, target, kept)
        if kept is not None and (record := kept.recalled(subscriber_of)) is not None:
            subscription._before = partial(go_on, record)
        async with subscribed(subscription):
            yield subscription

    async def poll(
        self,
        target: str,
        event: str | EventPackage,
        *,
        headers: HeadersArgument = (),
        account: Account | None = None,
    ) -> Notification:
        """Ask for the state of ``target`` once, without a subscription (RFC 6665 §4.4.3). Raises like
        ``subscribe``.
        """
        async with self.subscribe(target, event, expires=0, headers=headers, account=account) as once:
            async for notification in once:
                return notification
        raise TransactionTimeout("SUBSCRIBE was accepted, but no NOTIFY came")

    @contextlib.asynccontextmanager
    async def notifications(
        self, events: Collection[str | EventPackage] = ("message-summary",)
    ) -> AsyncIterator[AsyncIterator[Notification]]:
        """While the block runs, take NOTIFYs that come without a subscription: ``async for`` gives each.
        Without it they are refused. Servers tell those who are registered of waiting messages so.
        """
        taking = Taking()
        with contextlib.ExitStack() as registered:
            for each in [events] if isinstance(events, str) else events:
                package = as_package(each)
                taking.packages[package.name] = package
                service: Events = self._runtime.services[Events]
                registered.callback(service.take(package.name, taking))
            yield taking.notifications


class Taking:
    """Takes unasked notifications."""

    def __init__(self) -> None:
        self.packages: dict[str, EventPackage] = {}
        self.notifications: Stream[Notification] = Stream()

    def _on_event(self, event: NotifiedUnasked) -> None:
        request = event.request
        state = request.headers.readable("Subscription-State")
        name, reason = ("active", "") if state is None else (state.state, state.reason or "")
        source = request.from_.uri_text
        self.notifications.put(Notification(self.packages[event.package], name, reason, source, request))


def as_package(event: str | EventPackage) -> EventPackage:
    """The package of an argument ``event``. Raises LocalProtocolError for a name that can be none."""
    package = event if isinstance(event, EventPackage) else package_named(event)
    if not is_token(package.name):
        raise LocalProtocolError(f"{package.name!r} is no name of an event package")
    return package
