"""What a datagram is that comes where RTP is expected, by its first two octets."""

from __future__ import annotations


def is_rtcp(data: bytes) -> bool:
    """Whether this is RTCP rather than RTP (RFC 5761 §4): its packet types are 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223


def is_stun(data: bytes) -> bool:
    """Whether this is of STUN (RFC 7983 §7), as one that has the magic cookie of RFC 8489 §5."""
    return data[:1] < b"\4" and data[4:8] == b"\x21\x12\xa4\x42"


def is_dtls(data: bytes) -> bool:
    """Whether this is of DTLS (RFC 7983 §7)."""
    return bool(data) and 20 <= data[0] < 64
