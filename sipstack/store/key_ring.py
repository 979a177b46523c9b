"""The keys of sealed sessions: the first one seals, all of them open."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sipstack.errors import StoreError

if TYPE_CHECKING:
    from sipstack.store.aead import Cipher

OCTETS = 32
"""Of a key."""
MOST = 16
"""Keys of one ring: an attacker's seal is tried with one of them, so this bounds only our mistakes."""
LARGEST_FILE = 65_536
_is_key = re.compile("[0-9A-Fa-f]{64}").fullmatch

Keys = str | os.PathLike[str] | Sequence[bytes]
"""A file, or the keys themselves."""


class KeyRing:
    """Ciphers by the id of their key: two octets, which stand in front of what it has sealed."""

    __slots__ = ("_ciphers", "first")

    def __init__(self, keys: Keys) -> None:
        """Raises StoreError, which names no key."""
        if isinstance(keys, str | os.PathLike):
            keys = read_keys(Path(keys))
        if not keys:
            raise StoreError("sealed sessions need a list of keys, the one that seals first")
        if len(keys) > MOST:
            raise StoreError(f"sealed sessions take {MOST} keys at the most")
        if any(not isinstance(key, bytes) or len(key) != OCTETS for key in keys):
            raise StoreError(f"a key of sealed sessions has {OCTETS} octets")
        from sipstack.store.aead import Cipher  # it needs the extra

        self.first = key_id(keys[0])
        """The id of the key that seals."""
        self._ciphers = {key_id(key): Cipher(key) for key in keys}
        if len(self._ciphers) < len(keys):
            raise StoreError("two keys of sealed sessions are the same, or look it: make another")

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._ciphers)} keys>"

    def find(self, identifier: bytes) -> Cipher | None:
        """The cipher whose key has this id."""
        return self._ciphers.get(identifier)


def key_id(key: bytes) -> bytes:
    """What tells which key it was, and nothing of the key."""
    return hashlib.blake2b(key, digest_size=2, person=b"sipstack key id").digest()


def read_keys(path: Path) -> list[bytes]:
    """The keys of a file that nobody but its owner may read (mode 0600): one a line in hexadecimal digits,
    the one that seals first; ``#`` begins a comment. Raises StoreError.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(LARGEST_FILE)
    except OSError as error:
        raise StoreError(f"the keys of sealed sessions cannot be read: {error}") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise StoreError(f"others may read the keys in {path}: chmod 600 {path}")
    lines = (line.partition("#")[0].strip() for line in data.decode("latin-1").splitlines())
    texts = [line for line in lines if line]
    if not texts or not all(map(_is_key, texts)):
        raise StoreError(f"{path} is to have a key of 64 hexadecimal digits a line (openssl rand -hex 32)")
    return [bytes.fromhex(text) for text in texts]
