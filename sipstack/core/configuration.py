"""Who the endpoint is and how far it goes."""

from __future__ import annotations

import attrs

from sipstack.message.digest import Account
from sipstack.transaction.timers import Timers


@attrs.frozen
class Configuration:
    """Fixed for the life of an endpoint."""

    aor: str
    """Our From value: a name-addr, such as ``"Alice" <sip:alice@example.com>``."""
    user: str = ""
    """The user part of our Contact."""
    account: Account | None = None
    """The credentials for 401 and 407."""
    proxy: str | None = None
    """A route value (``<sip:proxy.example.com;lr>``) that every request outside of a dialog takes first."""
    user_agent: str = ""
    timers: Timers = Timers()
    maximum_transactions: int = 1_000_000
    """Server transactions beyond which a new request gets 503: a flood must not eat the memory."""
    maximum_dialogs: int = 1_000_000
    """Dialogs beyond which a new INVITE gets 503."""


__all__ = ["Configuration", "Timers"]
