"""Values that are kept from message to message, and those that are too long for it."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import CSeq, NameAddr
from sipstack.message.address import parse_name_addr


def test_the_from_of_a_call_is_read_once() -> None:
    text = '"Alice" <sip:alice@example.com>;tag=cached-1'
    assert parse_name_addr(text) is parse_name_addr(text)
    assert parse_name_addr(text) == NameAddr.parse(text)


def test_the_same_cseq_is_read_once() -> None:
    assert CSeq.parse("1 INVITE") is CSeq.parse("1 INVITE")
    assert CSeq.parse("1 INVITE") == CSeq(1, "INVITE")


def test_long_texts_are_read_and_not_kept() -> None:
    address, cseq = f"<sip:{'a' * 300}@example.com>;tag=1", f"1 {'X' * 300}"
    assert parse_name_addr(address) is not parse_name_addr(address)
    assert parse_name_addr(address) == NameAddr.parse(address)
    assert CSeq.parse(cseq) is not CSeq.parse(cseq)
    assert CSeq.parse(cseq) == CSeq(1, "X" * 300)


@pytest.mark.parametrize("text", ["", "<", "1 INVITE", "sip"])
def test_what_cannot_be_read_raises_each_time(text: str) -> None:
    for _ in range(2):
        with pytest.raises(ParseError):
            parse_name_addr(text)
