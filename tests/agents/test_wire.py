"""Messages between a call and an agent."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.agents import wire
from sipstack.agents.wire import (
    AUDIO,
    CONTROL,
    HEADER,
    Clear,
    CommandError,
    HangUp,
    SendDigits,
    Transfer,
    command,
    event,
    framed,
    header,
)
from sipstack.errors import ParseError


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", None, "one JSON object"),
        ("hang_up", None, "one JSON object"),
        ("[" * 100_000, None, "one JSON object"),
        ("[]", None, '{"command": ...}'),
        ('"clear"', None, '{"command": ...}'),
        ("{}", None, '{"command": ...}'),
        ('{"command": 7}', None, '{"command": ...}'),
        ('{"command": "dance"}', "dance", "no such command"),
        ('{"command": "' + "x" * 1000 + '"}', "x" * 32, "no such command"),
        ('{"command": "send_digits"}', "send_digits", "1 to 64"),
        ('{"command": "send_digits", "digits": 5}', "send_digits", "1 to 64"),
        ('{"command": "send_digits", "digits": ""}', "send_digits", "1 to 64"),
        ('{"command": "send_digits", "digits": "12 3"}', "send_digits", "1 to 64"),
        ('{"command": "send_digits", "digits": "' + "1" * 65 + '"}', "send_digits", "1 to 64"),
        ('{"command": "transfer"}', "transfer", "SIP URI"),
    ],
)
def test_what_is_no_command_is_refused_with_words(text: str, name: str | None, words: str) -> None:
    with pytest.raises(CommandError) as refused:
        command(text)
    assert refused.value.command == name
    assert words in str(refused.value)


@given(st.text())
def test_no_text_brings_out_anything_else(text: str) -> None:
    with contextlib.suppress(CommandError):
        assert isinstance(command(text), wire.Command)


@given(st.binary(min_size=3, max_size=3))
def test_a_header_is_one_or_is_refused_with_words(octets: bytes) -> None:
    if octets[0] in b"AJ":
        assert header(octets) == (octets[0], int.from_bytes(octets[1:], "big"))
    else:
        with pytest.raises(ParseError, match="does it print to standard output"):
            header(octets)


def test_commands() -> None:
    assert command('{"command": "hang_up"}') == HangUp()
    assert command('{"command": "clear", "since": "today"}') == Clear()
    assert command('{"command": "send_digits", "digits": "15*#D"}') == SendDigits("15*#D")
    assert command('{"command": "transfer", "target": "sip:bob@b.test"}') == Transfer("sip:bob@b.test")


def test_an_event_is_one_line_of_json() -> None:
    line = event("start", call="1", from_="sip:alice@a.test", rate=8000)
    assert json.loads(line) == {"event": "start", "call": "1", "from": "sip:alice@a.test", "rate": 8000}
    assert "\n" not in event("end", by="remote", reason="two\nlines")


def test_a_frame_is_a_kind_a_length_and_the_message() -> None:
    assert framed(AUDIO, b"\x01\x00") == b"A\x00\x02\x01\x00"
    assert framed(CONTROL, b"{}") == b"J\x00\x02{}"
    assert header(framed(AUDIO, bytes(640))[: HEADER.size]) == (AUDIO, 640)


def test_the_documentation_names_every_event_and_command() -> None:
    assert wire.__doc__ is not None
    for name in ("start", "digit", "cleared", "error", "end"):
        assert f'{{"event": "{name}"' in wire.__doc__
    for name in ("hang_up", "clear", "send_digits", "transfer"):
        assert f'{{"command": "{name}"' in wire.__doc__
