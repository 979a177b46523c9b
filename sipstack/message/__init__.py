"""SIP messages: octets to values and back (RFC 3261 §7, §19, §20, §25)."""

from sipstack.message.address import NameAddr
from sipstack.message.auth import AuthenticationInfo, Challenge, Credentials
from sipstack.message.contact import WILDCARD
from sipstack.message.fields import CSeq, RAck, Warning
from sipstack.message.headers import Headers
from sipstack.message.identity import Identity
from sipstack.message.message import Request, Response
from sipstack.message.other_uri import OtherUri, TelUri, Uri, parse_uri
from sipstack.message.parameterised import (
    DialogReference,
    Disposition,
    Event,
    MediaType,
    Parameterised,
    Reason,
    SessionExpires,
    SubscriptionState,
)
from sipstack.message.params import Parameters
from sipstack.message.parser import parse
from sipstack.message.partial import MalformedMessage
from sipstack.message.passport import Passport
from sipstack.message.redirected import Diversion, HistoryEntry
from sipstack.message.session_id import SessionId
from sipstack.message.stream import Limits, Ping, Pong, StreamParser
from sipstack.message.times import Date, RetryAfter, Timestamp
from sipstack.message.uri import SipUri
from sipstack.message.validation import validate
from sipstack.message.via import Via

__all__ = [
    "WILDCARD",
    "AuthenticationInfo",
    "CSeq",
    "Challenge",
    "Credentials",
    "Date",
    "DialogReference",
    "Disposition",
    "Diversion",
    "Event",
    "Headers",
    "HistoryEntry",
    "Identity",
    "Limits",
    "MalformedMessage",
    "MediaType",
    "NameAddr",
    "OtherUri",
    "Parameterised",
    "Parameters",
    "Passport",
    "Ping",
    "Pong",
    "RAck",
    "Reason",
    "Request",
    "Response",
    "RetryAfter",
    "SessionExpires",
    "SessionId",
    "SipUri",
    "StreamParser",
    "SubscriptionState",
    "TelUri",
    "Timestamp",
    "Uri",
    "Via",
    "Warning",
    "parse",
    "parse_uri",
    "validate",
]
