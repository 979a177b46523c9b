"""The ACKs that we have sent: a 2xx may come again, each time to be acknowledged (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from sipstack.dialog.services import CoreServices
from sipstack.transaction.flow import Flow

MAXIMUM_ACKS = 4
"""How many are kept: a 2xx may come again when the next re-INVITE is already on its way."""

SentAcks = dict[int, tuple[Flow, bytes] | None]
"""Those of one session, by CSeq number; None for one that has still to wait."""


def keep_ack(acks: SentAcks, cseq: int, flow: Flow, data: bytes) -> None:
    """Note what went out for the 2xx to the INVITE with this number."""
    acks[cseq] = (flow, data)
    if len(acks) > MAXIMUM_ACKS:
        del acks[min(acks)]


def repeat_ack(acks: SentAcks, cseq: int, core: CoreServices) -> None:
    """The 2xx came again: the same octets go out again."""
    sent = acks.get(cseq)
    if sent is not None:
        core.transmit(*sent)
