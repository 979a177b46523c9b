"""AES-256-GCM by ``cryptography``: this is the only file of the stores that imports it."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as error:
    raise LocalProtocolError(
        "sealed sessions need the package cryptography: pip install 'sipstack[sessions]'"
    ) from error


class Cipher:
    """One key, which nothing shows. The tags are compared in constant time."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        """``text`` in secret, and its tag. ``bound`` is what has to be given again to decrypt it."""
        return self._cipher.encrypt(nonce, text, bound)

    def decrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes | None:
        """What was encrypted; None for anything else."""
        try:
            return self._cipher.decrypt(nonce, data, bound)
        except InvalidTag:
            return None
