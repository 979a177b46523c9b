"""What may stand in a record: one line of text, no control character, no password, and not too much."""

from __future__ import annotations

import logging

import pytest

from sipstack.log import CALL, LONGEST, legible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text, Grüße", "plain text, Grüße"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("bye\r\nINFO sipstack.call: paid", r"bye\r\nINFO sipstack.call: paid"),
        ("a\0b\x9b31m\x85", r"a\x00b\x9b31m\x85"),
        ("right\u202eleft\u2028", r"right\u202eleft\u2028"),
        ("\ud800", r"\ud800"),
        (12.345, "12.3"),
        (7, "7"),
        (None, "None"),
        (("192.0.2.1", 5060), "192.0.2.1:5060"),
        (("2001:db8::1", 5060, 0, 0), "[2001:db8::1]:5060"),
        (ValueError("odd \x1b field"), r"odd \x1b field"),
    ],
)
def test_a_value_becomes_one_line_of_text(value: object, text: str) -> None:
    assert legible(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("INVITE sip:alice:secret@example.com SIP/2.0", "INVITE sip:alice:***@example.com SIP/2.0"),
        ("<SIPS:alice:s%20ecret;x@example.com>", "<SIPS:alice:***@example.com>"),
        ("sip:a:b:secret@c and sip:d:secret@e", "sip:a:***@c and sip:d:***@e"),
        ("no address for sip::secret@example.com", "no address for sip::***@example.com"),
        ("sip:alice@example.com:5060;transport=udp", "sip:alice@example.com:5060;transport=udp"),
        ("sip:example.com:5060", "sip:example.com:5060"),
    ],
)
def test_the_password_of_a_uri_is_hidden(text: str, shown: str) -> None:
    """RFC 3261 §19.1.1: the userinfo of a URI may hold a password."""
    assert legible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a=crypto:1 AES inline:c2VjcmV0|2^20|1:4", "a=crypto:1 AES inline:***|2^20|1:4"),
        ("INLINE:c2VjcmV0+/=;inline:c2VjcmV0", "INLINE:***;inline:***"),
    ],
)
def test_the_keys_of_an_sdp_are_hidden(text: str, shown: str) -> None:
    """RFC 4568: an a=crypto line holds the key of the audio."""
    assert legible(text) == shown


@pytest.mark.parametrize("padding", range(LONGEST - 20, LONGEST + 1))
def test_a_key_is_hidden_wherever_the_text_is_cut(padding: int) -> None:
    assert "c2V" not in legible("x" * padding + " inline:c2VjcmV0|2^20")


@pytest.mark.parametrize("padding", range(LONGEST - 20, LONGEST + 1))
def test_a_password_is_hidden_wherever_the_text_is_cut(padding: int) -> None:
    text = legible("x" * padding + " sip:alice:secret@example.com" + "y" * LONGEST)
    assert ("secret"[:1] in text.partition("alice")[2], len(text) <= LONGEST + 4) == (False, True)


def test_a_long_value_is_cut() -> None:
    assert legible("x" * 70_000) == "x" * LONGEST + "…"


class Untouchable:
    """A value that must not become text."""

    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __str__


@pytest.mark.parametrize("write", [CALL.debug, CALL.info, CALL.warning])
def test_nothing_is_formatted_unless_it_is_wanted(write: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "sipstack")
    assert callable(write)
    write("%s", Untouchable())
    assert caplog.records == []


def test_a_record_names_the_place_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sipstack")
    for write in (CALL.debug, CALL.info, CALL.warning):
        write("%s is %s", "this", "here\n")
    assert [(record.levelname, record.filename, record.funcName) for record in caplog.records] == [
        (level, "test_log.py", "test_a_record_names_the_place_that_wrote_it")
        for level in ("DEBUG", "INFO", "WARNING")
    ]
    assert caplog.messages == ["this is here\\n"] * 3


def test_the_library_is_quiet_until_it_is_asked() -> None:
    """Without a handler of its own Python would write warnings to standard error."""
    assert [type(handler) for handler in logging.getLogger("sipstack").handlers] == [logging.NullHandler]
