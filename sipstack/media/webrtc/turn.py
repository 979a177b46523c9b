"""TURN (RFC 8656) by aioice: an address that a server lends us, and why it does not.

Needs the ``media`` extra. ``tests/media/webrtc/test_private_parts.py`` watches what is private in aioice.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import time
from typing import Any, cast

from sipstack.errors import MediaError, TransportError
from sipstack.media.ice_settings import IceServer
from sipstack.media.peer_address import Address

try:
    import aioice
    from aioice.candidate import candidate_foundation, candidate_priority
    from aioice.ice import StunProtocol
    from aioice.stun import TransactionFailed, TransactionTimeout
    from aioice.turn import TurnClientProtocol, TurnTransport, create_turn_endpoint
except ImportError as error:
    raise MediaError("TURN needs aioice: pip install 'sipstack[media]'") from error

PATIENCE = 2.0
"""Seconds that the server has; a call waits for them."""
REFRESH = 240.0
"""Seconds after which a channel is bound again: the permission that came with it ends after 300 (§9.1)."""
WRONG_PASSWORD = 401
WRONG_USER = 441


class Relay:
    """A socket at the server, as aioice sees a datagram transport. Over a channel it sends at once."""

    def __init__(self, lent: TurnTransport) -> None:
        self._lent = lent
        self._client: TurnClientProtocol = vars(lent)["_TurnTransport__inner_protocol"]

    def sendto(self, data: bytes, address: Address) -> None:
        """The first packets, and one whose channel has to be bound again, wait for that."""
        client = self._client
        channel = client.peer_to_channel.get(address)
        if channel is None or time.time() > client.channel_refresh_at[channel]:
            self._lent.sendto(data, address)
        elif not client.transport.is_closing():
            client._send(struct.pack("!HH", channel, len(data)) + data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._lent.get_extra_info(name, default)

    def close(self) -> None:
        self._lent.close()


async def borrow(server: IceServer, component: int, receiver: aioice.Connection) -> StunProtocol:
    """An address at the server, whose packets go to ``receiver``. Raises TransportError, which says why there
    is none.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            lent, stun = await create_turn_endpoint(
                lambda: StunProtocol(receiver),
                server_addr=(server.host, server.port),
                username=server.username,
                password=server.password,
                channel_refresh_time=cast(int, REFRESH),
                ssl=server.scheme == "turns",
                transport=server.transport,
            )
    except (TransactionFailed, TransactionTimeout, ConnectionError, OSError) as error:
        reason = _reason(error, server)
        raise TransportError(f"the TURN server {server.host}:{server.port} {reason}") from error
    stun.transport = cast(asyncio.DatagramTransport, Relay(lent))
    stun.local_candidate = _candidate(stun, component)
    return stun


def _candidate(stun: StunProtocol, component: int) -> aioice.Candidate:
    host, port = stun.transport.get_extra_info("sockname")
    related_host, related_port = stun.transport.get_extra_info("related_address")
    return aioice.Candidate(
        foundation=candidate_foundation("relay", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "relay"),
        host=host,
        port=port,
        type="relay",
        related_address=related_host,
        related_port=related_port,
    )


def _reason(error: Exception, server: IceServer) -> str:
    if isinstance(error, TransactionFailed):
        code, words = error.response.attributes.get("ERROR-CODE", (0, "no reason"))
        if code in (WRONG_PASSWORD, WRONG_USER):
            return f"refuses the password of {server.username!r}, or does not know that user ({code})"
        return f"lends us no address ({code} {words})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {error.verify_message}"
    if isinstance(error, (TimeoutError, TransactionTimeout)):
        return "does not answer"
    return f"cannot be reached: {error}"
