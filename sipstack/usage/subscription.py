"""One subscription: the subscriber's usage of a dialog that a NOTIFY has made (RFC 6665 §4.1)."""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import ParseError, SipError, TransactionTimeout, TransportError
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.message.parameterised import SubscriptionState
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.records import SubscriptionRecord
from sipstack.usage.refresh import LONGEST, longer_interval, refresh_after

ENDING = frozenset({401, 403, 404, 405, 407, 410, 416, *range(480, 486), 489, 501, 604})
"""Refusals of a refresh that end the subscription (§4.1.2.2); 401, 403 and 407, as asking again cannot help.
After any other it lasts as long as was granted, and is tried again.
"""
ALIKE = 5.0
"""Seconds by which two times may differ that mean the same end."""
PAUSE = 60.0
"""Seconds after a SUBSCRIBE in which an error of its datagrams is no reason for another one."""


class Subscriber(Protocol):
    """The SUBSCRIBE that the subscription comes from. ``granted``: the seconds of its 2xx; until that comes,
    those of our wish, ``expires``.
    """

    expires: int
    granted: int
    closing: bool

    def fields(self, expires: int) -> HeaderFields:
        """The fields of each SUBSCRIBE."""

    def notified(
        self,
        subscription: SubscriptionUsage,
        state: SubscriptionState,
        expires: float | None,
        request: Request,
    ) -> None:
        """A NOTIFY has come, and is answered."""

    def ended(
        self,
        subscription: SubscriptionUsage,
        state: SubscriptionState | None = None,
        response: Response | None = None,
        error: SipError | None = None,
    ) -> None:
        """It is over: the notifier said so, refused a refresh, or is not there any more."""


