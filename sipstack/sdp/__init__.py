"""SDP and the offer/answer model: RFC 8866, RFC 3264. Knows no SIP.

    streams = {"audio": sdp.MediaStream("audio", capabilities, port=40000)}
    negotiation = sdp.Negotiation(origin, "192.0.2.1").answer(sdp.parse(request.body), streams)
    negotiation.local, negotiation.agreements["audio"]

``parse`` and ``str()``/``bytes()`` keep every line; ``Exchange`` tells whose turn it is. ``agreed`` reads
any two descriptions.
"""

from __future__ import annotations

from sipstack.sdp.agreement import Agreement, agreed
from sipstack.sdp.bundle import name_of
from sipstack.sdp.capabilities import Capabilities
from sipstack.sdp.codec import STATIC_CODECS, Codec
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.dtls import DtlsDescription, Fingerprint, Setup, answered_role, answering_role
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.sdp.fields import Attribute, Bandwidth, Connection, Direction, MediaLine, Origin, Timing
from sipstack.sdp.ice import IceCandidate, IceDescription
from sipstack.sdp.negotiation import Negotiation
from sipstack.sdp.parser import parse
from sipstack.sdp.payload_types import PayloadTypes
from sipstack.sdp.stream import PLAIN_RTP, MediaStream, PlainRtp, Profile, reachable
from sipstack.sdp.trickle import SDP_FRAGMENT, IceFragment, read_fragment

__all__ = [
    "PLAIN_RTP",
    "SDP_FRAGMENT",
    "STATIC_CODECS",
    "Agreement",
    "Attribute",
    "Bandwidth",
    "Capabilities",
    "Codec",
    "Connection",
    "Direction",
    "DtlsDescription",
    "Exchange",
    "ExchangeState",
    "Fingerprint",
    "IceCandidate",
    "IceDescription",
    "IceFragment",
    "MediaDescription",
    "MediaLine",
    "Negotiation",
    "Origin",
    "PayloadTypes",
    "PlainRtp",
    "Profile",
    "SessionDescription",
    "Setup",
    "MediaStream",
    "Timing",
    "agreed",
    "answered_role",
    "answering_role",
    "name_of",
    "parse",
    "reachable",
    "read_fragment",
]
