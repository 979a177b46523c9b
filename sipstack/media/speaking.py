"""What we send on one audio stream: what is said as packets, and what takes its place for a while."""

from __future__ import annotations

import struct
from typing import Protocol

from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio
from sipstack.media.codecs import AdaptiveEncoder, AudioCodec, Encoder
from sipstack.media.coders import Coders
from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.media.packets import LONGEST, SHORTEST, Packets
from sipstack.media.peer_address import Address
from sipstack.media.transport import RtpTransport
from sipstack.rtp.pauses import Pauses
from sipstack.rtp.sender import Sender
from sipstack.sdp import Codec

_NUMBERS = struct.Struct("!IIH")

UNCONFIRMED = 5
"""Packets to an address from which nothing has come, as long as an offer alone names it: anybody can forge
one, and have us flood whom it names."""


class Insertion(Protocol):
    """Packets that go in place of the audio for a while, as those of a telephone-event.

    Time runs on meanwhile: ``Sender.timestamp`` is that of the audio which is not sent.
    """

    @property
    def done(self) -> bool:
        """Whether audio goes on."""

    def packets(self, sender: Sender, periods: int) -> list[bytes]:
        """Those of this frame; none is no silence, but nothing at all. ``periods`` of 20 ms have passed."""


class Speaking:
    """The source that we are: encoder, packets, numbers."""

    __slots__ = (
        "_audio",
        "_codec",
        "_coders",
        "_encoder",
        "_fmtp",
        "_frame_units",
        "_insertions",
        "_noise",
        "_octets",
        "_packets",
        "_pauses",
        "_payload_type",
        "_unconfirmed",
        "is_sending",
        "relaying",
        "sender",
    )

    def __init__(self, audio: Audio, random: Identifiers, coders: Coders) -> None:
        self._audio = audio
        self._coders = coders
        # Half the sequence numbers, so that SRTP would not begin with a wrap.
        ssrc, timestamp, number = _NUMBERS.unpack(random.octets(_NUMBERS.size))
        self.sender = Sender(ssrc, number & 0x7FFF, timestamp)
        self._codec: AudioCodec | None = None
        self._encoder: Encoder | None = None
        self._fmtp = ""  # what the peer asked the encoder for
        self._payload_type = 0
        self._frame_units = audio.sample_rate // FRAMES_PER_SECOND
        self._octets = frame_octets(audio.sample_rate)
        self._packets = Packets(audio.sample_rate)
        self._insertions: list[Insertion] = []
        self._pauses: Pauses | None = None  # None: all is sent
        self._noise = 0  # the payload type that describes what is left out
        self._unconfirmed: int | None = None  # packets that may be sent yet; None: any number
        self.is_sending = False
        self.relaying = 0
        """Periods for which packets of another stream go out in place of silence."""

    def use(self, codec: AudioCodec, agreed: Codec, ptime: float) -> None:
        """Send this codec, as the peer has described it, in packets of ``ptime`` milliseconds."""
        if self._encoder is None or codec is not self._codec or agreed.fmtp != self._fmtp:
            self._coders.close(self._encoder)
            self._encoder = self._coders.encoder(codec, agreed, self._audio.sample_rate)
            self._fmtp = agreed.fmtp
        self._codec, self._payload_type = codec, agreed.payload_type
        self._frame_units = codec.frame_units
        self._packets.use(codec.packet_time(min(max(ptime, SHORTEST), LONGEST)))

    def close(self) -> None:
        """Nothing is sent any more."""
        self.hold()
        self._coders.close(self._encoder)
        self._encoder = self._codec = None

    def leave_out(self, pauses: Pauses | None, payload_type: int | None) -> None:
        """Send comfort noise of this payload type in place of what is no voice; None: all is sent."""
        self._pauses = pauses if payload_type is not None else None
        self._noise = payload_type or 0

    def renumber(self, random: Identifiers) -> None:
        """Go on as another source, if anything was sent."""
        if self.sender.packets:
            number = int.from_bytes(random.octets(2), "big") & 0x7FFF
            self.sender.renumber(int.from_bytes(random.octets(4), "big"), number)

    def hold(self) -> None:
        """Send nothing."""
        self.is_sending = False
        self.sender.pause()
        self._packets.forget()

    def forget(self) -> None:
        """We have not run for a while: what waits to fill a packet is not said any more."""
        self._packets.forget()

    def doubt(self) -> None:
        """Send only a few packets until ``confirm`` is called."""
        self._unconfirmed = UNCONFIRMED

    def confirm(self) -> None:
        """The peer is where it says that it is."""
        self._unconfirmed = None

    def insert(self, insertion: Insertion) -> None:
        """Send this in place of the audio, behind what was inserted before, until it is done."""
        self._insertions.append(insertion)

    def tick(self, transport: RtpTransport, destination: Address | None, periods: int) -> None:
        """The packets of the next 20 ms, or of several times that after a stall."""
        is_due = self.is_sending and not (self.relaying and self.gives_way)
        if is_due and destination is not None and self._codec is not None and self.may_send():
            if self._insertions:
                self._send_insertion(transport, destination, periods)
            else:
                self._send_audio(self._codec, transport, destination)
        self.sender.advance(self._frame_units * periods)
        if self.relaying:
            self.relaying = max(self.relaying - periods, 0)
            if not self.relaying:
                self.sender.pause()

    def lost(self, fraction: float) -> None:
        """The peer reports that it has lost this much of what was sent lately."""
        if isinstance(self._encoder, AdaptiveEncoder):
            self._encoder.lost(fraction)

    @property
    def clock_rate(self) -> int:
        """Of the codec that is sent."""
        return self._frame_units * FRAMES_PER_SECOND

    @property
    def gives_way(self) -> bool:
        """Whether there is nothing of our own to send."""
        return not self._insertions and self._audio.gives_way

    def may_send(self) -> bool:
        """Whether another packet may go out: only so many, until ``confirm`` is called."""
        if self._unconfirmed is None:
            return True
        if not self._unconfirmed:
            self.sender.pause()
            return False
        self._unconfirmed -= 1
        return True

    def _send_insertion(self, transport: RtpTransport, destination: Address, periods: int) -> None:
        insertion = self._insertions[0]
        for packet in insertion.packets(self.sender, periods):
            transport.send_rtp(packet, destination)
        if insertion.done:
            del self._insertions[0]
            self._packets.forget()

    def _send_noise(self, noise: bytes, transport: RtpTransport, destination: Address) -> None:
        self._packets.forget()
        if noise:
            transport.send_rtp(self.sender.aside(self._noise, noise), destination)

    def _send_audio(self, codec: AudioCodec, transport: RtpTransport, destination: Address) -> None:
        encoder, pcm = self._encoder, self._audio.read()
        assert encoder is not None
        if self._pauses is not None:
            noise = self._pauses.instead(pcm)
            if noise is not None:
                self._send_noise(noise, transport, destination)
                return
        if self._packets.octets == self._octets:
            # With nothing to say we send silence: it opens NATs, and some peers wait for our first packet.
            payload = encoder.silence if pcm is None else encoder.encode(pcm)
            if payload is None:
                payload = encoder.encode(bytes(self._octets))
            if payload:
                transport.send_rtp(self.sender.packet(self._payload_type, payload), destination)
            else:
                self.sender.pause()
            return
        # The peer asks for packets of another length than a frame.
        for piece, earlier in self._packets.cut(bytes(self._octets) if pcm is None else pcm):
            payload, units = encoder.encode(piece), earlier * codec.clock_rate // self._audio.sample_rate
            if payload:
                transport.send_rtp(self.sender.packet(self._payload_type, payload, units), destination)
            else:
                self.sender.pause()
