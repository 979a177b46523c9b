"""What went over the wire, as it went."""

from __future__ import annotations

import attrs

from sipstack.transaction.flow import Flow


@attrs.frozen
class TracedMessage:
    """One message sent or received. ``time`` is the driver's clock in seconds."""

    time: float
    sent: bool
    flow: Flow
    data: bytes
