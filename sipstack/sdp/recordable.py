"""Session descriptions that may be kept: without keys and passwords, and still telling that there were some.

Whoever goes on with a secured session from them needs new keys: the same key with the same SSRC and packet
numbers would repeat the keystream (RFC 3711 §9.1).
"""

from __future__ import annotations

import re
from enum import Enum

_SIGNS = (b"crypto", b"ice-pwd", b"candidate", b"k=", b"inline:", b"key-mgmt")
"""In lower case: a description without any of them has nothing to hide."""
_GONE = frozenset({b"ice-pwd", b"candidate", b"end-of-candidates", b"remote-candidates", b"key-mgmt"})
"""Attributes with passwords or keys; and candidates, which are worth nothing without the password."""
_HIDING = (b"inline:", b"ice-pwd", b"key-mgmt")
"""In an attribute that is none of these itself: it carries them, as a=acap does (RFC 5939 §3.3.1)."""
_SPACE = rb"[^\n!-~]"
"""What readers may take for white space."""
_TAG_AND_SUITE = re.compile(
    rb"%s*([0-9]{1,9})%s+([A-Z0-9]+(?:_[A-Z0-9]+)+)%s+inline:" % (_SPACE, _SPACE, _SPACE), re.IGNORECASE
)
_FINGERPRINT = re.compile(rb"^a=%s*fingerprint%s*:" % (_SPACE, _SPACE), re.MULTILINE)
_CRYPTO = re.compile(rb"^a=%s*crypto%s*:" % (_SPACE, _SPACE), re.MULTILINE)


class Keying(Enum):
    """How the two sides of a session came by the keys of its packets."""

    NONE = "none"
    SDES = "sdes"
    """In the descriptions (RFC 4568)."""
    DTLS = "dtls"
    """By a handshake, whose certificates the descriptions name (RFC 5763)."""


def recordable(description: bytes) -> bytes:
    """``description`` without keys (a=crypto, k=, a=key-mgmt) and without ICE's password and candidates.

    An a=crypto line keeps its tag and suite before an empty key, which nobody takes for one. With ICE the
    user fragment stays, so that 0.0.0.0 is still no hold. What has no secret is given back as it is; what is
    no description likewise, but for such lines.
    """
    lowered = description.lower()
    if not any(sign in lowered for sign in _SIGNS):
        return description
    return b"".join(map(_without_secret, description.splitlines(keepends=True)))


def _without_secret(line: bytes) -> bytes:
    letter = line[:2].lower()
    if letter == b"k=":
        return b""
    if letter != b"a=":
        return line
    name, _, value = line[2:].partition(b":")
    name = name.strip().lower()
    if name == b"crypto":
        found = _TAG_AND_SUITE.match(value)
        end = line[len(line.rstrip(b"\r\n")) :]
        return b"a=crypto:%s %s inline:%s" % (*found.groups(), end) if found else b""
    if name in _GONE:
        return b""
    lowered = line.lower()
    return b"" if any(each in lowered for each in _HIDING) else line


def keying_of(local: bytes | None, remote: bytes | None) -> Keying:
    """How the session of two descriptions has its keys: what both of them have; also of recordable ones."""
    if local is None or remote is None:
        return Keying.NONE
    if _FINGERPRINT.search(local) and _FINGERPRINT.search(remote):
        return Keying.DTLS
    return Keying.SDES if _CRYPTO.search(local) and _CRYPTO.search(remote) else Keying.NONE
