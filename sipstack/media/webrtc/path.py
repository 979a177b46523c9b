"""DTLS-SRTP, over ICE as browsers do it (RFC 8827), or to the address of the description (RFC 5763).

ICE finds the way, DTLS proves on it that the peer is who its description says, and gives the keys. Neither
needs the other again: ICE may begin anew under keys that stay, and the keys change on a way that stays.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs

from sipstack.errors import NegotiationError, ParseError, TransportError
from sipstack.log import MEDIA
from sipstack.media.addresses import destination
from sipstack.media.path import DTLS_PROTOCOLS, PathContext, Peer, SearchingPath
from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive, RtpTransport
from sipstack.media.webrtc.dtls import Association, certificate, certificate_of_its_own, fingerprints, known
from sipstack.media.webrtc.ice import COMPONENT, IceAgent, IceSocket
from sipstack.media.webrtc.sockets import Associations, Sockets
from sipstack.sdp import (
    Agreement,
    Attribute,
    DtlsDescription,
    IceDescription,
    IceFragment,
    MediaDescription,
    Profile,
    SessionDescription,
    Setup,
    answered_role,
    answering_role,
    name_of,
)

FAREWELL = 2.0
"""Seconds from the end of the DTLS association to that of the call: there may be a BYE on its way."""
LINGER = 1.0
"""Seconds that packets are still taken at the sockets that we had before: the peer may use them yet."""
ONE_PORT = "the peer wants ICE at two ports, and we have one: it needs RTCP at the port of RTP (rtcp-mux)"


@attrs.frozen
class _Peer:
    """What a description of the peer says of the way to it. ``ice`` is None where it does without, and of
    ``two_ports`` where RTCP has one of its own.
    """

    ice: IceDescription | None
    dtls: DtlsDescription
    two_ports: bool

    @classmethod
    def of(cls, description: SessionDescription, medium: MediaDescription) -> _Peer:
        """Raises NegotiationError."""
        try:
            ice, dtls = IceDescription.of(description, medium), DtlsDescription.of(description, medium)
        except ParseError as error:
            raise NegotiationError(str(error)) from error
        if dtls is None:
            raise NegotiationError(
                "the peer names no certificate (a=fingerprint): its media cannot be trusted"
            )
        if not known(dtls.fingerprints):
            names = ", ".join(each.algorithm for each in dtls.fingerprints)
            raise NegotiationError(f"no certificate can be compared by {names} (a=fingerprint)")
        candidates = ice.candidates if ice is not None and not medium.rtcp_mux else ()
        return cls(ice, dtls, any(each.component != COMPONENT for each in candidates))


@attrs.frozen
class _Profile:
    """One protocol of the m-line."""

    protocol: str
    _path: DtlsPath

    def offer(self) -> Iterable[Attribute]:
        return self._path.offered()

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        return self._path.answering(offer, medium)


class _Transport:
    """The path as the stream sees it, at one address of ours."""

    def __init__(self, path: DtlsPath) -> None:
        self._path = path
        self.sockets: list[Sockets] = []
        self.earlier_send_errors = 0

    @property
    def port(self) -> int:
        return self.sockets[-1].main.transport.port

    @property
    def rtcp_port(self) -> int:
        return self.sockets[-1].main.transport.rtcp_port

    @property
    def send_errors(self) -> int:
        return self.earlier_send_errors + sum(each.send_errors for each in self.sockets)

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        self._path.listen(rtp, rtcp)

    def send_rtp(self, data: bytes, destination: Address) -> None:
        way = self._path.way
        if way is not None and way.keys is not None:
            packet = way.keys.rtp.protect(data)
            if packet is not None:
                way.send(packet)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        way = self._path.way
        if way is not None and way.keys is not None:
            keys = way.keys
            packet = keys.rtcp.protect_rtcp(data)
            if packet is not None:
                (way.send if keys.rtcp is keys.rtp else way.send_rtcp)(packet)

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class DtlsPath(SearchingPath):
    """The path of one stream. ``way`` is what carries its packets, None until one was found."""

    def __init__(self, context: PathContext) -> None:
        self._context = context
        self._certificate = certificate_of_its_own() if context.is_restored else certificate()
        self._transport = _Transport(self)
        self._host = ""
        self._sockets: Sockets | None = None  # those of our last description
        self.way: Sockets | None = None
        self._name = "0"  # of the m-line
        self._role: Setup | None = None
        self._checked: IceAgent | None = None  # that of the last run of ICE
        self._is_turning = False  # to another fork: what we have is over
        self._rtp: Receive | None = None
        self._rtcp: Receive | None = None
        self._search: asyncio.Task[None] | None = None
        self._adding: set[asyncio.Task[None]] = set()
        self._timers: deque[asyncio.TimerHandle] = deque(maxlen=8)  # the last; older ones are over
        # What browsers offer comes first, or what peers without ICE do; both are answered.
        browsers, others = DTLS_PROTOCOLS[:2], DTLS_PROTOCOLS[2:]
        order = (*browsers, *others) if context.ice is not None else (*reversed(browsers), *others)
        self._profiles = tuple([_Profile(protocol, self) for protocol in order])

    @property
    def profiles(self) -> Sequence[Profile]:
        return self._profiles

    @property
    def rtcp_mux(self) -> bool:
        return True

    @property
    def security(self) -> str | None:
        if self._role is None:
            return None
        if self.way is None or self.way.keys is None or self.way.keys.rtp.profile is None:
            return "DTLS-SRTP"  # agreed upon: until there are keys nothing is sent or heard
        return f"DTLS-SRTP {self.way.keys.rtp.profile.removeprefix('SRTP_')}"

    @property
    def peer(self) -> Peer:
        way = self.way
        if way is None or way.source is None:
            return None, None
        return way.source, way.source

    def listen(self, rtp: Receive, rtcp: Receive) -> None:
        """Tell these what comes."""
        self._rtp, self._rtcp = rtp, rtcp
        if self.way is not None:
            self.way.rtp, self.way.rtcp = rtp, rtcp

    # Where we are

    async def open(self, host: str) -> RtpTransport:
        return self.move(host)

    def move(self, host: str) -> RtpTransport:
        transport = _Transport(self)
        self._sockets = self._bind(host, transport)
        self._transport, self._host = transport, host
        return transport

    def _bind(self, host: str, transport: _Transport) -> Sockets:
        """Raises TransportError when there is no port at ``host``; our further hosts may have none."""
        context = self._context
        bound = [IceSocket(context.bind(host, context.ports, context.random.uniform), host)]
        for other in context.ice.hosts if context.ice is not None else ():
            if other != host:
                try:
                    bound.append(IceSocket(context.bind(other, context.ports, context.random.uniform), other))
                except TransportError as error:
                    MEDIA.warning("ICE goes on without %s: %s", other, error)
        sockets = Sockets(bound)
        transport.sockets.append(sockets)
        sockets.start(self._context.fail)
        return sockets

    async def prepare(self, offer: SessionDescription | None, told: str) -> None:
        sockets, settings = self._described(), self._context.ice
        peer = _offering(offer) if offer is not None else None
        if offer is not None and peer is None:
            return  # it cannot be answered
        ice = peer.ice if peer is not None else None
        agent = sockets.agent
        begun = agent.remote if agent is not None else None
        if begun is not None and ice is not None and begun.credentials != ice.credentials:
            sockets = self._sockets = self._bind(self._host, self._transport)
            agent = None  # it begins ICE anew, and so do we
        in_use = sockets.destination is not None
        if agent is None and settings is not None and (ice is not None or (offer is None and not in_use)):
            loop = asyncio.get_running_loop()
            taking = sockets

            def take(data: bytes) -> None:
                taking.take_relayed(data, loop.time())

            sockets.agent = agent = IceAgent(settings, sockets.sockets, take, self._context.random)
        if agent is not None:
            agent.control(self._controls(peer))
            await agent.gather(told)

    def _controls(self, offering: _Peer | None) -> bool:
        """Whether ICE is ours to decide, in our offer or in the answer to this one. A restart with the same
        peer leaves the roles as they were (RFC 8445 §9).
        """
        if self._checked is None or (offering is not None and self._role_towards(offering) is None):
            return offering is None
        return self._checked.controls

    def _described(self) -> Sockets:
        assert self._sockets is not None, "open comes first"
        return self._sockets

    # Descriptions

    def offered(self) -> Iterable[Attribute]:
        """The attributes of our offer."""
        agent = self._described().agent
        name = (Attribute("mid", self._name),) if agent is not None else ()
        return (*name, *self._about_us(Setup.ACTPASS, agent))

    def answering(self, offer: SessionDescription, medium: MediaDescription) -> Iterable[Attribute] | None:
        """The attributes of our answer; None when there is none."""
        try:
            peer = _Peer.of(offer, medium)
            role = answering_role(peer.dtls.setup, self._role_towards(peer))
        except NegotiationError as error:
            MEDIA.info("an offer of DTLS-SRTP cannot be answered: %s", error)
            return None
        agent = self._described().agent if peer.ice is not None else None
        name = name_of(medium)
        return (*((Attribute("mid", name),) if name else ()), *self._about_us(role, agent))

    def _about_us(self, role: Setup, agent: IceAgent | None) -> Iterable[Attribute]:
        ice = agent.description.attributes() if agent is not None else ()
        return (*ice, *DtlsDescription(role, fingerprints(self._certificate)).attributes())

    def _role_towards(self, peer: _Peer) -> Setup | None:
        """Our role in the association with this peer; None when there is none."""
        keys = self._keys()
        is_same = keys is not None and keys.rtp.peer == frozenset(known(peer.dtls.fingerprints))
        return self._role if is_same else None

    def _keys(self) -> Associations | None:
        """The last ones made, in force or coming."""
        for sockets in (self._sockets, self.way):
            if sockets is not None and (sockets.coming or sockets.keys) is not None:
                return sockets.coming or sockets.keys
        return None

    # What was agreed

    async def agree(self, agreement: Agreement, *, offered: bool) -> None:
        medium = agreement.remote.media[agreement.index]
        peer = _Peer.of(agreement.remote, medium)
        current, setup = self._role_towards(peer), peer.dtls.setup
        role = (answered_role if offered else answering_role)(setup, current)
        sockets = self._described()
        agent = sockets.agent if peer.ice is not None else None
        if offered and self._is_turning and sockets.agent is None:
            return  # to an offer that is no more in force; the next one is on its way
        if agent is None:
            rtp = await destination(agreement.address, agreement.port, self._host)
            rtcp = await destination(agreement.rtcp_address, agreement.rtcp_port, self._host)
            sockets.destination = rtp or sockets.destination
            sockets.rtcp_destination = rtcp or sockets.rtcp_destination
        elif agent.remote is not None and peer.ice is not None:
            if agent.remote.credentials != peer.ice.credentials:
                self._turn_to_fork()
                return
            await agent.add(peer.ice)
        self._name = name_of(medium) or self._name
        if role is not current or sockets is not self.way:
            self._begin(sockets, agent, peer, role, mux=agreement.rtcp_mux or agent is not None)

    def _turn_to_fork(self) -> None:
        """Another fork has answered than the one that ICE was begun with: it gets an offer of its own."""
        self._is_turning = True
        if self._search is not None:
            self._search.cancel()
        self._sockets = self._bind(self._host, self._transport)
        self._context.change()

    def _begin(
        self, sockets: Sockets, agent: IceAgent | None, peer: _Peer, role: Setup, *, mux: bool
    ) -> None:
        """Search the way to the peer, and prove that it is there."""
        keys = self._keys() if role is self._role_towards(peer) and not self._is_turning else None
        if keys is not None and sockets.coming is keys:
            return  # it is under way
        if self._search is not None:
            self._search.cancel()
        if keys is not None and keys.rtp.profile is not None:
            sockets.keys = keys  # ICE alone begins anew
        else:
            sockets.await_keys(self._associate(sockets, peer, role, mux=mux))
        self._role = role
        self._checked = agent or self._checked
        search = self._find(sockets, agent, peer)
        self._search = asyncio.get_running_loop().create_task(search, name="sipstack media path")

    def _associate(self, sockets: Sockets, peer: _Peer, role: Setup, *, mux: bool) -> Associations:
        trusted = known(peer.dtls.fingerprints)

        def association(send: Callable[[bytes], None]) -> Association:
            client = role is Setup.ACTIVE
            return Association(self._certificate, trusted, client=client, send=send, ended=self._part)

        rtp = association(sockets.send)
        return Associations(rtp, rtp if mux else association(sockets.send_rtcp))

    async def _find(self, sockets: Sockets, agent: IceAgent | None, peer: _Peer) -> None:
        keys = sockets.coming
        try:
            if agent is not None and peer.ice is not None and agent.remote is None:
                await agent.connect(peer.ice)
            if keys is not None:
                await keys.rtp.connect()
        except TransportError as error:
            told = TransportError(f"{error}; {ONE_PORT}") if peer.two_ports else error
            MEDIA.warning("%s", told)
            self._context.fail(told)
            return
        if keys is not None:
            before, sockets.keys, sockets.coming = sockets.keys, keys, None
            if before is not None:
                before.close()
        self._use(sockets, agent)
        if keys is not None and keys.rtcp is not keys.rtp:
            try:
                await keys.rtcp.connect()
            except TransportError as error:  # audio goes without
                MEDIA.info("no RTCP: %s", error)

    def _use(self, sockets: Sockets, agent: IceAgent | None) -> None:
        """Packets go this way from here on."""
        before, self.way = self.way, sockets
        keys = sockets.keys
        self._is_turning = False
        if agent is not None:
            agent.watch(partial(self._lose, sockets))
        sockets.source = sockets.destination if agent is None else agent.peer
        sockets.rtp, sockets.rtcp = self._rtp, self._rtcp
        if keys is not None:
            keys.rtp.send = sockets.send
        for other in {before, *self._transport.sockets} - {None, sockets, self._sockets}:
            if other is not None:
                other.source = sockets.source
                self._timers.append(asyncio.get_running_loop().call_later(LINGER, self._retire, other))
        MEDIA.info("media goes to %s, %s", sockets.source, self.security)
        self._context.reach()

    def _retire(self, sockets: Sockets) -> None:
        """The last packets have come this way."""
        if self.way is not None and sockets.keys is not None and sockets.keys is not self.way.keys:
            sockets.keys.close()
        if sockets.coming is not None:
            sockets.coming.close()
        sockets.close()
        if sockets in self._transport.sockets:
            self._transport.earlier_send_errors += sockets.send_errors
            self._transport.sockets.remove(sockets)

    def trickled(self, *fragments: IceFragment) -> None:
        agent = self._described().agent
        for fragment in fragments:
            if agent is not None and fragment.name in (None, self._name):
                adding = asyncio.get_running_loop().create_task(agent.trickle(fragment.ice))
                self._adding.add(adding)
                adding.add_done_callback(self._adding.discard)

    # The end

    def _lose(self, sockets: Sockets) -> None:
        if sockets is self.way and not self._is_turning:
            self._context.fail(TransportError("the peer answers no more at the address of its media (ICE)"))

    def _part(self) -> None:
        """The peer has closed an association. Most often a BYE is on its way."""
        self._timers.append(asyncio.get_running_loop().call_later(FAREWELL, self._depart))

    def _depart(self) -> None:
        way = self.way
        if way is not None and way.keys is not None and way.keys.rtp.is_closed and not self._is_turning:
            self._context.fail(TransportError("the peer has closed its media (DTLS)"))

    def close(self) -> None:
        if self._search is not None:
            self._search.cancel()
        for adding in self._adding:
            adding.cancel()
        for timer in self._timers:
            timer.cancel()
        for sockets in {*self._transport.sockets, *filter(None, (self.way,))}:
            for keys in filter(None, (sockets.keys, sockets.coming)):
                keys.close()
            sockets.keys = sockets.coming = None
            if sockets.agent is not None:
                sockets.agent.close()
        self.way = None


def _offering(offer: SessionDescription) -> _Peer | None:
    """The peer, as the m-line describes it that we would answer."""
    for medium in offer.media:
        if medium.kind == "audio" and not medium.rejected and medium.protocol in DTLS_PROTOCOLS:
            try:
                return _Peer.of(offer, medium)
            except NegotiationError:
                return None
    return None
