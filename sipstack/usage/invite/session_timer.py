"""How long a call lasts without a sign of the other side (RFC 4028): what the application chooses, and the
header fields that say so. Sections are those of the RFC.
"""

from __future__ import annotations

from typing import Literal

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.message.headers import HeaderFields

TAG = "timer"
BY = "session timer"
"""Who has ended a call that nobody refreshed, as ``CallEnded.by``."""
LEAST = 90
"""Seconds: no Min-SE may be less, and without one it is this (§5)."""


@attrs.frozen
class SessionTimer:
    """How long a call lasts without a sign of the other side.

    ``expires``: the seconds that we ask for, and grant at the most. ``minimum``: the least that we take; who
    asks for less is refused with 422. ``required``: we call nobody, and are called by nobody, without it.
    ``refresher``: who shall refresh, "local" or "remote"; None leaves it to the other side where we call, and
    to the caller where we are called. Raises LocalProtocolError for a minimum below 90 (RFC 4028 §5), and for
    an interval below the minimum.
    """

    expires: int = 1800
    minimum: int = LEAST
    required: bool = attrs.field(default=False, kw_only=True)
    refresher: Literal["local", "remote"] | None = attrs.field(default=None, kw_only=True)

    asks_for: str = attrs.field(init=False, repr=False, eq=False)
    """The same in a request of ours: uac, uas, or nothing."""
    fields: HeaderFields = attrs.field(init=False, repr=False, eq=False)
    """The fields of an INVITE of ours."""

    @asks_for.default
    def _make_asks_for(self) -> str:
        return {"local": "uac", "remote": "uas"}.get(self.refresher or "", "")

    @fields.default
    def _make_fields(self) -> HeaderFields:
        return timer_fields(self.expires, self.asks_for, self.minimum)

    def __attrs_post_init__(self) -> None:
        if not LEAST <= self.minimum <= self.expires < 2**31:
            raise LocalProtocolError(
                f"a session timer of {self.expires} s, at least {self.minimum} s, cannot be: "
                f"the least is {LEAST} s (RFC 4028 §5), and expires not less than minimum"
            )
        if self.refresher not in ("local", "remote", None):
            raise LocalProtocolError(f"the refresher is 'local', 'remote' or None, not {self.refresher!r}")


def timer_fields(interval: int, refresher: str, minimum: int) -> HeaderFields:
    """Of a request of ours; ``refresher`` is uac, uas or empty."""
    expires = ("Session-Expires", session_expires(interval, refresher))
    return (expires,) if minimum == LEAST else (expires, ("Min-SE", str(minimum)))


def session_expires(interval: int, refresher: str) -> str:
    """The value of Session-Expires."""
    return f"{interval};refresher={refresher}" if refresher else str(interval)
