"""Which message carries an offer or an answer (RFC 3264, RFC 6337 table 1), apart from the life of an INVITE.

A *carrier* is the request whose transaction an offer belongs to: an offer in a response to INVITE belongs to
that INVITE, and its answer comes in the ACK or PRACK. A carrier that fails (refused, timed out, cancelled)
rolls back its own offer and no other. The exchange is that of one dialog: each dialog of a fork has its own
from its first response on.
"""

from __future__ import annotations

from enum import Enum, auto

from sipstack.errors import LocalProtocolError
from sipstack.message import Request
from sipstack.sdp.exchange import Exchange, ExchangeState

Carrier = tuple[bool, str, int]
"""Whether the request is ours, its method, its first CSeq number (a challenge makes it go out again)."""


class Taken(Enum):
    """What a description in a message was."""

    OFFER = auto()
    ANSWER = auto()
    NOTHING = auto()  # none was there, or it repeats what is settled (§13.2.1)


def carrier_of(request: Request) -> Carrier:
    """``request``, of the peer, as a carrier."""
    cseq = request.cseq
    return False, cseq.method, cseq.number


def take_response(exchange: Exchange[bytes], carrier: Carrier, body: bytes) -> Taken:
    """A 2xx, or a reliable 1xx, to ``carrier``, a request of ours, with this description."""
    if not body:
        return Taken.NOTHING
    if exchange.state is ExchangeState.LOCAL_OFFER:
        if exchange.carrier != carrier:
            return Taken.NOTHING
        settled = exchange.settled
        exchange.answer_received(body)
        if carrier[1] != "INVITE":  # the INVITE stays settled: a response that is still due may repeat it
            exchange.settled = settled
        return Taken.ANSWER
    if exchange.state is ExchangeState.REMOTE_OFFER or exchange.settled == carrier or carrier[1] != "INVITE":
        return Taken.NOTHING
    exchange.offer_received(body, carrier)
    return Taken.OFFER


def take_request(exchange: Exchange[bytes], carrier: Carrier, body: bytes) -> Taken:
    """``carrier``, a request of the peer, with this description: INVITE, UPDATE, PRACK or ACK.

    An ACK or PRACK answers the offer that our response to the INVITE made. Raises RemoteProtocolError for
    an offer that comes while one is open: 491 or 500 is its response.
    """
    if not body:
        return Taken.NOTHING
    if exchange.state is ExchangeState.LOCAL_OFFER and answers(exchange, carrier):
        exchange.answer_received(body)
        return Taken.ANSWER
    if carrier[1] == "ACK":
        return Taken.NOTHING
    exchange.offer_received(body, carrier)
    return Taken.OFFER


def give_response(exchange: Exchange[bytes], carrier: Carrier, body: bytes) -> Taken:
    """Our 2xx, or reliable 1xx, to ``carrier``, a request of the peer, carries this description.

    Raises LocalProtocolError for one that is not due.
    """
    if not body:
        return Taken.NOTHING
    if exchange.state is ExchangeState.REMOTE_OFFER and exchange.carrier == carrier:
        settled = exchange.settled
        exchange.answer_sent(body)
        if carrier[1] != "INVITE":
            exchange.settled = settled
        return Taken.ANSWER
    if exchange.settled == carrier:
        return Taken.NOTHING
    if carrier[1] != "INVITE":
        raise LocalProtocolError(f"a response to {carrier[1]} carries no offer")
    exchange.offer_sent(body, carrier)
    return Taken.OFFER


def give_request(exchange: Exchange[bytes], carrier: Carrier, body: bytes) -> Taken:
    """``carrier``, a request of ours, carries this description. Raises LocalProtocolError for one not due."""
    if not body:
        return Taken.NOTHING
    if exchange.state is ExchangeState.REMOTE_OFFER and answers(exchange, carrier):
        exchange.answer_sent(body)
        return Taken.ANSWER
    exchange.offer_sent(body, carrier)
    return Taken.OFFER


def answers(exchange: Exchange[bytes], carrier: Carrier) -> bool:
    """Whether a description in ``carrier`` answers the open offer: one in a response to an INVITE is answered
    in the ACK or PRACK, by the side that the INVITE came from.
    """
    offered = exchange.carrier
    return carrier[1] in ("ACK", "PRACK") and offered is not None and offered[:2] == (carrier[0], "INVITE")
