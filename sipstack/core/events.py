"""Everything that the endpoint tells its user agent, in one place."""

from __future__ import annotations

import attrs

from sipstack.message import Request
from sipstack.usage.invite.events import (
    Acknowledged,
    Answered,
    Ended,
    Failed,
    InvitationCancelled,
    InvitationReceived,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
    Progressed,
    Refused,
)
from sipstack.usage.registration import Registered, RegistrationFailed, Unregistered
from sipstack.usage.standalone import ResponseReceived, Unanswered


@attrs.frozen
class MessageReceived:
    """An instant message (RFC 3428); 200 is already sent."""

    request: Request


Event = (
    Acknowledged
    | Answered
    | Ended
    | Failed
    | InvitationCancelled
    | InvitationReceived
    | MessageReceived
    | OfferAnswered
    | OfferDue
    | OfferReceived
    | OfferRefused
    | Progressed
    | Refused
    | Registered
    | RegistrationFailed
    | ResponseReceived
    | Unanswered
    | Unregistered
)

__all__ = [
    "Acknowledged",
    "Answered",
    "Ended",
    "Event",
    "Failed",
    "InvitationCancelled",
    "InvitationReceived",
    "MessageReceived",
    "OfferAnswered",
    "OfferDue",
    "OfferReceived",
    "OfferRefused",
    "Progressed",
    "Refused",
    "Registered",
    "RegistrationFailed",
    "ResponseReceived",
    "Unanswered",
    "Unregistered",
]
