"""The media of a call as RTP/AVP over UDP: offers, answers, and one audio stream that follows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

import attrs

from sipstack.errors import CallEnded, LocalProtocolError, MediaError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import MEDIA
from sipstack.media.addresses import destination, is_ours, local_address
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.chosen_codecs import known_codecs
from sipstack.media.clock import MediaClock
from sipstack.media.codecs import AudioCodec
from sipstack.media.dtmf import Dtmf, Inband
from sipstack.media.events import Listener, MediaChanged, MediaEvent, MediaFailed, PeerLost, SourceLeft
from sipstack.media.formats import FORMATS, Format, FormatsOfCall
from sipstack.media.ice_settings import Ice
from sipstack.media.path import KeyedPath, MediaPath, PathKind, SearchingPath
from sipstack.media.path_choice import PathChoice
from sipstack.media.peer_address import Latch, known_latch
from sipstack.media.restored import RestoredSession
from sipstack.media.silence import SilenceWatch
from sipstack.media.stream import AudioStream
from sipstack.media.transport import Bind, RtpTransport, UdpTransport
from sipstack.media.udp_port import EXPEDITED
from sipstack.sdp import (
    Agreement,
    Codec,
    Connection,
    Direction,
    IceFragment,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
)

TROUBLES = 25
"""Packets (half a second) that could not be sent, until we look whether our address is still ours."""
TIMEOUT = 30.0
"""Seconds of silence after which a peer that should send is lost, as with other phones."""


class AudioSession(RestoredSession):
    """A MediaPort for one audio stream over plain RTP. ``host`` is the local IP address.

    ``advertised`` is the address that the peer is told, where that is another one (NAT, Docker). ``ports`` is
    the first and the last port to use; (0, 0) lets the system choose. ``random`` gives SSRC, numbers and
    session id. ``clock`` is the event loop's shared one when not given. Ports are opened with the first offer
    or answer, and stay the same for the whole call, with two exceptions: an offer from the other IP family is
    answered from our address on the way there, as ``route`` tells it, and when ``host`` is no longer ours
    while nothing can be sent, audio moves to the address that is, and the peer gets a new offer
    (``MediaChanged``).

    ``codecs`` are names ("PCMU", "PCMA", "G722", "opus", "L16/16000", and what else ``media.codecs.CODECS``
    has), or codecs of your own, in order of preference. Our offers have that order. Of an offer we take what
    the peer prefers, or with ``prefer_own`` what we prefer. ``sample_rate`` is that of the audio that you
    send and hear, whichever codec is in use: the highest of the codecs unless you say. Opus itself works at
    8, 12, 16, 24 or 48 kHz; where codec and audio differ, PyAV of the ``media`` extra converts. Raises
    MediaError for what is not known or not installed. The first session with such a codec loads its library.

    ``bind`` opens the ports: ``PortPool.bind`` keeps them for the next call. Without it, ``dscp`` is how
    routers are asked to treat the packets: as voice. ``rtcp_mux`` offers and accepts RTCP on the port of
    plain RTP (RFC 5761).

    After ``timeout`` seconds without RTP or RTCP the listener is told ``PeerLost``, which ends a call; None
    is never. Nothing is told while one side holds the other. With ``on_silence`` the call goes on: it is
    called in place of that, with the seconds of silence, each time that the peer falls silent.

    ``signalling`` is the host that the call is signalled from: media from there is believed sooner than media
    from anywhere else. ``latch`` tells whose packets are the peer's, and so where ours go: "off", only the
    address in its description; "once", the first source after each description; "auto", see ``PeerAddress``.

    ``security`` names what may protect the packets: the first is offered, all are accepted, and a call that
    is refused for its offer (488, 606, 415) is tried again with the next. Without it plain RTP is offered,
    and "sdes" and "dtls" are accepted too. "none" is plain RTP; "sdes" is SRTP with keys in the descriptions,
    which travel over protected signalling alone unless ``insecure_keys``; "opportunistic" is the same beside
    plain RTP, for peers that can. "dtls" is DTLS-SRTP, as browsers have it: by ``ice``, or with None to the
    address of the description.
    ``beside``: payload formats that go beside the codecs. ``inband``: see ``Dtmf``. ``comfort_noise`` offers
    it (RFC 3389) and sends it in place of pauses, in 8 kHz codecs; the peer's is played in any case.
    """

    def __init__(
        self,
        host: str,
        *,
        advertised: str | None = None,
        codecs: Sequence[str | AudioCodec] = ("PCMU", "PCMA"),
        prefer_own: bool = False,
        sample_rate: int | None = None,
        ports: tuple[int, int] = (0, 0),
        clock: MediaClock | None = None,
        random: Identifiers | None = None,
        bind: Bind | None = None,
        dscp: int = EXPEDITED,
        rtcp_mux: bool = False,
        timeout: float | None = TIMEOUT,
        on_silence: Callable[[float], None] | None = None,
        signalling: str | None = None,
        latch: Latch = "auto",
        security: str | Sequence[str] | None = None,
        insecure_keys: bool = False,
        ice: Ice | None = Ice(),  # noqa: B008  (a value)
        beside: Sequence[str | Format] = tuple(FORMATS),
        comfort_noise: bool = False,
        inband: Inband = "auto",
        route: Callable[[str], str | None] = local_address,
        is_ours: Callable[[str], bool] = is_ours,
    ) -> None:
        known = known_codecs(tuple(codecs), prefer_own, sample_rate)
        self._known, self._codecs, self._capabilities = known, known.by_key, known.capabilities
        self._receives = self._playable(self._capabilities.codecs)
        self.audio = Audio(self._statistics, known.sample_rate)
        self.dtmf = Dtmf(self.audio, inband)
        self._formats = FormatsOfCall(beside, self.dtmf, comfort_noise=comfort_noise)
        self._capabilities = self._formats.described(self._capabilities)
        self._host = host
        self._local = host  # where we are now
        self._route = route
        self._is_ours = is_ours
        self._send_errors = self._troubles = 0
        self._clock = clock
        self._random = random or Identifiers()
        self._signalling = signalling
        self._latch = known_latch(latch)
        self._choice = PathChoice(
            security,
            insecure_keys=insecure_keys,
            rtcp_mux=rtcp_mux,
            ice=ice,
            ports=ports,
            bind=bind or partial(UdpTransport.bind, dscp=dscp),
            random=self._random,
        )
        self._path: MediaPath | None = None
        self._path_kind = self._choice.kind
        self._watch = SilenceWatch(timeout, on_silence or self._lose, again=on_silence is not None)
        self._confirmed = False
        address = self._told = advertised or host.partition("%")[0]
        self._negotiation = Negotiation(Origin("-", self._random.session_id(), 1, address), address)
        self._transport: RtpTransport | None = None
        self._stream: AudioStream | None = None
        self._listener: Listener | None = None
        self._closed = False
        self._expecting = False  # media in both directions is agreed on
        self._untold: MediaEvent | None = None  # what happened before somebody listened

    def __repr__(self) -> str:
        port = self._transport.port if self._transport else None
        return f"<AudioSession {self._local} port={port} codec={self.audio.codec}>"

    @property
    def error(self) -> MediaError | None:
        """The last thing that went wrong with a recording."""
        return self.audio.error

    @property
    def stream(self) -> AudioStream | None:
        """The one stream; None before the first description."""
        return self._stream

    @property
    def security(self) -> str | None:
        """What protects the packets, in words; None while nothing does."""
        return self._path.security if self._path is not None else None

    def signalled(self, peer: str, secure: bool) -> None:
        self._signalling, self._choice.is_signalled_securely = peer, secure

    def attach(self, listener: Listener) -> None:
        if not self._closed:
            self._listener = listener
            if self._untold is not None:
                asyncio.get_running_loop().call_soon(self._tell, self._untold)
                self._untold = None
            if self._expecting:
                self._watch.begin(asyncio.get_running_loop().time())

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        path, transport, stream = await self._open()
        if self._path_kind is not self._choice.kind:
            path, transport = await self._go_over(stream)
        if isinstance(path, SearchingPath):
            await path.prepare(None, self._told)
            self._check_open()
        self._negotiation = self._negotiation.offer(self._streams(path, transport, direction))
        # The peer may use any codec that was offered, at once.
        payload_types = self._negotiation.payload_types
        self._expect_packets(stream, payload_types.numbered("audio", self._capabilities.codecs))
        return self._negotiation.local

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        self._check_open()
        local = self._address_towards(offer)
        kind = self._choice.towards(offer)
        if self._transport is None:
            self._local, self._choice.kind = local, kind
        path, transport, stream = await self._open()
        if kind is not self._path_kind:
            path = self._make(kind)
            transport = await path.open(local)
        elif local != self._local:
            transport = path.move(local)
        try:
            if isinstance(path, SearchingPath):
                await path.prepare(offer, self._told_at(local))
                self._check_open()
            negotiation = self._negotiation.answer(offer, self._streams(path, transport, direction, local))
        except BaseException:
            self._abandon(path, transport)
            raise
        if transport is not self._transport:
            self._choice.kind = self._path_kind = kind
            self._move(path, transport, local)
        if not self._confirmed:
            stream.doubt()
        await self._apply(path, stream, negotiation, offered=False)
        return negotiation.local

    async def answered(self, answer: SessionDescription) -> None:
        self._check_open()
        negotiation = self._negotiation.answered(answer)
        path, _, stream = await self._open()
        await self._apply(path, stream, negotiation, offered=True)
        self.confirmed()

    def fall_back(self) -> bool:
        return not self._closed and self._choice.fall_back()

    def moved(self, host: str, advertised: str | None = None) -> None:
        self._check_open()
        if self._path is None:
            self._local = host
        elif host != self._local and Connection(host).family == Connection(self._local).family:
            self._move(self._path, self._path.move(host), host)
        self._host, self._told = host, advertised or host.partition("%")[0]

    def use_codecs(self, *codecs: str | AudioCodec) -> None:
        """Have these alone of our codecs, in this order, in our next descriptions, and ask for one, as
        ``rekey`` does. A peer that has none of them refuses that and all our further offers, until it has
        others again: the call stays as it is. Raises MediaError for a codec that is not ours.
        """
        self._capabilities = self._formats.described(self._known.only(*codecs))
        self._change()

    def rekey(self) -> None:
        """Have new keys in our next description, and ask for it (``MediaChanged``): a call then sends a
        re-INVITE. Raises LocalProtocolError when no keys of ours stand in descriptions.
        """
        path = self._path
        if not isinstance(path, KeyedPath) or path.security is None:
            raise LocalProtocolError("nothing is protected by keys that could be told anew")
        path.renew()
        self._change()

    def confirmed(self) -> None:
        self._confirmed = True
        if self._stream is not None:
            self._stream.confirm()

    def trickled(self, *fragments: IceFragment) -> None:
        if isinstance(self._path, SearchingPath):
            self._path.trickled(*fragments)

    async def close(self) -> None:
        if self._transport is not None and not self._closed:
            MEDIA.info("%s is closed", self)
            if self._transport.send_errors:
                MEDIA.warning("%s: %s packets could not be sent", self, self._transport.send_errors)
        self._closed = True
        self._listener = None
        self._watch.close()
        if self._clock is not None and self._stream is not None:
            self._clock.leave(self._tick)
            self._stream.close(asyncio.get_running_loop().time())
        if self._path is not None:
            self._path.close()
            self._path = None  # it knows us
        if self._transport is not None:
            self._transport.close()
        self.audio.end(CallEnded("local", "the media session is closed"))

    def _check_open(self) -> None:
        if self._closed:
            raise LocalProtocolError("the media session is closed")

    def _make(self, kind: PathKind) -> MediaPath:
        return self._choice.make(kind, self._fail, self._change, self._renumber, self._reach)

    def _renumber(self) -> None:
        if self._stream is not None:
            self._stream.speaking.renumber(self._random)

    async def _open(self) -> tuple[MediaPath, RtpTransport, AudioStream]:
        self._check_open()
        if self._path is None or self._transport is None or self._stream is None:
            self._path_kind = self._choice.kind
            path = self._make(self._path_kind)
            transport = await path.open(self._local)
            if self._closed:
                self._abandon(path, transport)
                self._check_open()
            self._path, self._transport = path, transport
            self._clock = self._clock or MediaClock.shared()
            now = asyncio.get_running_loop().time()
            self._stream = AudioStream(
                self.audio,
                transport,
                self._random,
                now,
                signalling=self._signalling,
                watch=self._watch,
                latch=self._latch,
                coders=self._clock.coders,
            )
            self._stream.left = lambda reason: self._tell(SourceLeft(reason))
            transport.start(self._stream.receive_rtp, self._stream.receive_rtcp, self._fail)
            self._clock.join(self._tick)
            MEDIA.info("%s is open", self)
        return self._path, self._transport, self._stream

    async def _go_over(self, stream: AudioStream) -> tuple[MediaPath, RtpTransport]:
        """Take the kind of path that is chosen now, in place of the present one; nothing is agreed on yet."""
        kind = self._choice.kind
        path = self._make(kind)
        transport = await path.open(self._local)
        self._check_open()
        self._path_kind, self._negotiation = kind, self._negotiation.afresh()
        self._move(path, transport, self._local)
        stream.disconnect()  # early media of who has refused
        return path, transport

    def _abandon(self, path: MediaPath, transport: RtpTransport) -> None:
        """Let go of what was made for nothing."""
        if transport is not self._transport:
            transport.close()
        if path is not self._path:
            path.close()

    def _streams(
        self, path: MediaPath, transport: RtpTransport, direction: Direction, local: str | None = None
    ) -> dict[str, MediaStream]:
        local = local or self._local
        told = self._told_at(local)
        address = None if told == self._negotiation.address else told
        capabilities = self._capabilities
        if path.rtcp_mux:
            capabilities = attrs.evolve(capabilities, rtcp_mux=True)
        ports = transport.port, transport.rtcp_port
        stream = MediaStream("audio", capabilities, ports[0], direction, ports[1], address, path.profiles)
        return {"audio": stream}

    def _told_at(self, local: str) -> str:
        """The address that the peer knows ``local`` by."""
        return self._told if local == self._host else local.partition("%")[0]

    def _address_towards(self, offer: SessionDescription) -> str:
        """Our address for an answer to this offer: another one only if the offer is of the other family."""
        audio = (medium for medium in offer.media if medium.kind == "audio" and not medium.rejected)
        connection = next(map(offer.connection_of, audio), None)
        if connection is None or connection.nowhere or connection.family is None:
            return self._local
        if connection.family == Connection(self._local).family:
            return self._local
        if connection.family == Connection(self._host).family:
            return self._host
        return self._route(connection.address) or self._local

    def _move(self, path: MediaPath, transport: RtpTransport, local: str) -> None:
        """Go on over another transport, at another address of ours or of another kind."""
        MEDIA.info("%s goes on at %s", self, local)
        if self._path is not None and path is not self._path:
            self._path.close()
        self._path = path
        old, self._transport, self._local = self._transport, transport, local
        self._send_errors = self._troubles = 0
        if old is not None:
            old.close()
        if self._stream is not None:
            transport.start(self._stream.receive_rtp, self._stream.receive_rtcp, self._fail)
            self._stream.use(transport)

    def _tick(self, now: float, periods: int) -> None:
        stream, transport = self._stream, self._transport
        if stream is not None and transport is not None:
            stream.tick(now, periods)
            if transport.send_errors != self._send_errors:
                self._send_errors = transport.send_errors
                self._troubles += 1
                if self._troubles % TROUBLES == 0:
                    self._look_for_address(stream)

    def _look_for_address(self, stream: AudioStream) -> None:
        """Packets cannot be sent: it may be that our address is not ours any more."""
        destination, path = stream.destination, self._path
        if destination is None or path is None or self._is_ours(self._local):
            return
        local = self._route(destination[0])
        if local is None or local == self._local:
            return
        try:
            transport = path.move(local)
        except TransportError as error:
            MEDIA.warning("%s cannot go on at %s: %s", self, local, error)
            return
        self._move(path, transport, local)
        self._change()

    async def _apply(
        self, path: MediaPath, stream: AudioStream, negotiation: Negotiation, *, offered: bool
    ) -> None:
        """Follow what was agreed; nothing has changed when this raises."""
        agreement = negotiation.agreements.get("audio")
        if agreement is None:
            stream.disconnect()
            self._formats.agree(None, stream)
            self._expect(False)
        else:
            await self._connect(path, stream, agreement, offered)
        self._negotiation = negotiation

    async def _connect(
        self, path: MediaPath, stream: AudioStream, agreement: Agreement, offered: bool
    ) -> None:
        rtp = rtcp = None
        if not isinstance(path, SearchingPath):
            rtp = await destination(agreement.address, agreement.port, self._local)
            rtcp = await destination(agreement.rtcp_address, agreement.rtcp_port, self._local)
        self._check_open()
        await path.agree(agreement, offered=offered)
        self._check_open()
        if isinstance(path, SearchingPath):
            rtp, rtcp = path.peer
        codec = self._codecs[agreement.codec.key]
        self._expect_packets(stream, agreement.receive.values())
        stream.connect(rtp, rtcp)
        stream.agreement = agreement
        direction = agreement.direction
        stream.speak(codec, agreement.codec, sends=direction.sends, ptime=agreement.ptime)
        stream.hear(direction.receives)
        self._formats.agree(agreement, stream)
        self._expect(direction is Direction.SENDRECV)
        self.audio.codec = codec.name
        MEDIA.info("%s is connected to %s, %s", self, rtp or "nobody", agreement.direction.value)

    def _expect(self, expecting: bool) -> None:
        """Whether the peer has to send. Nobody is told before a listener is there: until the call is answered
        the peer may be silent.
        """
        self._expecting = expecting
        if expecting and self._listener is not None:
            self._watch.begin(asyncio.get_running_loop().time())
        else:
            self._watch.end()

    def _fail(self, error: TransportError) -> None:
        self._tell(MediaFailed(error))

    def _change(self) -> None:
        self._tell(MediaChanged())

    def _reach(self) -> None:
        """The path has found the peer."""
        path, stream = self._path, self._stream
        if isinstance(path, SearchingPath) and stream is not None and "audio" in self._negotiation.agreements:
            stream.connect(*path.peer)
            stream.confirm()

    def _lose(self, silence: float) -> None:
        self._tell(PeerLost(silence))

    def _tell(self, event: MediaEvent) -> None:
        if self._listener is not None:
            self._listener(event)
        elif not self._closed and not isinstance(event, SourceLeft):  # of those some other may come
            self._untold = event

    def _expect_packets(self, stream: AudioStream, codecs: Collection[Codec]) -> None:
        """These may come from now on."""
        self._receives |= self._playable(codecs)
        stream.expect(self._receives, self._formats.receivers(codecs))

    def _playable(self, codecs: Iterable[Codec]) -> dict[int, AudioCodec]:
        """Our codecs by the payload type numbers of these."""
        found = {codec.payload_type: self._codecs.get(codec.key) for codec in codecs}
        return {payload_type: codec for payload_type, codec in found.items() if codec is not None}

    def _statistics(self) -> MediaStatistics:
        if self._stream is None:
            return MediaStatistics()
        return self._choice.refused.counted(self._stream.statistics())
