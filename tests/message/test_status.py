"""Status codes and reason phrases (RFC 3261 §21)."""

from __future__ import annotations

import pytest

from sipstack.message.status import REASONS, reason


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (100, "Trying"),
        (180, "Ringing"),
        (200, "OK"),
        (481, "Call/Transaction Does Not Exist"),
        (606, "Not Acceptable"),
    ],
)
def test_registered(status: int, phrase: str) -> None:
    assert reason(status) == REASONS[status] == phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (189, "Trying"),
        (299, "OK"),
        (399, "Redirection"),
        (499, "Request Failure"),
        (599, "Server Failure"),
        (699, "Global Failure"),
    ],
)
def test_an_unknown_status_has_the_phrase_of_its_class(status: int, phrase: str) -> None:
    assert reason(status) == phrase


def test_all_are_final_or_provisional_and_in_order() -> None:
    assert list(REASONS) == sorted(REASONS)
    assert all(100 <= status <= 699 and phrase for status, phrase in REASONS.items())