class SubscriptionUsage:
    """Answers NOTIFY, and refreshes itself until ``end``."""

    __slots__ = (
        "_again",
        "_core",
        "_held",
        "_is_over",
        "_pending",
        "_recalled",
        "_refresh_at",
        "_sent_at",
        "_subscriber",
        "_told",
        "_until",
        "host",
        "known",
        "scheduled",
    )

    def __init__(self, core: CoreServices, host: DialogUsages, subscriber: Subscriber, package: str) -> None:
        self.host = host
        self.scheduled = NEVER
        self._core = core
        self._subscriber = subscriber
        self.known = False
        """Whether a NOTIFY has been taken: until then there is only a dialog."""
        self._pending = False  # a SUBSCRIBE is under way
        self._sent_at = 0.0
        self._again = False  # another one waits for its end
        self._held: Flow | None = None
        self._told = False  # a NOTIFY has said how long
        self._until = NEVER
        self._refresh_at = NEVER
        self._is_over = False
        self._recalled = False  # it goes on from a record, and nothing has been accepted since
        host.add(self, ("NOTIFY", package, None))

    @classmethod
    def from_record(
        cls,
        record: SubscriptionRecord,
        core: CoreServices,
        host: DialogUsages,
        subscriber: Subscriber,
        package: str,
        now: float,
    ) -> SubscriptionUsage:
        """Go on with a subscription from before a restart."""
        usage = cls(core, host, subscriber, package)
        usage.known = usage._told = usage._recalled = True
        usage._sent_at = now
        usage._renewed(now + max(record.expires_in, 0.0), now)
        return usage

    def record(self, now: float) -> SubscriptionRecord | None:
        """What must survive a restart; None where there is nothing to go on with."""
        if not self.known or self._is_over or self._until <= now:
            return None
        return SubscriptionRecord(attrs.evolve(self.host.dialog), self._until - now)

    def __repr__(self) -> str:
        return f"<SubscriptionUsage of {self.host.dialog.remote_target}>"

    @property
    def deadline(self) -> float:
        return min(self._until, self._refresh_at)

    # -- NOTIFY --------------------------------------------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A NOTIFY of ours, in order (§4.1.3)."""
        state: SubscriptionState | None = request.headers.typed("Subscription-State")
        if state is None:
            self._core.respond(transaction, request.response(400), now)
            return
        self.host.dialog.refresh_target(request)
        self._core.respond(transaction, request.response(200), now)
        over = state.state == "terminated"
        if not over:
            self._lasts(seconds_of(state, "expires"), now)
        self._subscriber.notified(self, state, None if over else self._until - now, request)
        first, self.known = not self.known, True
        if over:
            self._end(state)
        elif first:
            self._sent_at = now
            self._hold(self.host.flow, now)
            if self._subscriber.closing:
                self.refresh(now)  # it was not there yet when we unsubscribed

    def _lasts(self, expires: int | None, now: float) -> None:
        """The notifier says how long, with each NOTIFY (§4.1.3); asked as if it had granted what we want."""
        self._told = self._told or expires is not None
        if expires is None and not self.known:
            expires = self._subscriber.granted
        if expires is not None and not self._subscriber.closing:
            until = now + min(expires, LONGEST)
            if abs(until - self._until) > ALIKE:
                self._renewed(until, now)

    def first_answered(self, now: float) -> None:
        """The first SUBSCRIBE is accepted: how long counts where the NOTIFY that came before did not say."""
        if self.known and not self._told:
            self._lasts(self._subscriber.granted, now)

    def _renewed(self, until: float, now: float) -> None:
        self._until = until
        self._refresh_at = now + refresh_after(until - now, self._core.timers.timeout, self._core.identifiers)
        self._core.schedule(self)

    def ack_received(self, request: Request, now: float) -> None:
        """No subscription sends an INVITE."""

    def lost(self, error: SipError, now: float) -> None:
        self._end(error=error)

    # -- SUBSCRIBE -----------------------------------------------------------------------------------------

    def refresh(self, now: float) -> None:
        """Subscribe again, or for no time at all once the subscriber is closing. Only one SUBSCRIBE is under
        way, for the last one counts.
        """
        self._refresh_at = NEVER
        if self._pending:
            self._again = True
            return
        subscriber = self._subscriber
        fields = subscriber.fields(0 if subscriber.closing else subscriber.expires)
        draft = self.host.draft("SUBSCRIBE", fields, contact=True)
        self._pending, self._sent_at = True, now
        self.host.send(draft, self, now)

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200 or self._is_over:
            return
        if self._went_on(now, response.status not in ENDING):
            return
        if response.status < 300:
            self._accepted(response, now)
        else:
            self._refused(response, now)

    def request_failed(self, error: SipError, now: float) -> None:
        if self._is_over or self._went_on(now):
            return
        if self._subscriber.closing:
            self._end(error=error)
        else:
            self._try_again(0.0, now)

    def _went_on(self, now: float, helps: bool = True) -> bool:
        """A SUBSCRIBE is done. Whether another one was waiting for that, and is sent now."""
        self._pending = False
        again, self._again = self._again, False
        if again and helps:
            self.refresh(now)
        return again and helps

    def _accepted(self, response: Response, now: float) -> None:
        self._recalled = False
        self.host.dialog.refresh_target(response)
        self._hold(self.host.flow, now)
        if self._subscriber.closing:
            self._wait_for_the_last(now)
        else:
            granted = response.headers.readable("Expires")
            self._renewed(now + min(self._subscriber.expires if granted is None else granted, LONGEST), now)

    def _wait_for_the_last(self, now: float) -> None:
        """The NOTIFY that ends it; it does not matter if none comes."""
        self._refresh_at, self._until = NEVER, now + self._core.timers.timeout
        self._core.schedule(self)

    def _refused(self, response: Response, now: float) -> None:
        minimum = longer_interval(response, self._subscriber.expires)
        behind = self._recalled and response.status == 500  # the process before went further (§12.2.2)
        if self._subscriber.closing or behind or response.status in ENDING:
            self._end(response=response)
        elif minimum is not None:
            self._subscriber.expires = minimum
            self.refresh(now)
        else:
            self._try_again(retry_after(response) or 0.0, now)

    def _try_again(self, pause: float, now: float) -> None:
        """While it lasts; at the end it is over."""
        wait = max(pause, 1.0, min((self._until - now) / 3, PAUSE))
        self._refresh_at = now + wait * self._core.identifiers.uniform(0.5, 1.0)
        self._core.schedule(self)

    # -- time, and the flow --------------------------------------------------------------------------------

    def timeout(self, now: float) -> None:
        if now < self._until:
            self.refresh(now)
            self._core.schedule(self)
        else:
            self._end(error=TransactionTimeout("the subscription has run out: its refresh was not answered"))

    def faulted(self, error: SipError, now: float) -> None:
        self._end(error=error)

    def _hold(self, flow: Flow | None, now: float) -> None:
        """NOTIFYs come over the flow of the last SUBSCRIBE: keep it, and hear of its end."""
        if flow == self._held:
            return
        if self._held is not None:
            self._core.release_flow(self._held, self)
        self._held = flow
        if flow is not None:
            self._core.hold_flow(flow, self, None, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The flow is gone: the next SUBSCRIBE finds another, and tells where we are. At random within a
        second: there may be many of us.
        """
        self._held = None
        if not self._pending and not self._is_over:
            earliest = now if flow.reliable else max(now, self._sent_at + PAUSE)
            earliest += self._core.identifiers.uniform(0.0, 1.0)
            self._refresh_at = min(self._refresh_at, earliest)
            self._core.schedule(self)

    def discard(self) -> None:
        """The NOTIFY that was to make it could not be taken."""
        self._close()

    def _end(
        self,
        state: SubscriptionState | None = None,
        response: Response | None = None,
        error: SipError | None = None,
    ) -> None:
        if not self._is_over:
            self._close()
            self._subscriber.ended(self, state, response, error)

    def _close(self) -> None:
        self._is_over = True
        self._until = self._refresh_at = NEVER
        if self._held is not None:
            self._core.release_flow(self._held, self)
            self._held = None
        self.host.remove(self)


def seconds_of(state: SubscriptionState, name: str) -> int | None:
    """Its parameter ``name``, "expires" or "retry-after", where it can be read."""
    try:
        return state.expires if name == "expires" else state.retry_after
    except ParseError:
        return None
