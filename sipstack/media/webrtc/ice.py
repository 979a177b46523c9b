"""ICE (RFC 8445) by aioice, over sockets of ours: who is checked, and over which pair the packets go.

Needs the ``media`` extra. ``tests/media/webrtc/test_private_parts.py`` watches what is private in aioice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import attrs

from sipstack.errors import MediaError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import MEDIA
from sipstack.media.ice_settings import Ice, IceServer
from sipstack.media.peer_address import Address
from sipstack.media.transport import RtpTransport
from sipstack.media.webrtc.turn import borrow
from sipstack.sdp import IceCandidate, IceDescription
from sipstack.sdp.ice import MAX_CANDIDATES

try:
    import aioice
    from aioice.candidate import candidate_foundation, candidate_priority
    from aioice.ice import StunProtocol, server_reflexive_candidate
except ImportError as error:
    raise MediaError("ICE needs aioice: pip install 'sipstack[media]'") from error

GATHERING = 2.0
"""Seconds that servers have to tell our addresses; a call waits for them."""
PATIENCE = 20.0
"""Seconds until a path is found, or the call has none. Not less, whatever becomes of our own checks: those of
the peer may come late, from an address that it did not know itself (RFC 8863). So aioice is never told that
there are no more candidates.
"""
EARLY = 16
"""Fragments that are kept until the description that they belong to is here."""
COMPONENT = 1
"""RTP and RTCP go over one port."""

Take = Callable[[bytes], None]


class IceSocket:
    """One address of ours: a transport, as aioice sees a datagram transport."""

    def __init__(self, transport: RtpTransport, host: str) -> None:
        self.transport = transport
        self.host = host
        self.stun: StunProtocol | None = None

    def receive(self, data: bytes, source: Address) -> None:
        """A STUN message."""
        if self.stun is None:
            return
        try:
            self.stun.datagram_received(data, source)
        except Exception as error:  # whatever comes from the network is no reason to end a call
            MEDIA.debug("a STUN message from %s is ignored: %r", source[0], error)

    # As asyncio.DatagramTransport

    def sendto(self, data: bytes, address: Address) -> None:
        if self.stun is not None:
            self.transport.send_rtp(data, address)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.host, self.transport.port) if name == "sockname" else default

    def is_closing(self) -> bool:
        return self.stun is None

    def close(self) -> None:
        stun, self.stun = self.stun, None
        if stun is not None:
            stun.connection_lost(None)


class _Connection(aioice.Connection):
    """aioice's own, that gathers on our sockets, and hands over data when it comes, without a queue."""

    def __init__(
        self, sockets: Sequence[IceSocket], take: Take, relay: IceServer | None, **arguments: Any
    ) -> None:
        super().__init__(ice_controlling=False, **arguments)
        self.sockets = sockets
        self.take = take
        self.relay = relay
        self.no_relay: TransportError | None = None
        self.lost: Callable[[], None] | None = None  # called when it closes by itself

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        hosts = [self._add_host(each) for each in self.sockets]
        found = await asyncio.gather(self._reflexive(hosts), self._relayed())
        return [*(stun.local_candidate for stun in hosts), *found[0], *found[1]]

    async def _relayed(self) -> list[aioice.Candidate]:
        if self.relay is None:
            return []
        try:
            stun = await borrow(self.relay, COMPONENT, self)
        except TransportError as error:
            self.no_relay = error
            MEDIA.warning("ICE goes on without a relay: %s", error)
            return []
        self._protocols.append(stun)
        return [stun.local_candidate]

    def _add_host(self, each: IceSocket) -> StunProtocol:
        stun = StunProtocol(self)
        stun.connection_made(cast(asyncio.DatagramTransport, each))
        each.stun = stun
        preference = 65535 - self.sockets.index(each)
        stun.local_candidate = aioice.Candidate(
            foundation=candidate_foundation("host", "udp", each.host),
            component=COMPONENT,
            transport="udp",
            priority=candidate_priority(COMPONENT, "host", preference),
            host=each.host,
            port=each.transport.port,
            type="host",
        )
        self._protocols.append(stun)
        return stun

    async def _reflexive(self, hosts: Iterable[StunProtocol]) -> list[aioice.Candidate]:
        server = self.stun_server
        if server is None:
            return []
        asked = [
            asyncio.wait_for(server_reflexive_candidate(stun, server), GATHERING)
            for stun in hosts
            if ":" not in stun.local_candidate.host
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for each in found:
            if isinstance(each, Exception):
                MEDIA.warning("the STUN server %s does not tell our address: %s", server[0], each or "silent")
        return [each[0] for each in found if not isinstance(each, BaseException)]

    def data_received(self, data: bytes, component: int) -> None:
        self.take(data)

    async def close(self) -> None:
        lost, self.lost = self.lost, None
        await super().close()
        if lost is not None:
            lost()


class IceAgent:
    """One run of ICE, from our candidates to the pair that carries the packets. A restart is a new one.

    ``take`` is given what comes over a relay; what comes to the ``sockets`` has its own way. Restarting needs
    other sockets, too.
    """

    def __init__(self, settings: Ice, sockets: Sequence[IceSocket], take: Take, random: Identifiers) -> None:
        self.sockets = tuple(sockets)
        self._random = random
        self._told: list[IceCandidate] = []
        self._gathered: asyncio.Task[None] | None = None
        self._remote: IceDescription | None = None
        self._early: deque[IceDescription] = deque(maxlen=EARLY)
        self._closing: asyncio.Task[None] | None = None
        stun = settings.first("stun")
        self._connection = _Connection(
            self.sockets,
            take,
            settings.first("turn", "turns"),
            stun_server=stun and (stun.host, stun.port),
            local_username=random.octets(6).hex(),
            local_password=random.octets(16).hex(),
        )

    @property
    def controls(self) -> bool:
        """Whether we choose the pair."""
        return self._connection.ice_controlling

    def control(self, controlling: bool) -> None:
        """Whether we shall choose the pair: who made the first offer does (RFC 8445 §6.1.1). To be said
        before the description goes out: the peer's checks may be here before its answer, and would find us in
        the wrong role.
        """
        if self._remote is None:
            self._connection.ice_controlling = controlling

    async def gather(self, told: str) -> None:
        """Find out where we can be reached. ``told`` is the address that the peer knows us by: where it is
        not the socket's own, a NAT in between passes everything on. Calling it again does nothing.
        """
        if self._told:
            return
        await self._connection.gather_candidates()
        self._told = [_described(each) for each in self._connection.local_candidates]
        first = self.sockets[0]
        if told != first.host:
            self._told.append(_translated(told, first))

    @property
    def description(self) -> IceDescription:
        """What our offer or answer says."""
        connection = self._connection
        return IceDescription(connection.local_username, connection.local_password, tuple(self._told))

    @property
    def remote(self) -> IceDescription | None:
        """The peer's description that this run is for; None before ``connect``."""
        return self._remote

    async def connect(self, remote: IceDescription) -> None:
        """Check all pairs until one carries packets. Raises TransportError when none does."""
        connection = self._connection
        self._remote = remote
        if remote.lite:
            connection.ice_controlling = connection.remote_is_lite = True
        connection.remote_username, connection.remote_password = remote.credentials
        try:
            async with asyncio.timeout(PATIENCE):
                await self._add(remote.candidates)
                while self._early:
                    await self.trickle(self._early.popleft())
                await connection.connect()
        except (ConnectionError, TimeoutError) as error:
            raise TransportError(_no_way(remote, connection.no_relay)) from error

    async def add(self, remote: IceDescription) -> None:
        """The peer's further description in the same run: it may have candidates that are new."""
        if self._remote is None or not self._remote.more:
            return
        known = set(self._remote.candidates)
        self._remote = remote
        await self._add([each for each in remote.candidates if each not in known])

    async def trickle(self, fragment: IceDescription) -> None:
        """Candidates that come after their description (RFC 8838); those of another one are left out."""
        remote = self._remote
        if remote is None:
            self._early.append(fragment)
        elif fragment.credentials == remote.credentials:
            room = MAX_CANDIDATES - len(remote.candidates)
            new = [each for each in fragment.candidates if each not in remote.candidates][:room]
            await self.add(attrs.evolve(remote, candidates=(*remote.candidates, *new), more=fragment.more))

    async def _add(self, candidates: Iterable[IceCandidate]) -> None:
        usable = (each for each in candidates if each.transport == "udp" and each.component == COMPONENT)
        # All at once: a name under .local takes its time.
        adding = [self._connection.add_remote_candidate(_candidate(each)) for each in usable if each.port]
        for outcome in await asyncio.gather(*adding, return_exceptions=True):
            if isinstance(outcome, Exception):
                MEDIA.debug("an address of the peer is left out: %r", outcome)

    def watch(self, lost: Callable[[], None]) -> None:
        """Call ``lost`` when the peer no more consents to our packets (RFC 7675)."""
        self._connection.lost = lost

    @property
    def peer(self) -> Address | None:
        """The peer's address in the pair that carries packets."""
        pair = self._connection._nominated.get(COMPONENT)
        return pair.remote_addr if pair is not None else None

    def send(self, data: bytes) -> None:
        """Send one packet, at once; nowhere as long as no pair is found."""
        pair = self._connection._nominated.get(COMPONENT)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    def close(self) -> None:
        """Stop checking, and give back what a relay has lent us: that takes a while, and nobody waits."""
        self._connection.lost = None
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                _close(self._connection), name="sipstack ICE close"
            )


