"""A secret in a store that others may read."""

from __future__ import annotations

import pytest

pytest.importorskip("cryptography", reason="the extra sessions is not installed")

from sipstack.store.key_ring import KeyRing
from sipstack.store.sealed_secret import SEALED, seal, unseal

ONE, TWO = bytes(range(32)), bytes(range(1, 33))
RING = KeyRing([ONE])
SECRET = bytes(range(100, 132))
NONCE = b"n" * 12
TEXT = seal(RING, "secret one.test", SECRET, NONCE)


def test_it_comes_back_and_nothing_shows_it() -> None:
    assert unseal(RING, "secret one.test", TEXT) == SECRET
    assert TEXT.startswith(SEALED)
    assert SECRET.hex() not in TEXT


def test_a_key_that_is_replaced_opens_what_it_has_sealed() -> None:
    assert unseal(KeyRing([TWO, ONE]), "secret one.test", TEXT) == SECRET
    assert unseal(KeyRing([TWO]), "secret one.test", TEXT) is None


def test_it_is_bound_to_its_name() -> None:
    assert unseal(RING, "secret two.test", TEXT) is None


def test_not_a_bit_of_it_can_be_another() -> None:
    octets = bytes.fromhex(TEXT.removeprefix(SEALED))
    for place in range(8 * len(octets)):
        changed = bytearray(octets)
        changed[place // 8] ^= 1 << place % 8
        assert unseal(RING, "secret one.test", SEALED + changed.hex()) is None


def test_nor_can_a_part_be_missing() -> None:
    for end in range(len(TEXT)):
        assert unseal(RING, "secret one.test", TEXT[:end]) is None


@pytest.mark.parametrize("text", ["", SECRET.hex(), SEALED, f"{SEALED}xyz", f"{SEALED}20", "\udcff"])
def test_what_is_something_else_is_none(text: str) -> None:
    assert unseal(RING, "secret one.test", text) is None
