"""One audio stream over RTP: what happens when a packet arrives and in each tick of the media clock.

All of it is synchronous and without a task, future or timer of its own: hundreds of these share one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.codecs import AudioCodec
from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.media.packets import Packets
from sipstack.media.peer_address import Address, Latch, PeerAddress
from sipstack.media.silence import SilenceWatch, ignore
from sipstack.media.transport import RtpTransport
from sipstack.rtp import rtcp
from sipstack.rtp.concealment import Concealer
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.playout import Gap, PlayoutBuffer
from sipstack.rtp.reception import Arrival, Reception
from sipstack.rtp.reporter import Reporter
from sipstack.rtp.sender import Sender

BURST = 50
"""Frames taken from the playout buffer in one tick at most, after a stall."""
UNCONFIRMED = 5
"""Packets to an address from which nothing has come, as long as an offer alone names it: anybody can forge
one, and have us flood whom it names."""
KEEP_ALIVE = 15.0
"""Seconds between the empty packets that keep a NAT binding open while we send no audio (RFC 6263 §4.1)."""

Decode = Callable[[bytes], bytes]


class AudioStream:
    """The RTP and RTCP of one m-line. It begins with neither a peer nor codecs.

    ``signalling`` is the host that the call is signalled from. ``watch`` is told what is heard.
    """

    def __init__(
        self,
        audio: Audio,
        transport: RtpTransport,
        random: Identifiers,
        now: float,
        *,
        signalling: str | None = None,
        watch: SilenceWatch | None = None,
        latch: Latch = "auto",
    ) -> None:
        self._audio = audio
        self._transport = transport
        self._earlier_send_errors = 0  # over transports before this one
        # Half the sequence numbers, so that SRTP would not begin with a wrap.
        number = int.from_bytes(random.octets(2), "big") & 0x7FFF
        ssrc, timestamp = (int.from_bytes(random.octets(4), "big") for _ in range(2))
        self._sender = Sender(ssrc, number, timestamp)
        self._reception = Reception(audio.sample_rate)
        cname = random.octets(12).hex()
        self._reporter = Reporter(self._sender, self._reception, cname, random.uniform, now)
        self._watch = watch or SilenceWatch(None, ignore)
        self._rtp_peer = PeerAddress(signalling, latch)
        self._rtcp_signalled: Address | None = None
        self._rtcp_source: Address | None = None
        self._unconfirmed: int | None = None  # packets that may be sent yet; None: any number
        self._packets = Packets(audio.sample_rate)
        self._codec: AudioCodec | None = None
        self._payload_type = 0
        self._sends = False
        self._frame_units = audio.sample_rate // FRAMES_PER_SECOND
        self._receives: Mapping[int, AudioCodec] = {}
        self._heard: AudioCodec | None = None  # that of the last packet
        self._heard_units = self._frame_units  # of its clock, in a frame
        self._playout: PlayoutBuffer[tuple[Decode, bytes]] = PlayoutBuffer(audio.sample_rate)
        self._concealer = Concealer(frame_octets(audio.sample_rate))
        self._hears = True
        self._listening = False
        self._octets = frame_octets(audio.sample_rate)
        self._rest = b""
        self._keep_alive_at = now + KEEP_ALIVE
        self._octets_received = 0
        self._invalid = 0

    def expect(self, receives: Mapping[int, AudioCodec]) -> None:
        """Take packets of these payload types."""
        self._receives = receives

    def connect(self, rtp: Address | None, rtcp: Address | None) -> None:
        """The peer's addresses as it signalled them; None where it takes nothing."""
        self._rtp_peer.signal(rtp)
        if rtcp != self._rtcp_signalled:
            self._rtcp_signalled, self._rtcp_source = rtcp, None

    def use(self, transport: RtpTransport) -> None:
        """Send over this transport from here on."""
        self._earlier_send_errors += self._transport.send_errors
        self._transport = transport

    @property
    def destination(self) -> Address | None:
        """Where RTP goes."""
        return self._rtp_peer.destination

    def disconnect(self) -> None:
        """Send nothing, not even reports: the stream was refused or removed."""
        self._hold()
        self.connect(None, None)

    def doubt(self) -> None:
        """Send only a few packets until something comes from there, or ``confirm`` is called."""
        self._unconfirmed = UNCONFIRMED

    def confirm(self) -> None:
        """The peer is where it says that it is."""
        self._unconfirmed = None

    def speak(self, codec: AudioCodec, payload_type: int, *, sends: bool, ptime: float = 20.0) -> None:
        """Send this codec under the peer's number, in packets of ``ptime`` milliseconds, or hold it back:
        time then runs on without packets.
        """
        self._codec, self._payload_type, self._sends = codec, payload_type, sends
        self._frame_units = codec.frame_units
        self._packets.use(ptime)
        if not sends:
            self._hold()

    def hear(self, hears: bool) -> None:
        """Whether what comes is played. What is not is counted all the same."""
        self._hears = hears
        if not hears:
            self._playout.reset()
            self._listening = False

    def statistics(self) -> MediaStatistics:
        """The counters up to now."""
        return MediaStatistics(
            packets_sent=self._sender.packets,
            packets_received=self._reception.received,
            packets_lost=self._reception.lost,
            octets_sent=self._sender.octets,
            octets_received=self._octets_received,
            jitter=self._reception.jitter,
            round_trip=self._reporter.round_trip,
            packets_late=self._playout.late,
            packets_invalid=self._invalid,
            frames_concealed=self._concealer.concealed,
            send_errors=self._earlier_send_errors + self._transport.send_errors,
        )

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """One datagram at the RTP port."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self._invalid += bool(data)  # an empty one is a keep-alive
            return
        codec = self._receives.get(packet.payload_type)
        if codec is None:
            self._receive_other(packet, source, now)
            return
        former = self._rtp_peer.source
        if not self._rtp_peer.accept(source, packet.sequence_number, now):
            self._invalid += 1
            return
        if source != former:
            self._reception.let_in()
        self._watch.heard_at = now
        if self._unconfirmed is not None:
            self.confirm()
        if codec is not self._heard:
            self._follow(codec)
        arrival = self._reception.receive(packet.ssrc, packet.sequence_number, packet.timestamp, now)
        if arrival is Arrival.REFUSED:
            self._invalid += 1
            return
        payload = packet.payload
        self._octets_received += len(payload)
        if self._hears and self._audio.wanted:
            if arrival is Arrival.RESTARTED or not self._listening:
                self._listen_anew()
            self._playout.put(packet.timestamp, codec.duration(payload), (codec.decode, payload), now)

    def receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        """One datagram at the RTCP port. It must come from the peer's host, or as it was signalled."""
        try:
            packets = rtcp.parse(data)
        except ParseError:
            self._invalid += 1
            return
        rtp_peer = self._rtp_peer.destination
        if source == self._rtcp_signalled or (rtp_peer is not None and source[0] == rtp_peer[0]):
            self._rtcp_source = source
            self._watch.heard_at = now
            self._reporter.receive(packets, now)
        else:
            self._invalid += 1

    def _receive_other(self, packet: RtpPacket, source: Address, now: float) -> None:
        """A payload type that is not played: comfort noise, DTMF. It has come, so it is not lost."""
        known = source == self._rtp_peer.source
        if known and self._reception.count(packet.ssrc, packet.sequence_number, now):
            self._rtp_peer.accept(source, packet.sequence_number, now)
            self._watch.heard_at = now
            self._octets_received += len(packet.payload)
        else:
            self._invalid += 1

    def tick(self, now: float, periods: int) -> None:
        """20 ms have passed, or several times that after a stall."""
        if periods > 1:
            self._packets.forget()
            self._watch.stalled(now)
        if self._sends:
            self._send()
        elif now >= self._keep_alive_at:
            self._keep_alive(now)
        self._sender.advance(self._frame_units * periods)
        if self._audio.wanted:
            for _ in range(min(periods, BURST)):
                self._audio.write(self._next_frame(now))
        else:
            self._listening = False
        if now >= self._reporter.deadline:
            self._send_rtcp(self._reporter.report, now)
        if now >= self._watch.due:
            self._watch.check(now)

    def close(self, now: float) -> None:
        """Say goodbye."""
        self._sends = False
        self._send_rtcp(self._reporter.bye, now)

    def _send(self) -> None:
        codec, destination = self._codec, self._rtp_peer.destination
        if codec is None or destination is None:
            return
        if self._unconfirmed is not None:
            if not self._unconfirmed:
                self._sender.pause()
                return
            self._unconfirmed -= 1
        pcm = self._audio.read()
        if self._packets.octets != self._octets:
            self._send_packets(codec, bytes(self._octets) if pcm is None else pcm, destination)
            return
        # With nothing to say we send silence: it opens NATs, and some peers wait for our first packet.
        payload = codec.silence if pcm is None else codec.encode(pcm)
        self._transport.send_rtp(self._sender.packet(self._payload_type, payload), destination)

    def _send_packets(self, codec: AudioCodec, pcm: bytes, destination: Address) -> None:
        """The peer asks for packets of another length than a frame."""
        for piece, earlier in self._packets.cut(pcm):
            units = earlier * codec.clock_rate // codec.sample_rate
            packet = self._sender.packet(self._payload_type, codec.encode(piece), units)
            self._transport.send_rtp(packet, destination)

    def _send_rtcp(self, compound: Callable[[float], bytes], now: float) -> None:
        destination = self._rtcp_signalled and (self._rtcp_source or self._rtcp_signalled)
        if destination is not None:
            self._transport.send_rtcp(compound(now), destination)

    def _keep_alive(self, now: float) -> None:
        self._keep_alive_at = now + KEEP_ALIVE
        destination = self._rtp_peer.destination
        if destination is not None:
            self._transport.send_rtp(b"", destination)

    def _hold(self) -> None:
        self._sends = False
        self._sender.pause()
        self._packets.forget()

    def _follow(self, codec: AudioCodec) -> None:
        """From here on the peer sends another codec, whose clock may be another one."""
        self._heard = codec
        self._heard_units = codec.frame_units
        if codec.clock_rate != self._reception.clock_rate:
            self._reception.use_clock(codec.clock_rate)
            self._playout.use_clock(codec.clock_rate)

    def _listen_anew(self) -> None:
        self._playout.reset()
        self._rest = b""
        self._listening = True

    def _next_frame(self, now: float) -> bytes:
        """20 ms of what is heard: packets of other lengths are cut or joined."""
        octets, pcm = self._octets, self._rest
        while len(pcm) < octets:
            item = self._playout.get(now)
            if isinstance(item, Gap):
                missing = octets * self._playout.missing // self._heard_units
                missing += missing & 1
                piece = self._concealer.conceal(missing) if item is Gap.LOST else bytes(octets)
            else:
                decode, payload = item
                piece = decode(payload)
                self._concealer.good(piece)
            pcm = pcm + piece if pcm else piece
        self._rest = pcm[octets:]
        return pcm[:octets]
