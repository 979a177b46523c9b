"""What a datagram is that comes where RTP is expected, by its first two octets."""

from __future__ import annotations


def is_rtcp(data: bytes) -> bool:
    """Whether this is RTCP rather than RTP (RFC 5761 §4): its packet types are 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223


def is_stun(data: bytes) -> bool:
    """Whether this is of STUN (RFC 7983 §7)."""
    return bool(data) and data[0] < 4


def is_media(data: bytes) -> bool:
    """Whether this is (S)RTP or (S)RTCP, and not DTLS, ZRTP or of a TURN channel (RFC 7983 §7)."""
    return bool(data) and 128 <= data[0] < 192
