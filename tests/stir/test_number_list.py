"""TNAuthList: for whose numbers a certificate is good (RFC 8226 §9)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.stir.number_list import covers
from tests.stir.carrier import number_list, numbers, one, provider, tagged

BROKEN = [
    b"",
    b"\x30",
    b"\x30\x05\xa0",
    b"\x30\x80\x00\x00",
    b"\x30\x84\x00\x00\x00\x00",
    b"\x31\x00",
    number_list(provider()) + b"\x00",
    number_list(b"\xa0\x00"),
    number_list(tagged(0xA0, tagged(0x0C, b"709J"))),
    number_list(tagged(0xA3, b"")),
    number_list(tagged(0xA1, tagged(0x30, tagged(0x16, b"1")))),
    number_list(tagged(0xA1, tagged(0x30, tagged(0x02, b"\x01") + tagged(0x16, b"1")))),
    number_list(tagged(0xA2, tagged(0x16, b"\xff"))),
    number_list(provider(), b"\xa2\x7f"),
]


@pytest.mark.parametrize("extension", BROKEN, ids=[each.hex()[:24] or "empty" for each in BROKEN])
def test_what_cannot_be_read_covers_nothing(extension: bytes) -> None:
    with pytest.raises(ParseError):
        covers(extension, "12155551212")


def test_an_empty_list_covers_no_number() -> None:
    assert not covers(number_list(), "12155551212")


def test_one_number_is_one_number() -> None:
    extension = number_list(one("12155551212"), one("12155551214"))
    assert covers(extension, "12155551214")
    assert not covers(extension, "12155551213")
    assert not covers(extension, "2155551212")


def test_a_range_ends_where_it_ends() -> None:
    extension = number_list(numbers("12155551200", 100))
    assert covers(extension, "12155551200")
    assert covers(extension, "12155551299")
    assert not covers(extension, "12155551300")
    assert not covers(extension, "12155551199")
    assert not covers(extension, "012155551200")  # other digits, and the same to who only counts


def test_a_range_of_nothing_or_less() -> None:
    assert not covers(number_list(numbers("1", 0)), "1")
    minus = tagged(0xA1, tagged(0x30, tagged(0x16, b"1") + tagged(0x02, b"\xff")))
    assert not covers(number_list(minus), "1")


def test_what_is_no_number_is_in_no_range() -> None:
    assert not covers(number_list(numbers("1*", 100)), "1*")
    assert not covers(number_list(numbers("10", 100)), "1#")
    assert not covers(number_list(numbers("1" * 33, 100)), "1" * 33)


def test_a_provider_has_numbers_that_the_certificate_does_not_list() -> None:
    assert covers(number_list(provider("709J")), "12155551212")


def test_a_long_list_is_read() -> None:
    extension = number_list(*[one(f"1215555{n:04}") for n in range(1000)])
    assert covers(extension, "12155550999")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_are_a_list_or_a_parse_error(octets: bytes) -> None:
    for extension in (octets, number_list(octets), number_list(tagged(0xA1, octets))):
        with contextlib.suppress(ParseError):
            covers(extension, "12155551212")
