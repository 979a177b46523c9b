"""The state of offer and answer in one dialog (RFC 3264 §4, RFC 6337 §2).

Pure bookkeeping over opaque descriptions: octets or parsed ones, nothing here looks inside. Offers and
answers travel in these messages and no others (RFC 6337 table 1); "established" and "early" say whether the
row may be used once the dialog is confirmed, and before that after a first exchange is complete:

  offer in             answer in            defined in   first   established   early
  INVITE               2xx to INVITE        RFC 3261     yes     yes           no
  2xx to INVITE        ACK                  RFC 3261     yes     yes           no
  INVITE               reliable 1xx         RFC 3262     yes     yes           no
  reliable 1xx         PRACK                RFC 3262     yes     yes           no
  PRACK                2xx to PRACK         RFC 3262     no      yes           yes
  UPDATE               2xx to UPDATE        RFC 3311     no      yes           yes

An offer in INVITE or UPDATE can be refused, with 488. One in a response or in PRACK cannot: it is answered,
and a new offer or a BYE follows (RFC 6337 §2.3).

A description in a 1xx that is not reliable is no answer but a preview of it; the 2xx must repeat it, so
it is no input here. Neither is one in a later response to an INVITE that is already answered: it is to be
ignored (RFC 3261 §13.2.1).

       offer_sent     +--------------+  answer_received
     +--------------->| LOCAL_OFFER  |-----------------+
     |                +--------------+                 v
  +------+                  | cancel               +--------+
  | IDLE |<-----------------+--------------------->| STABLE |  and from there round again
  +------+  (no pair yet)   | cancel     (a pair)  +--------+
     |                +--------------+                 ^
     +--------------->| REMOTE_OFFER |-----------------+
       offer_received +--------------+  answer_sent
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Generic, TypeVar

from sipstack.errors import LocalProtocolError, RemoteProtocolError

D = TypeVar("D")


class ExchangeState(Enum):
    """The side that is to move. ``STABLE`` has a pair in force and nothing outstanding."""

    IDLE = "idle"
    LOCAL_OFFER = "local offer"
    REMOTE_OFFER = "remote offer"
    STABLE = "stable"


_IDLE, _LOCAL_OFFER, _REMOTE_OFFER, _STABLE = ExchangeState


class Exchange(Generic[D]):
    """The offer/answer state. ``local`` and ``remote`` are the pair in force, None before the first;
    ``offer`` is the one outstanding, and ``carrier`` what it travels in: any value that its user chooses.
    ``settled`` is the carrier of the latest pair, or of an earlier one that its user wrote back. Give a pair
    to go on from a stored session."""

    __slots__ = ("carrier", "local", "offer", "remote", "settled", "state")

    def __init__(self, local: D | None = None, remote: D | None = None) -> None:
        if (local is None) != (remote is None):
            raise LocalProtocolError("an exchange starts with both descriptions or with none")
        self.local = local
        self.remote = remote
        self.offer: D | None = None
        self.carrier: Any = None
        self.settled: Any = None
        self.state = _IDLE if local is None else _STABLE

    def __repr__(self) -> str:
        return f"<Exchange {self.state.value}>"

    def offer_sent(self, offer: D, carrier: Any = None) -> None:
        """Raises LocalProtocolError while any offer is outstanding (RFC 3264 §4)."""
        if self.state is _LOCAL_OFFER or self.state is _REMOTE_OFFER:
            raise LocalProtocolError(f"no offer may be sent in state {self.state.value!r}")
        self.offer, self.carrier = offer, carrier
        self.state = _LOCAL_OFFER

    def offer_received(self, offer: D, carrier: Any = None) -> None:
        """Raises RemoteProtocolError: status 491 for glare, when our offer is outstanding; 500 when theirs
        is, and the response then needs a Retry-After of 0 to 10 s (RFC 3261 §14.2, RFC 3311 §5.2)."""
        if self.state is _LOCAL_OFFER:
            raise RemoteProtocolError("an offer while ours is outstanding", status=491)
        if self.state is _REMOTE_OFFER:
            raise RemoteProtocolError("an offer while the one before is unanswered", status=500)
        self.offer, self.carrier = offer, carrier
        self.state = _REMOTE_OFFER

    def answer_sent(self, answer: D) -> None:
        """Raises LocalProtocolError when there is nothing to answer."""
        if self.state is not _REMOTE_OFFER:
            raise LocalProtocolError(f"no answer may be sent in state {self.state.value!r}")
        self.local = answer
        self.remote = self.offer
        self.offer = None
        self.carrier, self.settled = None, self.carrier
        self.state = _STABLE

    def answer_received(self, answer: D) -> None:
        """Raises RemoteProtocolError when we asked nothing."""
        if self.state is not _LOCAL_OFFER:
            raise RemoteProtocolError("an answer to no offer of ours")
        self.remote = answer
        self.local = self.offer
        self.offer = None
        self.carrier, self.settled = None, self.carrier
        self.state = _STABLE

    def cancel(self) -> None:
        """The outstanding offer was refused or withdrawn: the pair before it stays in force.

        Raises LocalProtocolError when no offer is outstanding.
        """
        if self.state is _IDLE or self.state is _STABLE:
            raise LocalProtocolError(f"no offer is outstanding in state {self.state.value!r}")
        self.offer = self.carrier = None
        self.state = _IDLE if self.local is None else _STABLE

    def withdraw(self, carrier: Any) -> None:
        """The carrier of an offer has failed: its offer is withdrawn, if it is the one outstanding."""
        if self.offer is not None and self.carrier == carrier:
            self.cancel()
