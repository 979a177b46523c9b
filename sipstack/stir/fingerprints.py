"""The fingerprints in a session description, which a PASSporT may sign (RFC 8224 §4.1, RFC 8225 §5.2.2)."""

from __future__ import annotations

import re

from sipstack.message.passport import in_order

_fingerprint = re.compile(
    rb"^a=fingerprint:([!-~]{1,32}) ([0-9A-Fa-f:]{1,256})\r?$", re.IGNORECASE | re.MULTILINE
).findall


def fingerprints(description: bytes) -> tuple[tuple[str, str], ...]:
    """(algorithm, hexadecimal) of each certificate for DTLS, in the order of ``mky``."""
    if b"a=fingerprint:" not in description:
        return ()
    return in_order([(name.decode(), digest.decode()) for name, digest in _fingerprint(description)])
