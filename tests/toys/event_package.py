"""A made-up event package, "moon": both sides of a subscription (RFC 6665) in one file that edits no other.

All that it needs from the core is in `CoreServices`, the host of a dialog's usages and the registry.
"""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.core.core import Core
from sipstack.core.registry import Method, Package
from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER

PACKAGE = "moon"


@attrs.frozen
class Notified:
    """The subscriber hears of the state; ``state`` is "active", or why the subscription is over."""

    subscription: Subscription
    state: str
    body: bytes
    receiver: Any = None


@attrs.frozen
class NotSubscribed:
    """The SUBSCRIBE has come to nothing."""

    subscriber: Subscriber
    reason: str
    receiver: Any = None


# --- the subscriber ---


def watch(core: Core) -> None:
    """Take NOTIFY from now on."""
    core.registry.add_method(Method("NOTIFY", by_event=True))
    core.registry.add_package(Package(PACKAGE, Subscription))


class Subscriber:
    """One SUBSCRIBE outside of a dialog, and the subscriptions in the dialogs of its forks."""

    def __init__(self, core: CoreServices, target: str, identity: Identity, expires: int = 600) -> None:
        tag = core.identifiers.tag()
        self.core = core
        self.subscriptions: list[Subscription] = []
        self.expires = expires
        self.deadline = self.scheduled = NEVER
        self.draft = Draft(
            "SUBSCRIBE",
            target,
            f"{identity.aor};tag={tag}",
            f"<{target}>",
            core.identifiers.call_id(),
            1,
            identity.routes,
            Headers((*core.announced(), ("Event", PACKAGE), ("Expires", str(expires)))),
            contact="",
            identity=identity,
        )
        self._place = self.draft.call_id, tag
        self._sent: SentRequest | None = None

    def __repr__(self) -> str:
        return f"<Subscriber {self.draft.uri}>"

    def start(self, now: float) -> None:
        """Subscribe, and wait for NOTIFYs as long as Timer N runs (RFC 6665 §4.1.2.4)."""
        self.core.open_dialog_set(*self._place, self)
        self.deadline = now + 64 * self.core.timers.t1
        self.core.schedule(self)
        self._sent = self.core.send(self.draft, self, now)

    def dialog_of(self, request: Request) -> DialogUsages | None:
        """A NOTIFY makes the dialog, before the 2xx or after it, one for each fork (§4.4.1)."""
        sent = self._sent.request if self._sent is not None else None
        event = request.headers.typed("Event")
        if sent is None or request.method != "NOTIFY" or event is None or event.package != PACKAGE:
            return None
        dialog = Dialog.as_subscriber(sent, request)
        return self._subscription(DialogUsages(self.core, dialog, self.draft.identity)).host

    def _subscription(self, host: DialogUsages) -> Subscription:
        subscription = Subscription(self.core, host, self.expires)
        self.subscriptions.append(subscription)
        return subscription

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 300:
            self._close(str(response.status))

    def request_failed(self, error: SipError, now: float) -> None:
        self._close(str(error))

    def timeout(self, now: float) -> None:
        self._close("no NOTIFY")

    def faulted(self, error: SipError, now: float) -> None:
        self._close(str(error))

    def _close(self, reason: str) -> None:
        self.core.close_dialog_set(*self._place)
        self.deadline = NEVER
        if not self.subscriptions:
            self.core.emit(NotSubscribed(self, reason))


class Subscription:
    """The subscriber's usage of a dialog, a call's perhaps."""

    def __init__(self, core: CoreServices, host: DialogUsages, expires: int, id: str | None = None) -> None:
        self.core = core
        self.host = host
        self.expires = expires
        self.event = PACKAGE if id is None else f"{PACKAGE};id={id}"
        host.add(self, ("NOTIFY", PACKAGE, id))

    def __repr__(self) -> str:
        return f"<Subscription {self.host.dialog.remote_target}>"

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        state = request.headers.typed("Subscription-State")
        if state is None:
            self.core.respond(transaction, request.response(400), now)
            return
        self.core.respond(transaction, request.response(200), now)
        self.host.dialog.refresh_target(request)
        if state.state == "terminated":
            self._end(state.reason or "terminated", request.body)
        else:
            self.core.emit(Notified(self, state.state, request.body))

    def ack_received(self, request: Request, now: float) -> None:
        """No subscription sends an INVITE."""

    def lost(self, error: SipError, now: float) -> None:
        self._end(str(error))

    def subscribe(self, now: float) -> None:
        """Begin in the dialog that is there, or refresh."""
        headers = (("Event", self.event), ("Expires", str(self.expires)))
        self.host.send(self.host.draft("SUBSCRIBE", headers, contact=True), self, now)

    def unsubscribe(self, now: float) -> None:
        """The last NOTIFY ends it."""
        self.expires = 0
        self.subscribe(now)

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 300:
            self._end(str(response.status))  # this usage, not the dialog (RFC 5057 §5.1)
        elif response.status >= 200:
            self.host.dialog.refresh_target(response)

    def request_failed(self, error: SipError, now: float) -> None:
        self._end(str(error))

    def _end(self, reason: str, body: bytes = b"") -> None:
        self.host.remove(self)
        self.core.emit(Notified(self, reason, body))


