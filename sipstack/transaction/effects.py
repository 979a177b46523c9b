"""What a transaction asks of its surroundings, as values.

A machine returns a tuple of effects from each input. They are compared with ``==``, so a test states the
whole list and an unexpected retransmission cannot hide.
Immutable by convention: each message makes one, and a frozen class takes twice the time.
"""

from __future__ import annotations

import attrs

from sipstack.errors import SipError
from sipstack.message import Response


@attrs.define
class Send:
    """Put these octets on the transaction's flow."""

    data: bytes


@attrs.define
class Deliver:
    """Pass this response to the transaction user."""

    response: Response


@attrs.frozen
class Fail:
    """Tell the transaction user that no (further) answer comes: a timeout or a transport error."""

    error: SipError = attrs.field(eq=type)


Effect = Send | Deliver | Fail
Effects = tuple[Effect, ...]
NOTHING: Effects = ()
