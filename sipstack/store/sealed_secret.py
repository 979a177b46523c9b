"""A secret in a store that others may read: encrypted, and bound to the name under which it stands."""

from __future__ import annotations

from sipstack.store.key_ring import KeyRing

SEALED = "sealed:"
"""Begins the text of one, so that who has no keys knows it."""
FORM = b"\x20"
HEAD = 15
"""Octets before the ciphertext: form, id of the key (2), nonce (12). Forms of ``store.sealed`` are others."""


def seal(ring: KeyRing, name: str, secret: bytes, nonce: bytes) -> str:
    """``secret`` under ``name`` as a text. ``nonce``: 12 octets that were never used with this key."""
    cipher = ring.find(ring.first)
    assert cipher is not None
    head = FORM + ring.first
    return SEALED + (head + nonce + cipher.encrypt(nonce, secret, _bound(head, name))).hex()


def unseal(ring: KeyRing, name: str, text: str) -> bytes | None:
    """What was sealed under ``name`` with a key of ``ring``; None for anything else."""
    if not text.startswith(SEALED):
        return None
    try:
        octets = bytes.fromhex(text.removeprefix(SEALED))
    except ValueError:
        return None
    cipher = ring.find(octets[1:3])
    if cipher is None or octets[:1] != FORM or len(octets) < HEAD:
        return None
    return cipher.decrypt(octets[3:HEAD], octets[HEAD:], _bound(octets[:3], name))


def _bound(head: bytes, name: str) -> bytes:
    return head + b"secret " + name.encode("utf-8", "surrogateescape")
