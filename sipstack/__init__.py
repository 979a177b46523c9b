"""sipstack: a SIP user agent stack for asyncio.

    async with sipstack.UserAgent("sip:alice@example.com", password="secret") as ua:
        async with ua.call("sip:bob@example.com") as call:
            await call.play("hello.wav")

``UserAgent`` owns an identity: it places calls (``call``, ``invite``), answers them (``serve``), registers
(``register``) and sends single requests (``options``, ``message``). ``async with`` owns, ``async for``
streams, ``await`` gives an outcome. Refusals raise ``CallRejected``, the end of a call raises ``CallEnded``
from what was in progress. ``sipstack.message`` and ``sipstack.sdp`` are the parsers alone;
``sipstack.testing`` tests an application without sockets, in virtual time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipstack.core.configuration import Timers
    from sipstack.core.events import InvitationReceived
    from sipstack.core.trace import TracedMessage
    from sipstack.errors import (
        AuthenticationFailed,
        CallEnded,
        CallRejected,
        FlowClosed,
        LocalProtocolError,
        MediaError,
        NegotiationError,
        ParseError,
        RegistrationRejected,
        RemoteProtocolError,
        RequestFailed,
        ResolutionError,
        SipError,
        TransactionTimeout,
        TransportError,
    )
    from sipstack.media.audio import Audio, Frame, MediaStatistics
    from sipstack.media.io import AudioSink, AudioSource
    from sipstack.media.port import MediaPort
    from sipstack.media.session import AudioSession
    from sipstack.media.tones import melody
    from sipstack.message import Request, Response
    from sipstack.net.capture import Capture
    from sipstack.ua.agent import UserAgent
    from sipstack.ua.backoff import Backoff
    from sipstack.ua.bridge import bridge
    from sipstack.ua.call import Call
    from sipstack.ua.invitation import Invitation
    from sipstack.ua.outgoing import OutgoingInvite
    from sipstack.ua.policy import Accept, Redirect, Reject
    from sipstack.ua.registration import Registration, RegistrationState

__version__ = "0.1.0"

__all__ = [
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

_HOMES = {
    "Accept": "sipstack.ua.policy",
    "Audio": "sipstack.media.audio",
    "AudioSession": "sipstack.media.session",
    "AudioSink": "sipstack.media.io",
    "AudioSource": "sipstack.media.io",
    "AuthenticationFailed": "sipstack.errors",
    "Backoff": "sipstack.ua.backoff",
    "Call": "sipstack.ua.call",
    "CallEnded": "sipstack.errors",
    "CallRejected": "sipstack.errors",
    "Capture": "sipstack.net.capture",
    "FlowClosed": "sipstack.errors",
    "Frame": "sipstack.media.audio",
    "Invitation": "sipstack.ua.invitation",
    "InvitationReceived": "sipstack.core.events",
    "LocalProtocolError": "sipstack.errors",
    "MediaError": "sipstack.errors",
    "MediaPort": "sipstack.media.port",
    "MediaStatistics": "sipstack.media.audio",
    "NegotiationError": "sipstack.errors",
    "OutgoingInvite": "sipstack.ua.outgoing",
    "ParseError": "sipstack.errors",
    "Redirect": "sipstack.ua.policy",
    "Registration": "sipstack.ua.registration",
    "RegistrationRejected": "sipstack.errors",
    "RegistrationState": "sipstack.ua.registration",
    "Reject": "sipstack.ua.policy",
    "RemoteProtocolError": "sipstack.errors",
    "Request": "sipstack.message",
    "RequestFailed": "sipstack.errors",
    "ResolutionError": "sipstack.errors",
    "Response": "sipstack.message",
    "SipError": "sipstack.errors",
    "Timers": "sipstack.core.configuration",
    "TracedMessage": "sipstack.core.trace",
    "TransactionTimeout": "sipstack.errors",
    "TransportError": "sipstack.errors",
    "UserAgent": "sipstack.ua.agent",
    "bridge": "sipstack.ua.bridge",
    "melody": "sipstack.media.tones",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: who only parses messages does not load sockets and media."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'sipstack' has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(home), name)
    return value
