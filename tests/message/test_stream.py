"""Messages out of a stream of octets (RFC 3261 §18.3, RFC 5626 §3.5.1)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.message import Limits, MalformedMessage, Ping, Pong, Request, Response, StreamParser, parse
from tests import strategies

HEAD = b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
FIVE = HEAD + b"l: 5\r\n\r\n12345"

Outcome = list[bytes | Ping | Pong | str]


def outcome(parser: StreamParser, *slices: bytes) -> Outcome:
    """The results of the slices, in order; an error by its words, after which nothing comes."""
    items: Outcome = []
    for data in slices:
        try:
            items += parser.feed(data)
        except ParseError:
            break
    if parser.error is not None:
        items.append(str(parser.error))
    return items


def test_one_message() -> None:
    assert StreamParser().feed(FIVE) == [FIVE]
    assert StreamParser().feed(EMPTY) == [EMPTY]


@pytest.mark.parametrize(
    "field",
    [b"Content-Length: 5", b"content-length:5", b"L \t:\t5 ", b"l:\r\n 5", b"l: 5\r\nContent-Length: 5"],
)
def test_spellings_of_the_length(field: bytes) -> None:
    message = HEAD + field + b"\r\nX: 7\r\n\r\n12345"
    assert StreamParser().feed(message + EMPTY) == [message, EMPTY]


def test_what_only_looks_like_the_length_is_not_read_as_such() -> None:
    message = HEAD + b"X: l: 9\r\nXl: 9\r\nl: 5\r\n\r\nl: 9\n"
    assert StreamParser().feed(message + EMPTY) == [message, EMPTY]


def test_several_messages_in_one_slice() -> None:
    parser = StreamParser()
    assert parser.feed(EMPTY + FIVE + EMPTY[:30]) == [EMPTY, FIVE]
    assert parser.is_within
    assert parser.feed(EMPTY[30:]) == [EMPTY]
    assert not parser.is_within


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (b"\r\n\r\n", [Ping()]),
        (b"\r\n\r\n\r\n\r\n", [Ping(), Ping()]),
        (b"\r\n", [Pong()]),
        (b"\r\n" + EMPTY, [Pong(), EMPTY]),
        (b"\r\n\r\n\r\n" + EMPTY, [Ping(), Pong(), EMPTY]),
        (EMPTY + b"\r\n" + FIVE + b"\r\n\r\n", [EMPTY, Pong(), FIVE, Ping()]),
    ],
)
def test_line_ends_between_messages(data: bytes, items: Outcome) -> None:
    assert outcome(StreamParser(), data) == items
    bytewise = outcome(StreamParser(), *(data[i : i + 1] for i in range(len(data))))
    assert [item for item in bytewise if item != Pong()] == [item for item in items if item != Pong()]


def test_a_ping_that_was_cut_in_two_is_a_ping_in_the_end() -> None:
    for cut in (1, 2, 3):
        parser = StreamParser()
        items = outcome(parser, b"\r\n\r\n"[:cut], b"\r\n\r\n"[cut:])
        assert items[-1] == Ping()
        assert parser.feed(EMPTY) == [EMPTY]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"\r\n", 400),
        (HEAD + b"l: -1\r\n\r\n", 400),
        (HEAD + b"l: 1\r\nl: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"l: 1000001\r\n\r\n", 413),
        (b"OPTIONS sip:" + b"b" * 300, 414),
        (HEAD + b"X: " + b"y" * 2000, 513),
        (HEAD + b"X: " + b"y" * 2000 + b"\r\n\r\n", 513),
        (HEAD + b"X:\r\n" * 99 + b"l: 0\r\n\r\n", 513),
    ],
)
def test_a_broken_stream(data: bytes, status: int) -> None:
    limits = Limits(start_line=200, head=1000, fields=50, body=1000000)
    whole, bytewise = StreamParser(limits), StreamParser(limits)
    with pytest.raises(MalformedMessage) as caught:
        whole.feed(data)
    assert caught.value.status == status
    assert str(caught.value) == str(whole.error)
    assert outcome(bytewise, *(data[i : i + 1] for i in range(len(data)))) == [str(caught.value)]


def test_an_error_can_be_answered_and_is_fatal() -> None:
    parser = StreamParser()
    with pytest.raises(MalformedMessage) as caught:
        parser.feed(HEAD + b"l: x\r\n\r\n")
    assert caught.value.request is not None
    assert caught.value.request.via.branch == "z9hG4bK1"
    for data in (EMPTY, b""):
        with pytest.raises(MalformedMessage):
            parser.feed(data)


def test_messages_before_the_broken_one_are_not_lost() -> None:
    parser = StreamParser()
    assert parser.feed(EMPTY + HEAD + b"\r\n") == [EMPTY]
    assert parser.error is not None
    with pytest.raises(MalformedMessage):
        parser.feed(b"")


@settings(max_examples=30)
@given(st.lists(strategies.messages, max_size=3), st.data())
def test_slicing_does_not_matter(messages: list[Request | Response], data: st.DataObject) -> None:
    written = [bytes(message) for message in messages]
    octets = b"\r\n\r\n".join(written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    edges = zip([0, *cuts], [*cuts, len(octets)], strict=True)
    items = outcome(StreamParser(), *(octets[start:end] for start, end in edges))
    assert [item for item in items if isinstance(item, bytes)] == written
    assert items.count(Ping()) == max(0, len(messages) - 1)


@pytest.mark.parametrize(
    "message", [HEAD + b"no colon\r\nl: 0\r\n\r\n", EMPTY.replace(b"SIP/2.0\r", b"SIP/7.0\r"), b"\n" + EMPTY]
)
def test_a_message_that_is_broken_and_has_an_end_is_handed_on(message: bytes) -> None:
    """The stream is whole: who parses the message answers it, and the next one is read."""
    assert StreamParser().feed(message + EMPTY) == [message, EMPTY]
    with pytest.raises(MalformedMessage):
        parse(message)


def test_a_slow_peer_costs_no_more_than_its_octets() -> None:
    """Octet by octet, eight times the header section may take some twenty times as long."""

    def seconds(size: int) -> float:
        data = HEAD + b"X: " + b"y" * size + b"\r\nl: 0\r\n\r\n"
        parser = StreamParser()
        start = time.process_time()
        for i in range(len(data)):
            parser.feed(data[i : i + 1])
        return time.process_time() - start

    assert seconds(40000) < 20 * max(seconds(5000), 0.005)
