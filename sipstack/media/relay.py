"""Packets of one call passed on into another as they are: under our SSRC, at the distances that they had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, runtime_checkable

from sipstack.media.audio import Audio
from sipstack.media.codecs import AudioCodec
from sipstack.media.stream import AudioStream
from sipstack.rtp.packet import HEADER, RtpPacket
from sipstack.rtp.sender import Sender
from sipstack.sdp import Agreement, Codec

WINDOW = 64
"""Packets by which one may be late: older ones are not sent, nor is any twice (SRTP forbids it)."""
PATIENCE = 250
"""Periods of 20 ms for which the sink's peer hears nothing when nothing comes; then it gets silence, for its
time-outs."""
JUMP = 3000
"""Sequence numbers from one packet to the next that are no loss: the source has begun anew."""


@runtime_checkable
class RelayEnd(Protocol):
    """The media of a call whose packets can be passed on."""

    @property
    def audio(self) -> Audio:
        """What it says and hears."""

    @property
    def stream(self) -> AudioStream | None:
        """Its packets; None before there are any."""


class Relay:
    """One direction; ``with`` it, the packets of ``source`` go out by ``sink``.

    What the sink's peer has not agreed to take cannot be passed on: ``passes`` is false then, and ``changed``
    was called. Then, and while the sink has something of its own to say, its own packets go out.
    """

    def __init__(self, source: RelayEnd, sink: RelayEnd, changed: Callable[[], None]) -> None:
        self._source, self._sink = source, sink
        self._changed = changed
        self._numbers: dict[int, int] = {}  # the sink's payload types, by the source's
        self._events: set[int] = set()  # those of telephone-event, of the source
        self._tapped: AudioStream | None = None
        self._agreements: tuple[Agreement | None, Agreement | None] = (None, None)
        self._numbering = Numbering()
        self.passes = source.stream is not None
        """Whether the last packet of audio could be passed on."""
        self.events_pass = False
        """Whether the last packet of telephone-event was."""

    def __enter__(self) -> Self:
        self.attach()
        return self

    def __exit__(self, *_: object) -> None:
        if self._tapped is not None:
            self._tapped.tap = None
        self._give_back()

    def attach(self) -> None:
        """Take the packets of the source, once there are any."""
        stream = self._source.stream
        if stream is not None and self._tapped is None:
            self._tapped = stream
            stream.tap = self._take

    def _take(self, packet: RtpPacket, codec: AudioCodec | None, now: float) -> None:
        source, stream = self._source.stream, self._sink.stream
        self._agree(source.agreement if source else None, stream.agreement if stream else None)
        payload_type = self._numbers.get(packet.payload_type)
        if codec is not None:
            self._follow(payload_type is not None and self._sink.audio.takes_packets)
        data = None
        if stream is not None and payload_type is not None and self.passes and stream.may_pass_on:
            stream.speaking.relaying = PATIENCE
            duration = codec.duration(packet.payload) if codec is not None else None
            data = self._numbering.renumbered(packet, payload_type, stream.speaking.sender, duration)
            if data is not None:
                stream.pass_on(data, now)
        if packet.payload_type in self._events:
            self.events_pass = data is not None

    def _agree(self, source: Agreement | None, sink: Agreement | None) -> None:
        """Follow what is agreed on in both calls."""
        if source is self._agreements[0] and sink is self._agreements[1]:
            return
        self._agreements, self._numbers = (source, sink), payload_types(source, sink)
        receive = source.receive if source is not None else {}
        self._events = {number for number, codec in receive.items() if is_event(codec)}
        self._changed()

    def _follow(self, passes: bool) -> None:
        if passes is not self.passes:
            self.passes = passes
            if not passes:
                self._give_back()
            self._changed()

    def _give_back(self) -> None:
        """The sink says what it has to say itself."""
        stream = self._sink.stream
        if stream is not None and stream.speaking.relaying:
            stream.speaking.relaying = 0
            stream.speaking.sender.pause()


def is_event(codec: Codec) -> bool:
    """Whether it is telephone-event (RFC 4733)."""
    return codec.name.lower() == "telephone-event"


def payload_types(source: Agreement | None, sink: Agreement | None) -> dict[int, int]:
    """The numbers under which the sink's peer takes what the source's peer may send. Of codecs that is the
    one that was agreed on alone.
    """
    if source is None or sink is None:
        return {}
    theirs = {codec.key: codec for codec in reversed(sink.remote.media[sink.index].codecs) if codec.auxiliary}
    theirs[sink.codec.key] = sink.codec
    receive = {number: theirs.get(codec.key) for number, codec in source.receive.items()}
    return {number: codec.payload_type for number, codec in receive.items() if codec is not None}


class Numbering:
    """The headers of packets that are passed on.

    Sequence numbers and timestamps keep their distances, so that losses stay losses, until the source begins
    anew or the sender has sent something of its own.
    """

    def __init__(self) -> None:
        self._ssrcs: tuple[int, int] | None = None
        self._next: int | None = None  # of the sender, as we left it
        self._latest = 0  # sequence number of the source
        self._timestamp = 0  # of the source
        self._number_offset = self._timestamp_offset = 0
        self._sent = 0  # bits: which of the last numbers were sent

    def renumbered(
        self, packet: RtpPacket, payload_type: int, sender: Sender, duration: int | None
    ) -> bytes | None:
        """The packet as it goes out; None for one that must not. ``duration`` is that of audio, in units of
        its clock, None for other packets.
        """
        is_first = self._anchor(packet, sender)
        number = (packet.sequence_number + self._number_offset) & 0xFFFF
        ahead = _signed16(number - sender.sequence_number)
        if ahead >= 0:
            self._sent = (self._sent << (ahead + 1) | 1) & ((1 << WINDOW) - 1)
            sender.sequence_number = (number + 1) & 0xFFFF
            self._latest = packet.sequence_number
        elif ahead < -WINDOW or self._sent >> (-ahead - 1) & 1:
            return None
        else:
            self._sent |= 1 << (-ahead - 1)
        timestamp = (packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        self._timestamp = packet.timestamp
        if duration is not None and ahead >= 0:
            sender.timestamp = (timestamp + duration) & 0xFFFFFFFF
        self._next = sender.sequence_number
        sender.packets += 1
        sender.octets += len(packet.payload)
        marker = 0x80 if packet.marker or (is_first and duration is not None) else 0
        return HEADER.pack(0x80, marker | payload_type, number, timestamp, sender.ssrc) + packet.payload

    def _anchor(self, packet: RtpPacket, sender: Sender) -> bool:
        """Choose the distances anew, where they cannot stay."""
        ssrcs = packet.ssrc, sender.ssrc
        jump = abs(_signed16(packet.sequence_number - self._latest)) > JUMP
        if ssrcs == self._ssrcs and sender.sequence_number == self._next and not jump:
            return False
        if ssrcs != self._ssrcs or jump or packet.timestamp != self._timestamp:
            self._timestamp_offset = sender.timestamp - packet.timestamp
        self._number_offset = sender.sequence_number - packet.sequence_number
        self._ssrcs, self._latest = ssrcs, packet.sequence_number
        self._sent = (1 << WINDOW) - 1  # what came before was not ours to send
        return True


def _signed16(difference: int) -> int:
    return (difference + 0x8000 & 0xFFFF) - 0x8000
