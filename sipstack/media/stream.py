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
from sipstack.media.peer_address import Address, PeerAddress
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
KEEP_ALIVE = 15.0
"""Seconds between the empty packets that keep a NAT binding open while we send no audio (RFC 6263 §4.1)."""

Decode = Callable[[bytes], bytes]


class AudioStream:
    """The RTP and RTCP of one m-line. It begins with neither a peer nor codecs."""

    def __init__(self, audio: Audio, transport: RtpTransport, random: Identifiers, now: float) -> None:
        self._audio = audio
        self._transport = transport
        # Half the sequence numbers, so that SRTP would not begin with a wrap.
        number = int.from_bytes(random.octets(2), "big") & 0x7FFF
        ssrc, timestamp = (int.from_bytes(random.octets(4), "big") for _ in range(2))
        self._sender = Sender(ssrc, number, timestamp)
        self._reception = Reception(audio.sample_rate)
        cname = random.octets(12).hex()
        self._reporter = Reporter(self._sender, self._reception, cname, random.uniform, now)
        self._rtp_peer = PeerAddress()
        self._rtcp_peer = PeerAddress()
        self._codec: AudioCodec | None = None
        self._payload_type = 0
        self._sends = False
        self._frame_units = audio.sample_rate // FRAMES_PER_SECOND
        self._receives: Mapping[int, AudioCodec] = {}
        self._heard: AudioCodec | None = None  # that of the last packet
        self._playout: PlayoutBuffer[tuple[Decode, bytes]] = PlayoutBuffer(audio.sample_rate)
        self._concealer = Concealer()
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
        self._rtcp_peer.signal(rtcp)

    def disconnect(self) -> None:
        """Send nothing, not even reports: the stream was refused or removed."""
        self._hold()
        self._rtp_peer.signal(None)
        self._rtcp_peer.signal(None)

    def speak(self, codec: AudioCodec, payload_type: int, *, sends: bool) -> None:
        """Send this codec under the peer's number, or hold it back: time then runs on without packets."""
        self._codec, self._payload_type, self._sends = codec, payload_type, sends
        self._frame_units = codec.frame_units
        if not sends:
            self._hold()

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
            send_errors=self._transport.send_errors,
        )

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """One datagram at the RTP port."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self._invalid += bool(data)  # an empty one is a keep-alive
            return
        codec = self._receives.get(packet.payload_type)
        if codec is None or (source != self._rtp_peer.source and not self._rtp_peer.accept(source)):
            self._invalid += 1
            return
        if codec is not self._heard:
            self._follow(codec)
        arrival = self._reception.receive(packet.ssrc, packet.sequence_number, packet.timestamp, now)
        if arrival is Arrival.REFUSED:
            self._invalid += 1
            return
        payload = packet.payload
        self._octets_received += len(payload)
        if self._audio.wanted:
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
        rtp_peer, peer = self._rtp_peer.destination, self._rtcp_peer
        from_peer = source == peer.signalled or (rtp_peer is not None and source[0] == rtp_peer[0])
        if from_peer and peer.accept(source):
            self._reporter.receive(packets, now)
        else:
            self._invalid += 1

    def tick(self, now: float, periods: int) -> None:
        """20 ms have passed, or several times that after a stall."""
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

    def close(self, now: float) -> None:
        """Say goodbye."""
        self._sends = False
        self._send_rtcp(self._reporter.bye, now)

    def _send(self) -> None:
        codec, destination = self._codec, self._rtp_peer.destination
        if codec is None or destination is None:
            return
        pcm = self._audio.read()
        # With nothing to say we send silence: it opens NATs, and some peers wait for our first packet.
        payload = codec.silence if pcm is None else codec.encode(pcm)
        self._transport.send_rtp(self._sender.packet(self._payload_type, payload), destination)

    def _send_rtcp(self, compound: Callable[[float], bytes], now: float) -> None:
        destination = self._rtcp_peer.destination
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

    def _follow(self, codec: AudioCodec) -> None:
        """From here on the peer sends another codec, whose clock may be another one."""
        self._heard = codec
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
            if item is Gap.LOST:
                piece = self._concealer.conceal(octets)
            elif item is Gap.IDLE:
                piece = bytes(octets)
            else:
                decode, payload = item
                piece = decode(payload)
                self._concealer.good(piece[-octets:])
            pcm = pcm + piece if pcm else piece
        self._rest = pcm[octets:]
        return pcm[:octets]
