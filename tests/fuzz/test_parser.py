"""The promises of the parser, on known inputs and on a few seconds of random ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from tests.fuzz.harness import corpus, one_input
from tests.fuzz.parser import search


@pytest.mark.parametrize("data", corpus(), ids=range(len(corpus())))
def test_seeds(data: bytes) -> None:
    one_input(data)


@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    one_input(data)


@given(strategies.messages)
def test_good_messages(message: object) -> None:
    assert hasattr(message, "__bytes__")
    one_input(bytes(message))


def test_two_seconds_of_mutations() -> None:
    assert search(2.0) > 50
