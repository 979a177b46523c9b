"""Tokens, quoted strings, escapes, lists (RFC 3261 §25.1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.message.grammar import (
    escape,
    is_quoted,
    is_token,
    number,
    quote,
    read_port,
    split_commas,
    unescape,
    unquote,
)
from tests import strategies


@pytest.mark.parametrize("text", ["", "a b", "a;b", "é", "a\n", '"a"', "a@b", "a\0"])
def test_not_a_token(text: str) -> None:
    assert not is_token(text)


def test_a_token() -> None:
    assert is_token("azAZ09-.!%*_+`'~")


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("a", ["a"]),
        (" a , b ", ["a", "b"]),
        ("a,,b", ["a", "", "b"]),
        ("a,", ["a", ""]),
        ('"x,y" <sip:a>, b', ['"x,y" <sip:a>', "b"]),
        ("<sip:a,b>;c=1,<sip:d>", ["<sip:a,b>;c=1", "<sip:d>"]),
        (r'"\"," <sip:a>,b', [r'"\"," <sip:a>', "b"]),
    ],
)
def test_commas_count_outside_quotes_and_brackets(text: str, elements: list[str]) -> None:
    assert split_commas(text) == elements


@pytest.mark.parametrize("text", ['"a,b', "<a,b", 'a,"', "a>,b", "a,<b<"])
def test_a_list_that_does_not_close(text: str) -> None:
    with pytest.raises(ParseError):
        split_commas(text)


@pytest.mark.parametrize("text", ['"', '"a', '"a\\"', '"a"b"', '"\0"', '"\n"'])
def test_a_quoted_string_that_does_not_close(text: str) -> None:
    with pytest.raises(ParseError):
        unquote(text)


@pytest.mark.parametrize(("text", "meaning"), [('""', ""), ('"a\\"\\\\"', 'a"\\'), ("a", "a"), ("", "")])
def test_unquote(text: str, meaning: str) -> None:
    assert unquote(text) == meaning


@given(strategies.texts)
def test_quote_and_unquote_are_inverse(text: str) -> None:
    assert unquote(quote(text)) == text


def test_nul_is_written_as_a_quoted_pair() -> None:
    assert quote("a\0") == '"a\\\0"'
    assert unquote('"a\\\0"') == "a\0"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("%41", "A"),
        ("%2541", "%41"),
        ("%c3%BC", "ü"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%00", "\0"),
        ("%ff", "\udcff"),
    ],
)
def test_unescape_once(text: str, meaning: str) -> None:
    assert unescape(text) == meaning


def test_unescape_may_keep_some() -> None:
    assert unescape("%3b%41%3D", b";=") == "%3BA%3D"


def test_escape() -> None:
    assert escape("a b%ü\udcff", frozenset("ab")) == "a%20b%25%C3%BC%FF"


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "256", "٣", "²", "1" * 5000])
def test_not_a_number(text: str) -> None:
    with pytest.raises(ParseError, match="the thing is not a number from 0 to 255"):
        number(text, 255, "the thing")


def test_a_number_may_have_leading_zeros() -> None:
    assert number("0068", 255, "the thing") == 68


def test_ports() -> None:
    assert read_port("65535") == 65535
    with pytest.raises(ParseError):
        read_port("65536")


@given(st.text(alphabet='a\\"\0', max_size=40))
def test_backslashes_are_read_from_the_left(text: str) -> None:
    """As one reads them: each makes way for the character behind it, be that a backslash too."""
    read, characters = "", iter(text)
    for character in characters:
        read += next(characters, "") if character == "\\" else character
    if is_quoted(quoted := f'"{text}"'):
        assert unquote(quoted) == read


@given(st.text(alphabet="%4aG1é", max_size=40))
def test_unescape_reads_each_triplet_once(text: str) -> None:
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), text.encode())
    assert unescape(text) == octets.decode("utf-8", "surrogateescape")
