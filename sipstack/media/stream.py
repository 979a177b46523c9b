"""One audio stream over RTP: what happens when a packet arrives and in each tick of the media clock.

All of it is synchronous and without a task, future or timer of its own: hundreds of these share one core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.log import MEDIA
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.codecs import AudioCodec
from sipstack.media.coders import Coders
from sipstack.media.feedback import peer_report, wants_metrics
from sipstack.media.hearing import Hearing
from sipstack.media.peer_address import Address, Latch, PeerAddress
from sipstack.media.silence import SilenceWatch, ignore
from sipstack.media.speaking import Speaking
from sipstack.media.transport import Receive, RtpTransport
from sipstack.rtp import rtcp
from sipstack.rtp.metrics import metrics_of
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.quality import impairment_of
from sipstack.rtp.reception import Arrival, Reception
from sipstack.rtp.reporter import Reporter
from sipstack.rtp.sorting import is_dtls, is_stun
from sipstack.sdp import Agreement, Codec

KEEP_ALIVE = 15.0
"""Seconds between the empty packets that keep a NAT binding open while we send no audio (RFC 6263 §4.1)."""

Beside = Callable[[RtpPacket, float], None]
"""Called with each packet of a payload type that goes beside the codecs, as telephone-event and CN do, and
with the time when it came."""

PacketTap = Callable[[RtpPacket, AudioCodec | None, float], None]
"""Called with a packet, its codec (None for those beside the codecs), and the time when it came."""

NONE: Mapping[int, Beside] = MappingProxyType({})


class AudioStream:
    """The RTP and RTCP of one m-line. It begins with neither a peer nor codecs.

    ``signalling`` is the host that the call is signalled from. ``watch`` is told what is heard. ``coders``
    opens the codecs.
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
        coders: Coders | None = None,
    ) -> None:
        self.sample_rate = audio.sample_rate
        """Of what is said and heard."""
        self._transport = transport
        self._earlier_send_errors = 0  # over transports before this one
        coders = coders or Coders()
        self.speaking = Speaking(audio, random, coders)
        self._hearing = Hearing(audio, coders)
        self._reception = Reception(audio.sample_rate)
        cname = random.cname()
        self._reporter = Reporter(self.speaking.sender, self._reception, cname, random.uniform, now)
        self._watch = watch or SilenceWatch(None, ignore)
        self._rtp_peer = PeerAddress(signalling, latch)
        self._rtcp_signalled: Address | None = None
        self._rtcp_source: Address | None = None
        self._is_doubted = False  # an offer alone names the peer's address
        self._receives: Mapping[int, AudioCodec] = {}
        self._beside: Mapping[int, Beside] = {}
        self._heard: AudioCodec | None = None  # that of the last packet
        self._keep_alive_at = now + KEEP_ALIVE
        self._octets_received = 0
        self._invalid = 0
        self.agreement: Agreement | None = None
        """What was agreed on last."""
        self.tap: PacketTap | None = None
        """Gets each packet that is accepted."""
        self.stun: Receive = ignore
        """Gets what comes of STUN to the RTP port (RFC 7983)."""
        self.left: Callable[[str], None] = ignore
        """Called when the source that we listen to has said that it sends no more (RTCP BYE), and why."""

    def expect(self, receives: Mapping[int, AudioCodec], beside: Mapping[int, Beside] = NONE) -> None:
        """Take packets of these payload types."""
        self._receives, self._beside = receives, beside

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
        self.speaking.hold()
        self.connect(None, None)

    def doubt(self) -> None:
        """Send only a few packets until something comes from there, or ``confirm`` is called."""
        self._is_doubted = True
        self.speaking.doubt()

    def confirm(self) -> None:
        """The peer is where it says that it is."""
        self._is_doubted = False
        self.speaking.confirm()

    def speak(self, codec: AudioCodec, agreed: Codec, *, sends: bool, ptime: float = 20.0) -> None:
        """Send this codec as the peer has described it, in packets of ``ptime`` milliseconds, or hold it
        back: time then runs on without packets.
        """
        self.speaking.use(codec, agreed, ptime)
        self.speaking.is_sending = sends
        if not sends:
            self.speaking.hold()

    def hear(self, hears: bool) -> None:
        """Whether what comes is played. What is not is counted all the same."""
        self._hearing.hear(hears)

    def hear_beside(self, packet: RtpPacket, codec: AudioCodec, now: float) -> None:
        """Play what ``beside`` was called with, as a packet of this codec, whose clock is the same."""
        self._hearing.put_beside(packet, codec, now)

    def statistics(self) -> MediaStatistics:
        """The counters up to now."""
        sender = self.speaking.sender
        return MediaStatistics(
            packets_sent=sender.earlier_packets + sender.packets,
            packets_received=self._reception.received,
            packets_lost=self._reception.lost,
            octets_sent=sender.earlier_octets + sender.octets,
            octets_received=self._octets_received,
            jitter=self._reception.jitter,
            round_trip=self._reporter.round_trip,
            packets_late=self._hearing.late,
            packets_invalid=self._invalid,
            frames_concealed=self._hearing.concealed,
            send_errors=self._earlier_send_errors + self._transport.send_errors,
            playout_delay=self._hearing.delay,
            codec_heard=self._heard.name if self._heard is not None else None,
            peer=peer_report(self._reporter, self.speaking.clock_rate),
        )

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """One datagram at the RTP port."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self._receive_foreign(data, source, now)
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
        if self._is_doubted:
            self.confirm()
        if codec is not self._heard:
            self._follow(codec)
        arrival = self._reception.receive(packet.ssrc, packet.sequence_number, packet.timestamp, now)
        if arrival is Arrival.REFUSED:
            self._invalid += 1
            return
        self._octets_received += len(packet.payload)
        if self.tap is not None:
            self.tap(packet, codec, now)
        self._hearing.put(packet, codec, anew=arrival is Arrival.RESTARTED, now=now)

    def _receive_foreign(self, data: bytes, source: Address, now: float) -> None:
        """No RTP: an empty one is a keep-alive; peers with ICE or DTLS try whether we have these too."""
        if is_stun(data):
            self.stun(data, source, now)
        elif data and not is_dtls(data):
            self._invalid += 1

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
            self._heed(packets, now)
        else:
            self._invalid += 1

    def _heed(self, packets: Iterable[rtcp.RtcpPacket], now: float) -> None:
        """What the peer reports."""
        reporter = self._reporter
        before = reporter.feedback
        bye = reporter.receive(packets, now)
        if reporter.feedback is not None and reporter.feedback is not before:
            self.speaking.lost(reporter.feedback.fraction_lost / 256)
        if bye is not None:
            MEDIA.info("the source that was heard has left: %s", bye.reason or "no reason given")
            self._hearing.finish()
            self._reception.let_in()
            self.left(bye.reason)

    def _receive_other(self, packet: RtpPacket, source: Address, now: float) -> None:
        """A payload type that is not played: comfort noise, DTMF. It has come, so it is not lost."""
        beside = self._beside.get(packet.payload_type)
        if beside is None:
            known = source == self._rtp_peer.source and self._count(packet, now)
        else:  # it is agreed on, and may be the first that comes
            known = self._rtp_peer.accept(source, packet.sequence_number, now) and self._count(packet, now)
        if not known:
            self._invalid += 1
            return
        self._watch.heard_at = now
        self._octets_received += len(packet.payload)
        if self.tap is not None:
            self.tap(packet, None, now)
        if beside is not None:
            if self._is_doubted:
                self.confirm()
            beside(packet, now)

    def _count(self, packet: RtpPacket, now: float) -> bool:
        """Whether a packet that is not played is of the source that we listen to; the first is."""
        if self._reception.source is None:
            self._reception.receive(packet.ssrc, packet.sequence_number, packet.timestamp, now)
            return True
        return self._reception.count(packet.ssrc, packet.sequence_number, now)

    def tick(self, now: float, periods: int) -> None:
        """20 ms have passed, or several times that after a stall."""
        speaking = self.speaking
        if periods > 1:
            speaking.forget()
            self._watch.stalled(now)
        if (not speaking.is_sending or speaking.relaying) and now >= self._keep_alive_at:
            self._keep_alive(now)
        speaking.tick(self._transport, self._rtp_peer.destination, periods)
        self._hearing.tick(now, periods)
        if now >= self._reporter.deadline:
            self._send_rtcp(self._report, now)
        if now >= self._watch.due:
            self._watch.check(now)

    def close(self, now: float) -> None:
        """Say goodbye, if the peer has heard of us."""
        self.speaking.close()
        self._hearing.close()
        self._beside, self.left = NONE, ignore  # they know us
        if self._reporter.is_known:
            self._send_rtcp(self._reporter.bye, now)

    @property
    def may_pass_on(self) -> bool:
        """Whether a packet of another stream may go out now: asking counts as sending one."""
        speaking = self.speaking
        may = speaking.is_sending and self._rtp_peer.destination is not None and speaking.gives_way
        return may and speaking.may_send()

    def pass_on(self, packet: bytes, now: float) -> None:
        """Send a packet that was numbered with our sender."""
        destination = self._rtp_peer.destination
        if destination is not None:
            self._keep_alive_at = now + KEEP_ALIVE
            self._transport.send_rtp(packet, destination)

    def _send_rtcp(self, compound: Callable[[float], bytes], now: float) -> None:
        if self._rtcp_signalled == self._rtp_peer.signalled:  # it goes the way of RTP (RFC 5761)
            destination = self._rtp_peer.destination
        else:
            destination = self._rtcp_signalled and (self._rtcp_source or self._rtcp_signalled)
        if destination is not None:
            self._transport.send_rtcp(compound(now), destination)

    def _report(self, now: float) -> bytes:
        """With metrics, for a peer that asks for them (RFC 3611 §5.1)."""
        source, agreement, hearing = self._reception.source, self.agreement, self._hearing
        if source is None or agreement is None or not wants_metrics(agreement):
            return self._reporter.report(now)
        codec = self._heard.name if self._heard is not None else None
        trip = self._reporter.round_trip
        metrics = metrics_of(
            source, hearing.late, hearing.delay, hearing.most_delay, trip, impairment_of(codec)
        )
        return self._reporter.report(now, metrics)

    def _keep_alive(self, now: float) -> None:
        self._keep_alive_at = now + KEEP_ALIVE
        destination = self._rtp_peer.destination
        if destination is not None:
            self._transport.send_rtp(b"", destination)

    def _follow(self, codec: AudioCodec) -> None:
        """From here on the peer sends another codec, whose clock may be another one."""
        self._heard = codec
        if codec.clock_rate != self._reception.clock_rate:
            self._reception.use_clock(codec.clock_rate)
        self._hearing.follow(codec)
