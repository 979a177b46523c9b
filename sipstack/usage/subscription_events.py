"""What a subscription tells its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipstack.errors import SipError
from sipstack.message import Request, Response
from sipstack.message.parameterised import SubscriptionState

if TYPE_CHECKING:
    from sipstack.usage.subscriber import SubscriberUsage


@attrs.frozen
class OfSubscription:
    """Of a SUBSCRIBE of ours and the dialogs that it has made."""

    subscriber: SubscriberUsage

    @property
    def receiver(self) -> Any:
        return self.subscriber.user


@attrs.frozen
class Accepted(OfSubscription):
    """The notifier has taken the SUBSCRIBE (2xx). The state comes in a NOTIFY."""


@attrs.frozen
class Notified(OfSubscription):
    """A NOTIFY. ``source`` tells one notifier from the next where a SUBSCRIBE was forked; ``expires``: the
    seconds that are left, None when it is over.
    """

    source: str
    state: SubscriptionState
    expires: float | None
    request: Request


@attrs.frozen
class Over(OfSubscription):
    """Nothing more comes. The notifier has said why (``state``) or refused a SUBSCRIBE (``response``), or
    there is an ``error``: no answer, no NOTIFY. ``retry_after``: the seconds that the notifier wants to be
    left alone.
    """

    state: SubscriptionState | None = None
    response: Response | None = None
    error: SipError | None = None
    retry_after: float | None = None
