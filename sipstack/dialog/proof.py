"""Who has proved to be the peer of a dialog, and how long that counts (RFC 3261 §22.2)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.transaction.timers import NEVER

NAME = "proof"
"""Under which it stands in the record of a session."""
UNASKED = frozenset(("ACK", "CANCEL", "PRACK", "BYE", "OPTIONS"))
"""Methods that get no 401: the first two cannot (§22.1), PRACK answers something of ours, a call must be able
to end, and OPTIONS changes nothing.
"""


@attrs.define
class Proof:
    """The user that began the dialog. ``until``: when he is to prove it again; and so is, if ever, who
    comes from another host than ``source``.
    """

    user: str
    until: float = NEVER
    source: str = ""

    def is_due(self, method: str, source: str, now: float) -> bool:
        """Whether a request with ``method`` from ``source`` is to prove it again."""
        if self.until == NEVER or method in UNASKED:
            return False
        return now >= self.until or source != self.source

    def record(self, now: float) -> dict[str, object]:
        """The same as plain values, for the record of a session."""
        if self.until == NEVER:
            return {"user": self.user}
        return {"user": self.user, "left": self.until - now, "source": self.source}

    @classmethod
    def of_record(cls, state: Mapping[str, object], now: float) -> Proof:
        """What ``record`` gave. Raises LocalProtocolError for anything else: a session whose user nobody
        knows is not gone on with.
        """
        user, left, source = state.get("user"), state.get("left"), state.get("source", "")
        left_is_right = left is None or (isinstance(left, int | float) and not isinstance(left, bool))
        if not (isinstance(user, str) and isinstance(source, str) and left_is_right):
            raise LocalProtocolError("the record does not say who has proved to be the peer")
        return cls(user, now + left if isinstance(left, int | float) else NEVER, source)