# --- the notifier ---


class Notifier:
    """Accepts every SUBSCRIBE to the moon from now on, outside of a dialog and inside of any."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.watchers: list[Watcher] = []
        core.registry.add_method(Method("SUBSCRIBE", self.subscribed, by_event=True))
        core.registry.add_package(Package(PACKAGE, self))

    def subscribed(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A SUBSCRIBE that belongs to no usage."""
        core = self.core
        host = core.dialog_of(request) or core.begin_dialog(request, transaction.flow, now)
        if isinstance(host, tuple):  # no dialog can be made of it, or its sender has enough
            status, headers = host
            refused = request.response(status, to_tag=core.identifiers.tag(), headers=headers)
            core.respond(transaction, refused, now)
            return
        watcher = Watcher(self, host, request)
        self.watchers.append(watcher)
        watcher.request_received(request, transaction, now)


class Watcher:
    """The notifier's usage of a dialog."""

    def __init__(self, notifier: Notifier, host: DialogUsages, request: Request) -> None:
        self.core = notifier.core
        self.notifier = notifier
        self.host = host
        self.event = str(request.headers.typed("Event"))
        self.deadline = self.scheduled = NEVER
        host.dialog.early = False
        key = self.core.owner_key(request)
        assert key is not None
        host.add(self, key)

    def __repr__(self) -> str:
        return f"<Watcher {self.host.dialog.remote_target}>"

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """The first SUBSCRIBE, a refresh, or the end: 200, and a NOTIFY at once (RFC 6665 §4.2.1.2)."""
        core, host = self.core, self.host
        expires = 600 if request.expires is None else min(request.expires, 600)
        fields = core.dialog_fields(transaction.flow, host, session_description=False)
        routes = tuple(("Record-Route", value) for value in request.headers.raw("Record-Route"))
        fields = fields.joined(Headers((*routes, ("Expires", str(expires)))))
        response = request.response(200, to_tag=host.dialog.local_tag, headers=fields)
        core.respond(transaction, response, now)
        host.dialog.refresh_target(request)
        if expires:
            self.deadline = now + expires
            core.schedule(self)
            self.notify(now, b"waxing")
        else:
            self.end("timeout", now)

    def ack_received(self, request: Request, now: float) -> None:
        """No subscription sends an INVITE."""

    def lost(self, error: SipError, now: float) -> None:
        self._close()

    def notify(self, now: float, body: bytes) -> None:
        """Tell the state."""
        self._send((("Subscription-State", f"active;expires={int(self.deadline - now)}"),), body, now)

    def end(self, reason: str, now: float) -> None:
        """Say that it is over."""
        self._close()
        self._send((("Subscription-State", f"terminated;reason={reason}"),), b"", now)

    def timeout(self, now: float) -> None:
        self.end("timeout", now)

    def faulted(self, error: SipError, now: float) -> None:
        self._close()

    def _send(self, state: HeaderFields, body: bytes, now: float) -> None:
        content: HeaderFields = (("Content-Type", "text/plain"),) if body else ()
        headers = (("Event", self.event), *state, *content)
        self.host.send(self.host.draft("NOTIFY", headers, body, contact=True), self, now)

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 300:
            self._close()  # this usage, not the dialog (RFC 5057 §5.1)

    def request_failed(self, error: SipError, now: float) -> None:
        self._close()

    def _close(self) -> None:
        self.deadline = NEVER
        self.host.remove(self)
        if self in self.notifier.watchers:
            self.notifier.watchers.remove(self)
