"""The public names, pinned: a change here is a change for our users, and belongs in the changelog."""

from __future__ import annotations

import sipstack

# What ``from sipstack import ...`` promises, sorted. Edit it on purpose, never to make the test pass.
PUBLIC = [
    "Accept",
    "Audio",
    "AudioSession",
    "AudioSink",
    "AudioSource",
    "AuthenticationFailed",
    "Backoff",
    "Call",
    "CallEnded",
    "CallRejected",
    "Capture",
    "FlowClosed",
    "Frame",
    "Invitation",
    "InvitationReceived",
    "LocalProtocolError",
    "MediaError",
    "MediaPort",
    "MediaStatistics",
    "NegotiationError",
    "OutgoingInvite",
    "ParseError",
    "Redirect",
    "Registration",
    "RegistrationRejected",
    "RegistrationState",
    "Reject",
    "RemoteProtocolError",
    "Request",
    "RequestFailed",
    "ResolutionError",
    "Response",
    "SipError",
    "Timers",
    "TracedMessage",
    "TransactionTimeout",
    "TransportError",
    "UserAgent",
    "bridge",
    "melody",
]


def test_the_public_names_are_these() -> None:
    assert sorted(sipstack.__all__) == PUBLIC


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    undocumented = [name for name in PUBLIC if not (getattr(sipstack, name).__doc__ or "").strip()]
    assert undocumented == []
