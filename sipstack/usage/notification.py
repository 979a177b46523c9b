"""The notifier: subscriptions of others to a state of ours (RFC 6665 §4.2)."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices, Refusal
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError, RequestFailed, SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import accepts_one_of
from sipstack.usage.packages.package import EventPackage

MOST_TRIES = 5
"""How often one NOTIFY goes out that is refused for the moment."""
LONGEST_WAIT = 32.0
"""Seconds that it waits for that."""
KEPT = frozenset({400, 401, 403, 407, 413, 415, 420, 491})
"""Refusals of a NOTIFY that say nothing against the subscription: they are about this one."""


@attrs.frozen
class OfWatcher:
    """Of a subscription that somebody else has to a state of ours."""

    watcher: WatcherUsage

    @property
    def receiver(self) -> Any:
        return self.watcher.notifier.user


@attrs.frozen
class Asked(OfWatcher):
    """Somebody subscribes: ``watcher.accept`` or ``watcher.refuse``, at once."""


@attrs.frozen
class StateDue(OfWatcher):
    """The watcher is to be told the state: ``watcher.tell``, at once."""


@attrs.frozen
class WatcherGone(OfWatcher):
    """The subscription is over. ``error``: the watcher does not know it any more, or is not there."""

    error: SipError | None = None


class NotifierUsage:
    """Takes the SUBSCRIBEs to one package, outside of a dialog and inside of any. ``shortest`` and
    ``longest``: the seconds that are granted.
    """

    def __init__(self, core: CoreServices, package: EventPackage, shortest: int, longest: int) -> None:
        self.user: Any = None
        self.package = package
        self.shortest = shortest
        self.longest = longest
        self._core = core

    def __repr__(self) -> str:
        return f"<NotifierUsage {self.package.name}>"

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A SUBSCRIBE that belongs to no subscription yet."""
        core = self._core
        host = self.refusal(request) or core.host_of(request, transaction.flow, now)
        if isinstance(host, tuple):
            tag = request.to.tag or core.identifiers.tag()
            core.respond(transaction, request.response(host[0], to_tag=tag, headers=host[1]), now)
            return
        core.emit(Asked(WatcherUsage(core, self, host, request, transaction)))

    def refusal(self, request: Request) -> Refusal | None:
        """How a SUBSCRIBE is refused whoever sends it (§4.2.1.1). Raises ParseError."""
        content_type = self.package.content_type
        if content_type and "Accept" in request.headers and not accepts_one_of(request, (content_type,)):
            return 406, (("Warning", f'399 sipstack "{self.package.name} comes as {content_type}"'),)
        if 0 < self.seconds(request) < self.shortest:
            return 423, (("Min-Expires", str(self.shortest)),)
        return None

    def seconds(self, request: Request) -> int:
        """That a SUBSCRIBE asks for, and gets (§4.2.1.1). Raises ParseError."""
        expires = request.expires
        return min(self.package.expires if expires is None else expires, self.longest)


