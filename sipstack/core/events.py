"""Everything that the endpoint tells its user agent, in one place."""

from __future__ import annotations

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
    Routed,
)
from sipstack.usage.received import RequestReceived
from sipstack.usage.registration.events import FlowLost, Registered, RegistrationFailed, Unregistered
from sipstack.usage.standalone import ResponseReceived, Unanswered

Event = (
    Acknowledged
    | Answered
    | Ended
    | Failed
    | FlowLost
    | InvitationCancelled
    | InvitationReceived
    | OfferAnswered
    | OfferDue
    | OfferReceived
    | OfferRefused
    | Progressed
    | Refused
    | Registered
    | RegistrationFailed
    | RequestReceived
    | ResponseReceived
    | Routed
    | Unanswered
    | Unregistered
)

__all__ = [
    "Acknowledged",
    "Answered",
    "Ended",
    "Event",
    "Failed",
    "FlowLost",
    "InvitationCancelled",
    "InvitationReceived",
    "OfferAnswered",
    "OfferDue",
    "OfferReceived",
    "OfferRefused",
    "Progressed",
    "Refused",
    "Registered",
    "RegistrationFailed",
    "RequestReceived",
    "ResponseReceived",
    "Routed",
    "Unanswered",
    "Unregistered",
]
