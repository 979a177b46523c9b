"""The public names, each here and nowhere else: ``sipstack`` gives them out on first use.

``as`` tells type checkers that a name is given on.
"""

from sipstack.core.configuration import Timers as Timers
from sipstack.core.events import InvitationReceived as InvitationReceived
from sipstack.core.registry import Extension as Extension
from sipstack.core.trace import TracedMessage as TracedMessage
from sipstack.errors import AuthenticationFailed as AuthenticationFailed
from sipstack.errors import CallEnded as CallEnded
from sipstack.errors import CallRejected as CallRejected
from sipstack.errors import FlowClosed as FlowClosed
from sipstack.errors import LocalProtocolError as LocalProtocolError
from sipstack.errors import MediaError as MediaError
from sipstack.errors import NegotiationError as NegotiationError
from sipstack.errors import ParseError as ParseError
from sipstack.errors import RegistrationRejected as RegistrationRejected
from sipstack.errors import RemoteProtocolError as RemoteProtocolError
from sipstack.errors import RequestFailed as RequestFailed
from sipstack.errors import ResolutionError as ResolutionError
from sipstack.errors import SipError as SipError
from sipstack.errors import TransactionTimeout as TransactionTimeout
from sipstack.errors import TransportError as TransportError
from sipstack.media.audio import Audio as Audio
from sipstack.media.audio import Frame as Frame
from sipstack.media.audio import MediaStatistics as MediaStatistics
from sipstack.media.ice_settings import Ice as Ice
from sipstack.media.ice_settings import IceServer as IceServer
from sipstack.media.io import AudioSink as AudioSink
from sipstack.media.io import AudioSource as AudioSource
from sipstack.media.port import MediaPort as MediaPort
from sipstack.media.session import AudioSession as AudioSession
from sipstack.media.sound import SoundCard as SoundCard
from sipstack.media.tones import melody as melody
from sipstack.media.traced import TracedPacket as TracedPacket
from sipstack.media.traced import traced_rtp as traced_rtp
from sipstack.media.wav import open_source as open_source
from sipstack.message import Request as Request
from sipstack.message import Response as Response
from sipstack.net.capture import Capture as Capture
from sipstack.net.tls_settings import Tls as Tls
from sipstack.ua.account import Account as Account
from sipstack.ua.agent import UserAgent as UserAgent
from sipstack.ua.backoff import Backoff as Backoff
from sipstack.ua.bridge import bridge as bridge
from sipstack.ua.call import Call as Call
from sipstack.ua.incoming_request import IncomingRequest as IncomingRequest
from sipstack.ua.invitation import Invitation as Invitation
from sipstack.ua.limits import Limits as Limits
from sipstack.ua.outgoing import OutgoingInvite as OutgoingInvite
from sipstack.ua.policy import Accept as Accept
from sipstack.ua.policy import Redirect as Redirect
from sipstack.ua.policy import Reject as Reject
from sipstack.ua.registration import Registration as Registration
from sipstack.ua.registration import RegistrationState as RegistrationState
from sipstack.usage.content import session_description as session_description
from sipstack.usage.invite.extension import CallExtension as CallExtension