class WatcherUsage:
    """One subscription of somebody else. One NOTIFY is under way at a time: what changes meanwhile is told
    when that is answered, and only as it is then.
    """

    __slots__ = (
        "_core",
        "_due",
        "_ending",
        "_is_over",
        "_last",
        "_pending",
        "_retry_at",
        "_seconds",
        "_transaction",
        "_tries",
        "event",
        "expires_at",
        "host",
        "notifier",
        "request",
        "scheduled",
        "state",
    )

    def __init__(
        self,
        core: CoreServices,
        notifier: NotifierUsage,
        host: DialogUsages,
        request: Request,
        transaction: AnyServer,
    ) -> None:
        self.notifier = notifier
        self.host = host
        self.request = request
        """The latest SUBSCRIBE."""
        self.state = "pending"
        """"pending" or "active"."""
        self.expires_at = NEVER
        self.event = request.headers.typed("Event")
        self.scheduled = NEVER
        self._core = core
        self._transaction: AnyServer | None = transaction  # until the first SUBSCRIBE is answered
        self._seconds = notifier.seconds(request)
        self._pending = False  # a NOTIFY is under way
        self._due = False  # and another state waits for its end
        self._ending: str | None = None  # the end of the Subscription-State, once it is to be told
        self._last = False  # the NOTIFY under way tells the end
        self._tries = 0
        self._retry_at = NEVER
        self._is_over = False
        host.add(self, ("SUBSCRIBE", self.event.package, self.event.id))

    def __repr__(self) -> str:
        return f"<WatcherUsage {self.event} {self.host.dialog.remote_target}>"

    @property
    def deadline(self) -> float:
        return min(self.expires_at, self._retry_at)

    # -- SUBSCRIBE -----------------------------------------------------------------------------------------

    def accept(self, now: float, *, active: bool = True) -> None:
        """Take the subscription; not ``active``: somebody has to be asked first, and nothing is told yet."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise LocalProtocolError("the SUBSCRIBE is answered")
        self.state = "active" if active else "pending"
        self._granted(self.request, transaction, now)

    def refuse(self, status: int, now: float, headers: HeaderFields = ()) -> None:
        """Refuse the subscription: 300 to 699."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise LocalProtocolError("the SUBSCRIBE is answered")
        response = self.request.response(status, to_tag=self.host.dialog.local_tag, headers=headers)
        self._core.respond(transaction, response, now)
        self._close()

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A refresh, or the end."""
        refused = (481, ()) if self._ending is not None else self.notifier.refusal(request)
        if refused is not None:
            self._core.respond(transaction, request.response(refused[0], headers=refused[1]), now)
            return
        self.request, self._seconds = request, self.notifier.seconds(request)
        self._granted(request, transaction, now)

    def _granted(self, request: Request, transaction: AnyServer, now: float) -> None:
        """200, and the state at once (§4.2.1.2)."""
        host = self.host
        fields = self._core.dialog_fields(transaction.flow, host, session_description=False, now=now)
        routes = [("Record-Route", value) for value in request.headers.raw("Record-Route")]
        fields = fields.joined(Headers((*routes, ("Expires", str(self._seconds)))))
        response = request.response(200, to_tag=host.dialog.local_tag, headers=fields)
        self._core.respond(transaction, response, now)
        host.dialog.refresh_target(request)
        if self._seconds:
            self.expires_at = now + self._seconds
            self._core.schedule(self)
            self.changed(now)
        else:
            self.end("timeout", now)

    def ack_received(self, request: Request, now: float) -> None:
        """No subscription sends an INVITE."""

    def lost(self, error: SipError, now: float) -> None:
        self._gone(error)

    # -- NOTIFY --------------------------------------------------------------------------------------------

    def changed(self, now: float) -> None:
        """The state is another one: it is asked for when it can be told."""
        if self._is_over:
            return
        if self._pending or self._retry_at < NEVER or self._transaction is not None:
            self._due = True
        else:
            self._core.emit(StateDue(self))

    def approve(self, now: float) -> None:
        """A pending subscription is active from now on."""
        if self.state != "active":
            self.state = "active"
            self.changed(now)

    def end(self, reason: str, now: float, retry_after: int | None = None) -> None:
        """End it: ``reason`` is one of §4.1.3, and goes out with the state in the last NOTIFY."""
        if self._ending is None and not self._is_over:
            later = "" if retry_after is None else f";retry-after={retry_after}"
            self._ending = f"reason={reason}{later}"
            self.expires_at = NEVER
            self.changed(now)

    def tell(self, body: bytes | None, now: float) -> None:
        """Send NOTIFY: the answer to ``StateDue``."""
        if self._is_over or self._pending:
            return
        self._due, self._last = False, self._ending is not None
        if self._ending is not None:
            state = f"terminated;{self._ending}"
        else:
            state = f"{self.state};expires={max(0, int(self.expires_at - now))}"
        headers = [("Event", str(self.event)), ("Subscription-State", state)]
        content_type = self.notifier.package.content_type
        if body:
            headers.append(("Content-Type", content_type or "application/octet-stream"))
        draft = self.host.draft("NOTIFY", tuple(headers), body or b"", contact=True)
        self._pending = True
        self.host.send(draft, self, now)

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200 or self._is_over:
            return
        self._pending = False
        if response.status < 300:
            self._tries = 0
            self._told(now)
        elif 500 <= response.status < 600 and response.status != 501 and self._tries < MOST_TRIES:
            # not now: of two that overtake each other the older gets 500, too
            pause = max(retry_after(response) or 0.0, 0.5 * 2.0**self._tries)
            self._tries += 1
            self._retry_at = now + min(pause, LONGEST_WAIT)
            self._core.schedule(self)
        elif response.status in KEPT and not self._last:
            self._told(now)
        else:
            self._gone(None if self._last else RequestFailed(response))

    def _told(self, now: float) -> None:
        if self._last:
            self._gone(None)
        elif self._due or self._ending is not None:
            self._core.emit(StateDue(self))

    def request_failed(self, error: SipError, now: float) -> None:
        """§4.2.2: who does not answer a NOTIFY has no subscription any more."""
        if not self._is_over:
            self._gone(None if self._last else error)

    def timeout(self, now: float) -> None:
        if self._retry_at <= now:
            self._retry_at = NEVER
            self._core.emit(StateDue(self))
        if self.expires_at <= now:
            self.end("timeout", now)
        self._core.schedule(self)

    def faulted(self, error: SipError, now: float) -> None:
        self._gone(error)

    def _gone(self, error: SipError | None) -> None:
        self._close()
        self._core.emit(WatcherGone(self, error))

    def _close(self) -> None:
        self._is_over = True
        self.expires_at = self._retry_at = NEVER
        self.host.remove(self)
