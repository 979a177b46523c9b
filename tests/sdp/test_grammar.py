"""Numbers and tokens (RFC 8866 §9)."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.sdp.grammar import decimal, joined, shortened


@pytest.mark.parametrize("text", ["", "-1", "+1", "1 ", " 1", "1.0", "0x1", "²", "١", "1_000", "9" * 21])
def test_what_is_no_decimal_number(text: str) -> None:
    assert decimal(text, 10**30) is None


def test_a_number_above_the_highest_is_none() -> None:
    assert [decimal(text, 65535) for text in ("0", "007", "65535", "65536")] == [0, 7, 65535, None]


@pytest.mark.parametrize(
    "tokens", [("",), ("a", ""), ("a b",), ("a b", ""), ("a\tb",), ("a\r\nc=x",), (" a",), ("a\u00a0b",)]
)
def test_a_token_cannot_grow_a_further_field(tokens: tuple[str, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        joined(*tokens)


def test_tokens_have_one_space_between_them() -> None:
    assert joined("IN", "IP4", "192.0.2.1") == "IN IP4 192.0.2.1"


def test_a_quotation_is_bounded() -> None:
    assert shortened("x" * 61) == repr("x" * 60 + "…")
    assert shortened("a\r") == "'a\\r'"
