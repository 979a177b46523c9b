"""The bodies of INFO that carry a digit."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import Request
from sipstack.message import parse as parse_message
from sipstack.usage.info import DURATION, LONGEST, PLAIN, RELAY, read_digit, write_digit


def info(media_type: str, body: bytes) -> Request:
    head = (
        "INFO sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 2 INFO\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    message = parse_message(head.encode() + body)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("body", "key", "duration"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "5", 0.16),
        (b"Signal= *\r\nDuration= 250\r\n", "*", 0.25),
        (b"SIGNAL=#\nduration=80", "#", 0.08),
        (b"Signal=a\r\n", "A", DURATION),
        (b"Signal=11\r\nDuration=0\r\n", "#", DURATION),
        (b"Signal=16\r\nDuration=9999999999\r\n", "!", DURATION),
        (b"Signal=1\r\nDuration=99999999\r\n", "1", LONGEST),
        (b"Duration=100\r\nSignal=!\r\n", "!", 0.1),
    ],
)
def test_a_relay_of_a_signal(body: bytes, key: str, duration: float) -> None:
    assert read_digit(info(RELAY, body)) == (key, duration)


@pytest.mark.parametrize(("body", "key"), [(b"7", "7"), (b" #\r\n", "#"), (b"10", "*"), (b"d", "D")])
def test_a_digit_alone(body: bytes, key: str) -> None:
    assert read_digit(info(PLAIN, body)) == (key, DURATION)


@pytest.mark.parametrize(
    "body",
    [b"Signal=\r\n", b"Signal=x\r\n", b"Signal=99\r\n", b"hello", b"Signal=123\r\n", b"\xff\x00" * 5000],
)
def test_a_relay_without_a_digit_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError) as refused:
        read_digit(info(RELAY, body))
    assert refused.value.status == 400


def test_another_type_is_415() -> None:
    with pytest.raises(ParseError) as refused:
        read_digit(info("application/media_control+xml", b"<x/>"))
    assert refused.value.status == 415


@pytest.mark.parametrize("key", "0123456789*#ABCD!")
def test_what_we_write_is_read(key: str) -> None:
    headers, body = write_digit(key, 0.12)
    assert headers == (("Content-Type", RELAY),)
    assert read_digit(info(RELAY, body)) == (key, 0.12)


@pytest.mark.parametrize("key", "0123456789*#ABCD!")
def test_what_we_write_alone_is_read(key: str) -> None:
    headers, body = write_digit(key, 0.12, plain=True)
    assert (headers, body) == ((("Content-Type", PLAIN),), key.encode())
    assert read_digit(info(PLAIN, body)) == (key, DURATION)
