"""The compressed form of a record: small, read back to the octet, and bounded whatever comes."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store.compressed import compress, decompress
from sipstack.store.dictionary import DICTIONARY, NUMBER
from sipstack.store.layout import MOST_OCTETS
from sipstack.store.record import decode, encode
from tests.store.records import everything, from_a_browser, through_a_proxy
from tests.store.versions import COMPRESSED

TYPICAL = encode(through_a_proxy().as_values())


def test_the_record_of_a_usual_call_is_small() -> None:
    """Sealed and in Base64 it fits into 512 characters of a URI."""
    assert len(TYPICAL) < 850
    assert len(compress(TYPICAL)) < 300


def test_the_record_of_a_browsers_call_is_a_third_of_its_size() -> None:
    octets = encode(from_a_browser().as_values())
    assert len(octets) < 1_800
    assert len(compress(octets)) < 600


@given(st.binary(max_size=3_000))
@example(b"")
@example(bytes(MOST_OCTETS))
@example(random.Random(1).randbytes(MOST_OCTETS))
def test_all_octets_come_back(octets: bytes) -> None:
    assert decompress(compress(octets)) == octets


def test_more_than_a_record_can_have_is_not_compressed() -> None:
    with pytest.raises(LocalProtocolError, match="more than 65536 octets"):
        compress(bytes(MOST_OCTETS + 1))


@pytest.mark.parametrize("number", COMPRESSED)
def test_what_was_compressed_with_each_dictionary_is_read(number: int) -> None:
    octets = bytes.fromhex(COMPRESSED[number])
    assert octets[0] == number
    assert decode(decompress(octets)) == everything()


def test_a_dictionary_does_not_change() -> None:
    """What is sealed with it rides in the Contact of calls that are up. Another one has another number."""
    assert (NUMBER, hashlib.sha256(DICTIONARY).hexdigest()) == (max(COMPRESSED), SHA256)


SHA256 = "9ba9f64159b9bf875197bc2acb214ec18a4f98543165cba46163cc5fe8a19e53"


# --- what is refused ---


def deflated(octets: bytes) -> bytes:
    deflating = zlib.compressobj(9, zlib.DEFLATED, -13, zdict=DICTIONARY)
    return bytes([NUMBER]) + deflating.compress(octets) + deflating.flush()


def test_a_dictionary_that_is_not_known_is_refused() -> None:
    for number in {*range(256)} - {NUMBER}:
        with pytest.raises(ParseError, match="a dictionary that is not known"):
            decompress(bytes([number]) + compress(TYPICAL)[1:])


def test_nothing_is_refused() -> None:
    with pytest.raises(ParseError):
        decompress(b"")


@pytest.mark.parametrize("more", [1, 1_000, 100_000_000])
def test_a_bomb_does_not_go_off(more: int) -> None:
    """A hundred million octets in a hundred thousand: little more than a record is made of them."""
    bomb = deflated(bytes(MOST_OCTETS + more))
    bomb = bomb[: MOST_OCTETS + 1_000]
    tracemalloc.start()
    try:
        with pytest.raises(ParseError, match="more than 65536 octets"):
            decompress(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MOST_OCTETS


def test_blocks_with_nothing_in_them_are_bounded() -> None:
    with pytest.raises(ParseError, match="too long"):
        decompress(bytes([NUMBER]) + b"\0\0\0\xff\xff" * 20_000)


def test_a_record_that_was_cut() -> None:
    octets = compress(TYPICAL)
    for length in range(len(octets)):
        with pytest.raises(ParseError):
            decompress(octets[:length])


def test_what_follows_is_refused() -> None:
    with pytest.raises(ParseError, match="goes on"):
        decompress(compress(TYPICAL) + b"\0")


@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    try:
        record = decompress(bytes([NUMBER]) + octets)
    except ParseError:
        return
    assert decompress(compress(record)) == record


@given(st.integers(1, 270), st.integers(0, 255))
def test_a_record_with_one_octet_changed_is_another_record_or_refused(place: int, octet: int) -> None:
    octets = bytearray(compress(TYPICAL))
    octets[place] = octet
    try:
        assert encode(decode(decompress(bytes(octets)))) == decompress(bytes(octets))
    except ParseError:
        return
