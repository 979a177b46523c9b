"""RTP data packets (RFC 3550 §5.1)."""

from __future__ import annotations

import struct

import attrs

from sipstack.errors import ParseError

HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


@attrs.frozen
class Extension:
    """A header extension (RFC 3550 §5.3.1): the profile's 16 bits and whole 32-bit words of data."""

    profile: int
    data: bytes = b""


# Not frozen, only immutable by convention: a frozen one takes four times as long to make, and a busy
# process parses tens of thousands a second.
@attrs.define
class RtpPacket:
    """One RTP packet. ``RtpPacket.parse(data)`` and ``bytes(packet)`` are inverse."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: Extension | None = None
    padding: int = 0
    """Octets of padding, the count octet included; 0 when the P bit is not set."""

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """The packet in one datagram. Raises ParseError (RFC 3550 appendix A.1's header checks)."""
        if len(data) < 12:
            raise ParseError(f"RTP packet of {len(data)} octets")
        first, second, sequence_number, timestamp, ssrc = HEADER.unpack_from(data)
        if first == 0x80:  # nearly every packet: no padding, extension or CSRC
            return cls(second & 0x7F, sequence_number, timestamp, ssrc, data[12:], second > 0x7F)
        if first >> 6 != 2:
            raise ParseError(f"RTP version {first >> 6}")
        csrc, start = _parse_csrc(data, first & 0x0F)
        extension = None
        if first & 0x10:
            extension, start = _parse_extension(data, start)
        padding = _parse_padding(data, start) if first & 0x20 else 0
        payload = data[start : len(data) - padding]
        return cls(
            second & 0x7F, sequence_number, timestamp, ssrc, payload, second > 0x7F, csrc, extension, padding
        )

    def __bytes__(self) -> bytes:
        """The datagram. Raises ValueError for what the header cannot hold."""
        if len(self.csrc) > 15 or not 0 <= self.payload_type <= 127 or not 0 <= self.padding <= 255:
            raise ValueError("at most 15 CSRCs, payload type at most 127, padding at most 255 octets")
        first = 0x80 | len(self.csrc) | (0x10 if self.extension else 0) | (0x20 if self.padding else 0)
        second = self.payload_type | (0x80 if self.marker else 0)
        try:
            header = HEADER.pack(first, second, self.sequence_number, self.timestamp, self.ssrc)
            csrc = struct.pack(f"!{len(self.csrc)}I", *self.csrc)
        except struct.error as error:
            raise ValueError(f"RTP header field out of range: {error}") from error
        padding = bytes(self.padding - 1) + bytes([self.padding]) if self.padding else b""
        return header + csrc + _write_extension(self.extension) + self.payload + padding


def _parse_csrc(data: bytes, count: int) -> tuple[tuple[int, ...], int]:
    end = 12 + 4 * count
    if len(data) < end:
        raise ParseError("RTP packet ends in the CSRC list")
    return struct.unpack_from(f"!{count}I", data, 12), end


def _parse_extension(data: bytes, start: int) -> tuple[Extension, int]:
    if len(data) < start + 4:
        raise ParseError("RTP packet ends in the header extension")
    profile, words = _EXTENSION.unpack_from(data, start)
    end = start + 4 + 4 * words
    if len(data) < end:
        raise ParseError("RTP header extension is longer than the packet")
    return Extension(profile, data[start + 4 : end]), end


def _parse_padding(data: bytes, start: int) -> int:
    padding = data[-1]
    if not 1 <= padding <= len(data) - start:
        raise ParseError(f"RTP padding of {padding} octets in a payload of {len(data) - start}")
    return padding


def _write_extension(extension: Extension | None) -> bytes:
    if extension is None:
        return b""
    if len(extension.data) % 4 or len(extension.data) > 4 * 0xFFFF:
        raise ValueError("the header extension is made of at most 65535 words of 4 octets")
    return _EXTENSION.pack(extension.profile, len(extension.data) // 4) + extension.data
