"""How much connections may hold, and how long."""

from __future__ import annotations

import attrs

LEAVING = 2.0
"""Seconds that a closed endpoint has to send what was written; what is left then is dropped."""


@attrs.frozen(kw_only=True)
class StreamLimits:
    """Bounds of one endpoint whose transport has connections; times are in seconds.

    ``connections``: those that peers have opened, at one time; ``per_source``: those of one IP address.
    ``opening``: how long the making of a connection may take, with the handshake of TLS or WebSocket another
    time as much; ``first_message``: how long a peer may take from there to its first whole message;
    ``message``: how long from the first octet of a message to its last (slow senders).
    ``idle``: how long a connection may be silent in both directions: more than 64*T1, or a response would
    have no way home.
    ``unsent``: octets that wait because the peer does not read; more end the connection.
    """

    connections: int = 10_000
    per_source: int = 5_000
    opening: float = 4.0
    first_message: float = 32.0
    message: float = 32.0
    idle: float = 900.0
    unsent: int = 1024 * 1024
