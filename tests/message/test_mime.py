"""Multipart bodies (RFC 2046 §5.1, RFC 5621)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Headers, MediaType, Parameters
from sipstack.message.mime import MAXIMUM_PARTS, Part, find_part, parse_multipart, write_multipart

MIXED = MediaType("multipart", "mixed", Parameters({"boundary": '"b 1"'}))
BODY = (
    b"preamble\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b 1 \t\r\n\r\nraw\r\n--b 10\r\n"
    b"--b 1\r\nc: application/sdp\r\n\r\nv=0\r\n\r\n--b 1--\r\nepilogue\r\n--b 1\r\n"
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b 1\r\n\r\nx",
        b"--b 1--",
        b"x--b 1\r\n\r\nx--b 1--",
        b"--b 1\r\n\r\nx\n--b 1--",
        b"\r\n--b 1\r\n\r\nx" * (MAXIMUM_PARTS + 1) + b"\r\n--b 1--",
    ],
)
def test_not_a_multipart_body(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_multipart(body, MIXED)


def test_a_boundary_is_needed() -> None:
    for parameters in (Parameters(), Parameters({"boundary": None}), Parameters({"boundary": '""'})):
        with pytest.raises(ParseError):
            parse_multipart(BODY, MediaType("multipart", "mixed", parameters))


def test_parts() -> None:
    assert parse_multipart(BODY, MIXED) == (
        Part(Headers([("Content-Type", "text/plain")]), b"Hello"),
        Part(Headers(), b"raw\r\n--b 10"),
        Part(Headers([("Content-Type", "application/sdp")]), b"v=0\r\n"),
    )


def test_content_type_of_a_part() -> None:
    text, raw, sdp = parse_multipart(BODY, MIXED)
    assert [part.content_type.media_type for part in (text, raw, sdp)] == [
        "text/plain",
        "text/plain",
        "application/sdp",
    ]
    with pytest.raises(ParseError):
        _ = Part(Headers([("Content-Type", "x")]), b"").content_type


def test_parts_without_body_or_headers() -> None:
    parts = parse_multipart(b"--b 1\r\nX-Y: 1\r\n--b 1\r\n--b 1\r\n\r\n\r\n--b 1--", MIXED)
    assert parts == (Part(Headers([("X-Y", "1")]), b""), Part(Headers(), b""), Part(Headers(), b""))


def test_find_part() -> None:
    assert find_part(BODY, MIXED, "application/sdp") == b"v=0\r\n"
    assert find_part(BODY, MIXED, "application/json") is None
    assert find_part(b"v=0", MediaType("application", "sdp"), "application/sdp") == b"v=0"


def nested(depth: int) -> tuple[bytes, MediaType]:
    body, content_type = b"v=0\r\n", MediaType("application", "sdp")
    for level in range(depth):
        part = Part(Headers([("Content-Type", content_type)]), body)
        body = write_multipart([part], f"b{level}")
        content_type = MediaType("multipart", "mixed", Parameters({"boundary": f"b{level}"}))
    return body, content_type


def test_parts_nest_but_not_without_end() -> None:
    assert find_part(*nested(3), "application/sdp") == b"v=0\r\n"
    assert find_part(*nested(9), "application/sdp") is None


def test_writing() -> None:
    parts = [Part(Headers([("Content-Type", "text/plain")]), b"Hello"), Part(Headers(), b"")]
    assert write_multipart(parts, "x") == (
        b"--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n--x\r\n\r\n\r\n--x--\r\n"
    )


def test_the_boundary_must_not_occur() -> None:
    with pytest.raises(LocalProtocolError):
        write_multipart([Part(Headers(), b"a\r\n--x")], "x")
    with pytest.raises(LocalProtocolError):
        write_multipart([Part(Headers(), b"--x")], "x")


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=3))
def test_writing_and_parsing_are_inverse(bodies: list[bytes]) -> None:
    parts = tuple(Part(Headers([("X-Number", i)]), body) for i, body in enumerate(bodies))
    boundary = "unlikely-boundary"
    content_type = MediaType("multipart", "mixed", Parameters({"boundary": boundary}))
    assert parse_multipart(write_multipart(parts, boundary), content_type) == parts
