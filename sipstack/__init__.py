"""sipstack: a SIP user agent stack for asyncio.

    async with sipstack.UserAgent("sip:alice@example.com", password="secret") as ua:
        async with ua.call("sip:bob@example.com") as call:
            await call.play("hello.wav")

``UserAgent`` owns an identity: it places calls (``call``, ``invite``), answers them (``serve``), registers
(``register``) and sends single requests (``options``, ``message``). ``async with`` owns, ``async for`` streams,
``await`` gives an outcome. Refusals raise ``CallRejected``, the end of a call raises ``CallEnded`` from what was in
progress. ``sipstack.message`` and ``sipstack.sdp`` are the parsers alone; ``sipstack.testing`` tests an application
without sockets, in virtual time.
"""

from sipstack.core.configuration import Timers
from sipstack.core.events import InvitationReceived
from sipstack.core.trace import Trace
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
from sipstack.message import Request, Response
from sipstack.ua.agent import UserAgent
from sipstack.ua.backoff import Backoff
from sipstack.ua.bridge import bridge
from sipstack.ua.call import Call
from sipstack.ua.invitation import Invitation
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.policy import Accept, Redirect, Reject
from sipstack.ua.registration import Registration

__version__ = "0.1.0"

__all__ = [
    "Accept",
    "Audio",
    "AuthenticationFailed",
    "Backoff",
    "Call",
    "CallEnded",
    "CallRejected",
    "FlowClosed",
    "Frame",
    "Invitation",
    "InvitationReceived",
    "LocalProtocolError",
    "MediaError",
    "MediaStatistics",
    "NegotiationError",
    "OutgoingInvite",
    "ParseError",
    "Redirect",
    "Registration",
    "RegistrationRejected",
    "Reject",
    "RemoteProtocolError",
    "Request",
    "RequestFailed",
    "ResolutionError",
    "Response",
    "SipError",
    "Timers",
    "Trace",
    "TransactionTimeout",
    "TransportError",
    "UserAgent",
    "bridge",
]
