"""Everything that the endpoint tells its user agent, in one place."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from sipstack.transaction.flow import Flow
from sipstack.usage.info import CandidatesReceived, DigitReceived
from sipstack.usage.invite.events import (
    Accepted,
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
    ProgressConfirmed,
    Progressed,
    RefreshDue,
    Refused,
    Routed,
)
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session
from sipstack.usage.received import RequestReceived
from sipstack.usage.registration.events import FlowLost, Registered, RegistrationFailed, Unregistered
from sipstack.usage.standalone import ResponseReceived, Unanswered


@attrs.frozen
class AddressChanged:
    """Peers see us at another address from now on: the flows that have become others, and why."""

    moves: Mapping[Flow, Flow]
    reason: str
    receiver: None = None


@attrs.frozen(eq=False)
class SessionResumed:
    """A session that another process had, or this one before it was started again, goes on here: answer with
    ``takeovers.proceed``, so that what the peer has asked for finds its user.
    """

    session: Session
    record: SessionRecord
    epoch: int = 0
    """How often it was taken over, this time included."""
    receiver: None = None


Event = (
    Accepted
    | Acknowledged
    | AddressChanged
    | Answered
    | CandidatesReceived
    | DigitReceived
    | Ended
    | Failed
    | FlowLost
    | InvitationCancelled
    | InvitationReceived
    | OfferAnswered
    | OfferDue
    | OfferReceived
    | OfferRefused
    | ProgressConfirmed
    | Progressed
    | RefreshDue
    | Refused
    | Registered
    | RegistrationFailed
    | RequestReceived
    | ResponseReceived
    | Routed
    | SessionResumed
    | Unanswered
    | Unregistered
)

__all__ = [
    "Accepted",
    "Acknowledged",
    "AddressChanged",
    "Answered",
    "CandidatesReceived",
    "DigitReceived",
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
    "ProgressConfirmed",
    "Progressed",
    "RefreshDue",
    "Refused",
    "Registered",
    "RegistrationFailed",
    "RequestReceived",
    "ResponseReceived",
    "Routed",
    "SessionResumed",
    "Unanswered",
    "Unregistered",
]
