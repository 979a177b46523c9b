"""Who the endpoint is and how far it goes."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from sipstack.core.seal import Seal
from sipstack.dialog.identity import ANONYMOUS, Identity
from sipstack.transaction.timers import Timers


@attrs.frozen
class Configuration:
    """Fixed for the life of an endpoint."""

    identity: Identity = ANONYMOUS
    """Who we are unless a request says otherwise."""
    identities: tuple[Identity, ...] = ()
    """Our other identities: calls to them are answered with their Contact and credentials."""
    user_agent: str = ""
    session_ids: bool = True
    """Whether each message of ours has a Session-ID (RFC 7989)."""
    timers: Timers = Timers()
    largest_datagram: int | None = 1300
    """Octets of a request beyond which it goes over TCP where the target takes that (RFC 3261 §18.1.1);
    None: it never does.
    """
    maximum_transactions: int = 500_000
    """Server transactions beyond which a new request gets 503: a flood must not eat the memory."""
    maximum_dialogs: int = 200_000
    """Dialogs beyond which a new INVITE gets 503."""
    maximum_unacknowledged: int = 16_384
    """INVITEs of the last 64*T1 that wait for their ACK, beyond which a new one gets 503."""
    keep_alive: float | None = 25.0
    """Seconds between two keep-alives of a flow of datagrams that somebody holds; None: none, on no flow."""
    maximum_age: float = 12 * 3600.0
    """Seconds after which a call that nobody watches is ended, unless the peer has refreshed it."""

    maximum_lag: float | None = 0.25
    """Seconds that the event loop may be late before new requests get 503; None: any."""
    peers: str = "anyone"
    """Who may send requests inside of a dialog: a value of ``Peers``."""

    keeps_sessions: bool = False
    """Whether sessions are kept beyond this process: by the outputs ``Store``, ``Forget`` and ``Load``."""
    seal: Seal | None = attrs.field(default=None, eq=False)
    """Seals sessions into our Contact, in place of the above."""
    nodes: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """The other nodes of our cluster: a URI that leads to each, by the name in its Contact (``;node=``)."""


__all__ = ["Configuration", "Identity", "Timers"]
