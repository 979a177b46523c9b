"""What is remembered from message to message, and what is too long for it."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import CSeq, NameAddr
from sipstack.message.address import remembered


def test_the_from_of_a_call_is_read_once() -> None:
    text = '"Alice" <sip:alice@example.com>;tag=remembered-1'
    assert remembered(text) is remembered(text)
    assert remembered(text) == NameAddr.parse(text)


def test_the_same_cseq_is_read_once() -> None:
    assert CSeq.parse("1 INVITE") is CSeq.parse("1 INVITE")
    assert CSeq.parse("1 INVITE") == CSeq(1, "INVITE")


def test_long_texts_of_a_stranger_are_read_and_forgotten() -> None:
    address, cseq = f"<sip:{'a' * 300}@example.com>;tag=1", f"1 {'X' * 300}"
    assert remembered(address) is not remembered(address)
    assert remembered(address) == NameAddr.parse(address)
    assert CSeq.parse(cseq) is not CSeq.parse(cseq)
    assert CSeq.parse(cseq) == CSeq(1, "X" * 300)


@pytest.mark.parametrize("text", ["", "<", "1 INVITE", "sip"])
def test_what_cannot_be_read_raises_each_time(text: str) -> None:
    for _ in range(2):
        with pytest.raises(ParseError):
            remembered(text)