async def _close(connection: aioice.Connection) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        await connection.close()


def _no_way(remote: IceDescription, no_relay: TransportError | None) -> str:
    tried = ", ".join(f"{each.address}:{each.port}" for each in remote.candidates[:4]) or "it named none"
    too = f"; {no_relay}" if no_relay is not None else ""
    return f"no way to the peer's media (ICE): none of its addresses answers ({tried}){too}"


def _described(candidate: aioice.Candidate) -> IceCandidate:
    return IceCandidate(
        candidate.foundation,
        candidate.component,
        candidate.transport,
        candidate.priority,
        candidate.host,
        candidate.port,
        candidate.type,
        candidate.related_address,
        candidate.related_port,
    )


def _translated(told: str, socket: IceSocket) -> IceCandidate:
    """The address that the peer knows our first socket by."""
    foundation = candidate_foundation("srflx", "udp", told)
    priority, port = candidate_priority(COMPONENT, "srflx"), socket.transport.port
    return IceCandidate(foundation, COMPONENT, "udp", priority, told, port, "srflx", socket.host, port)


def _candidate(described: IceCandidate) -> aioice.Candidate:
    return aioice.Candidate(
        described.foundation,
        described.component,
        described.transport,
        described.priority,
        described.address,
        described.port,
        described.type,
        described.related_address,
        described.related_port,
    )
