"""SDP and the offer/answer model: RFC 8866, RFC 3264. Knows no SIP.

    offer = sdp.parse(request.body)
    answer = sdp.make_answer(offer, capabilities, origin=origin, address="192.0.2.1", port=40000)
    for stream in sdp.agreed(answer, offer): ...

``parse`` and ``str()``/``bytes()`` keep every line; ``Exchange`` tells whose turn it is.
"""

from __future__ import annotations

from sipstack.sdp.agreement import Agreement, agreed
from sipstack.sdp.capabilities import Capabilities
from sipstack.sdp.codec import STATIC_CODECS, Codec
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.sdp.fields import Attribute, Bandwidth, Connection, Direction, MediaLine, Origin, Timing
from sipstack.sdp.negotiation import make_answer, make_offer, next_version
from sipstack.sdp.parser import parse

__all__ = [
    "STATIC_CODECS",
    "Agreement",
    "Attribute",
    "Bandwidth",
    "Capabilities",
    "Codec",
    "Connection",
    "Direction",
    "Exchange",
    "ExchangeState",
    "MediaDescription",
    "MediaLine",
    "Origin",
    "SessionDescription",
    "Timing",
    "agreed",
    "make_answer",
    "make_offer",
    "next_version",
    "parse",
]
