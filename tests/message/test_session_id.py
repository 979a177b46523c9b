"""Session-ID as it is written and read (RFC 7989 §5)."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import Headers, Request, SessionId
from sipstack.message.session_id import LENGTH, NULL, paired, sender_of

A, B = "ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2"


def test_both_ends_are_written_and_read() -> None:
    text = f"{A};remote={B}"
    assert SessionId.parse(text) == SessionId(A, B)
    assert (str(SessionId(A, B)), len(text)) == (text, LENGTH)
    assert paired(A) == str(SessionId(A)) == f"{A};remote={NULL}"


@pytest.mark.parametrize(
    "text",
    [f"{A.upper()};remote={B.upper()}", f"{A} ; remote={B};x=1", f"{A};x;REMOTE={B}"],
)
def test_other_ways_to_write_it(text: str) -> None:
    assert SessionId.parse(text) == SessionId(A, B)


def test_a_peer_of_before_names_only_itself() -> None:
    """RFC 7329 has no ``remote``."""
    assert SessionId.parse(A) == SessionId(A, NULL)
    assert not SessionId.parse(A).is_complete
    assert SessionId(A, B).is_complete


@pytest.mark.parametrize(
    "text",
    ["", ";", A[:-1], A + "0", f"{A[:-1]}g", f"{A};remote=x", f"{A};remote={B}0", "٣" * 32, f"{A}, {B}"],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        SessionId.parse(text)


@pytest.mark.parametrize(
    ("fields", "sender"),
    [
        ([], NULL),
        ([("Session-ID", f"{A};remote={B}")], A),
        ([("session-id", A)], A),
        ([("Session-ID", "nonsense")], NULL),
        ([("Session-ID", A), ("Session-ID", B)], NULL),
    ],
)
def test_the_sender_of_a_message(fields: list[tuple[str, str]], sender: str) -> None:
    assert sender_of(Request("OPTIONS", "sip:bob@example.com", Headers(fields))) == sender
