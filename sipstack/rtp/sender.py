"""The state of the source that we are (RFC 3550 §5.1)."""

from __future__ import annotations

from sipstack.rtp.packet import HEADER


class Sender:
    """Numbers the packets of one SSRC.

    ``sequence_number`` should start in the lower half of its 16 bits: an SRTP receiver that misses the first
    packets cannot know of a wrap (RFC 3711 §3.3.1).
    """

    __slots__ = (
        "_marker",
        "earlier_octets",
        "earlier_packets",
        "octets",
        "packets",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(self, ssrc: int, sequence_number: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.sequence_number = sequence_number
        """Of the next packet."""
        self.timestamp = timestamp
        """Of the next packet's first sample."""
        self.packets = 0
        self.octets = 0
        """Payload octets, as the sender report counts them (§6.4.1)."""
        self.earlier_packets = self.earlier_octets = 0
        """Under the SSRCs before this one."""
        self._marker = 0x80

    def renumber(self, ssrc: int, sequence_number: int) -> None:
        """Go on as another source. What was sent is counted anew (§6.4.1); the clock runs on."""
        self.earlier_packets += self.packets
        self.earlier_octets += self.octets
        self.packets = self.octets = 0
        self.ssrc, self.sequence_number = ssrc, sequence_number
        self._marker = 0x80

    def packet(self, payload_type: int, payload: bytes, earlier: int = 0) -> bytes:
        """The next packet, at the present timestamp, or ``earlier`` units before it; the first after a pause
        is marked (RFC 3551 §4.1).
        """
        number, timestamp = self.sequence_number, (self.timestamp - earlier) & 0xFFFFFFFF
        header = HEADER.pack(0x80, self._marker | payload_type, number, timestamp, self.ssrc)
        self.sequence_number = (number + 1) & 0xFFFF
        self._marker = 0
        self.packets += 1
        self.octets += len(payload)
        return header + payload

    def aside(self, payload_type: int, payload: bytes) -> bytes:
        """The next packet, which is of no talkspurt: the one behind it begins one (RFC 3389 §4)."""
        self._marker = 0
        packet = self.packet(payload_type, payload)
        self._marker = 0x80
        return packet

    def advance(self, units: int) -> None:
        """Time passes: ``units`` of the RTP clock, whether or not a packet was made of them."""
        self.timestamp = (self.timestamp + units) & 0xFFFFFFFF

    def pause(self) -> None:
        """The next packet begins a talkspurt."""
        self._marker = 0x80
