"""Ed25519 (RFC 8032) by ``cryptography``: the private key of one node, and what others verify with."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from sipstack.errors import LocalProtocolError, ParseError, StoreError

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ImportError as error:
    raise LocalProtocolError("call records need cryptography: pip install 'sipstack[sessions]'") from error

MAXIMUM_PEM = 4096
PRIVATE = 0o600


class Signer:
    """A private key. It is in no repr, and leaves its file only to sign."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    def sign(self, payload: bytes) -> bytes:
        """The signature, 64 octets."""
        return self._key.sign(payload)

    @classmethod
    def at(cls, path: Path) -> Signer:
        """The key in a file of PEM, which is made where there is none, for its owner alone; its public half
        beside it, as ``.pub``. Raises StoreError.
        """
        try:
            if not path.exists():
                _make(path)
            return cls(_read(path))
        except OSError as error:
            raise StoreError(f"the key {path} cannot be used: {error.strerror or error}") from None


def _make(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    # a name of our own first: nobody sees a key that is not whole, and two that begin at once agree on one
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key.private_bytes(*kinds))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    public = _read(path).public_key()
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    path.with_name(path.name + ".pub").write_bytes(public.public_bytes(*form))


def _read(path: Path) -> Ed25519PrivateKey:
    mode = path.stat().st_mode
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise StoreError(f"others may read the key {path}: chmod 600 it, or make a new one if they did")
    key: object = None
    # no "from": the error of a reader may quote what it has read
    with contextlib.suppress(ValueError, TypeError):
        key = serialization.load_pem_private_key(path.read_bytes()[:MAXIMUM_PEM], None)
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(f"{path} holds no private key of Ed25519 in PEM without a password")
    return key


def public_key(pem: bytes) -> str:
    """The public key in a file of PEM, in hexadecimal; of a private key it is the public half. Raises
    ParseError.
    """
    for load in (serialization.load_pem_public_key, _public_half):
        with contextlib.suppress(ValueError, TypeError):
            key = load(pem[:MAXIMUM_PEM])
            if isinstance(key, Ed25519PublicKey):
                return key.public_bytes_raw().hex()
    raise ParseError("it is no key of Ed25519 in PEM")


def _public_half(pem: bytes) -> object:
    key = serialization.load_pem_private_key(pem, None)
    return key.public_key() if isinstance(key, Ed25519PrivateKey) else None


def has_signed(key: str, payload: bytes, signature: str) -> bool:
    """Whether ``signature`` is one of ``payload`` by this public key, both in hexadecimal."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), payload)
    except (InvalidSignature, ValueError):
        return False
    return True
