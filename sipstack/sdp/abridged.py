"""Descriptions of a secured session, for a record that has little room: without what is agreed on anew.

Whoever goes on with such a session makes a new offer, with keys of its own (``recordable``). That has to keep
to the m-lines, their payload type numbers and the origin of the last one (RFC 3264 §8), and to be protected
no less; all else in it stands for itself.
"""

from __future__ import annotations

_KEPT = frozenset(
    {b"rtpmap", b"fmtp", b"mid", b"group", b"bundle-only", b"setup", b"crypto", b"rtcp-mux", b"ptime"}
)
_DIRECTIONS = frozenset({b"sendrecv", b"sendonly", b"recvonly", b"inactive"})
_SIGNS = {b"fingerprint": b"a=fingerprint:sha-256 00", b"ice-ufrag": b"a=ice-ufrag:gone"}
"""What tells that there was one: the value belongs to an association that is no more."""


def abridged(description: bytes) -> bytes:
    """What has to be known of ``description``, which is a recordable one."""
    lines = (_abridged(line) for line in description.splitlines())
    return b"".join(line + b"\r\n" for line in lines if line)


def _abridged(line: bytes) -> bytes:
    letter = line[:2]
    if letter != b"a=":
        return line if letter in (b"v=", b"o=", b"s=", b"c=", b"t=", b"m=") else b""
    name = line[2:].partition(b":")[0].strip().lower()
    if name in _SIGNS:
        return _SIGNS[name]
    return line if name in _KEPT or name in _DIRECTIONS else b""
