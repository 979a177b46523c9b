"""Text to description and back (RFC 8866)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.sdp import (
    STATIC_CODECS,
    Bandwidth,
    Codec,
    Connection,
    Direction,
    Origin,
    SessionDescription,
    Timing,
    parse,
)
from sipstack.sdp.parser import MAX_LENGTH, MAX_LINE_LENGTH, MAX_LINES, MAX_MEDIA
from tests.sdp import endpoints
from tests.sdp.strategies import descriptions
from tests.shared import SHARED, torture_index

MINIMAL = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


# What is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "hello",
        "v=0\r\ns=-\r\nt=0 0\r\n",
        "v=0\r\nnonsense",
        "o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n",
        "v=1\r\no=- 1 1 IN IP4 192.0.2.1\r\n",
        MINIMAL + MINIMAL,
        MINIMAL + "m =video 3227 RTP/AVP 31\r\n",
        MINIMAL + "a=x\0\r\n",
        MINIMAL + "a=x\ry\r\n",
        MINIMAL.replace("\r\n", "\r"),
        MINIMAL + "m=audio\r\n",
        MINIMAL + "m=audio 99999 RTP/AVP 0\r\n",
        MINIMAL + "m=audio 1 RTP/AVP 0\r\n" + MINIMAL,
        MINIMAL + "m\r\n",
        MINIMAL + "a=x:\ud800\r\n",
    ],
)
def test_what_is_no_session_description(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        (MINIMAL.ljust(MAX_LENGTH, "\n"), MINIMAL.ljust(MAX_LENGTH + 1, "\n")),
        (MINIMAL + "a=\r\n" * (MAX_LINES - 4), MINIMAL + "a=\r\n" * (MAX_LINES - 3)),
        (MINIMAL + "a=".ljust(MAX_LINE_LENGTH, "x"), MINIMAL + "a=".ljust(MAX_LINE_LENGTH + 1, "x")),
        (MINIMAL + "m=audio 0 RTP/AVP 0\n" * MAX_MEDIA, MINIMAL + "m=audio 0 RTP/AVP 0\n" * (MAX_MEDIA + 1)),
    ],
    ids=["length", "lines", "line length", "m-lines"],
)
def test_everything_is_bounded(fits: str, too_much: str) -> None:
    parse(fits)
    for text in (too_much, too_much.encode()):
        with pytest.raises(ParseError) as caught:
            parse(text)
        assert caught.value.status == 400


def test_an_error_does_not_quote_without_end() -> None:
    with pytest.raises(ParseError) as caught:
        parse(MINIMAL + "m=" + "x" * 4000)
    assert len(str(caught.value)) < 150


# What is tolerated


def test_bare_lf_a_missing_last_line_end_and_empty_lines_at_the_end() -> None:
    description = parse(MINIMAL)
    assert parse(MINIMAL.replace("\r\n", "\n")) == description
    assert parse(MINIMAL.removesuffix("\r\n")) == description
    assert parse(MINIMAL + "\r\n\n\r\n") == description
    assert str(description) == MINIMAL


def test_lines_may_be_missing_empty_unknown_or_out_of_order() -> None:
    lines = ["v=0", "s=", "a=x", "o=- 1 1 IN IP4 192.0.2.1", "X=?", "b=", "t="]
    text = "\r\n".join([*lines, "m=audio 1 RTP/AVP", "z=", "i=late", ""])
    description = parse(text)
    assert str(description) == text
    assert (description.name, description.timings, description.bandwidths) == ("", (), ())
    assert description.media[0].information == "late"


def test_octets_that_are_not_utf8_survive() -> None:
    octets = MINIMAL.encode() + b"i=caf\xe9 \xff\r\na=charset:ISO-8859-1\r\n"
    description = parse(octets)
    assert bytes(description) == octets
    assert description.information == "caf\udce9 \udcff"


@pytest.mark.parametrize(
    "origin",
    [
        "o= 1 1 IN IP4 192.0.2.9",
        "o=",
        "o=John Smith 1 1 IN IP4 192.0.2.9",
        f"o=- {'9' * 24} 1 IN IP4 192.0.2.9",
        "o=- -1 1 IN IP4 192.0.2.9",
        "o=- 0x1f 1 IN IP4 192.0.2.9",
        "o=- one 1 IN IP4 192.0.2.9",
        "o=- 1 1 IN IP4",
        "o=- 1 x IN IP4 192.0.2.9\r\no=- x 1 IN IP4 192.0.2.9",
    ],
)
def test_an_origin_that_cannot_be_read_does_no_harm(origin: str) -> None:
    """Nobody but its maker goes by it: RFC 3264 §8 compares versions, and we compare the lines."""
    text = MINIMAL.replace("o=- 1 1 IN IP4 192.0.2.1", origin) + "m=audio 1 RTP/AVP 0\r\n"
    description = parse(text)
    with pytest.raises(ParseError):
        _ = description.origin
    assert str(description) == text
    assert [medium.port for medium in description.media] == [1]


@pytest.mark.parametrize("line", ["", "  ", "no equals sign", " a=folded", "a", "\t", "Hello, world"])
@pytest.mark.parametrize("place", [0, 1, 4, 5])
def test_what_is_no_line_at_all_is_left_out(line: str, place: int) -> None:
    lines = [*MINIMAL.splitlines(), "m=audio 1 RTP/AVP 0", "a=sendonly"]
    assert parse("\r\n".join([*lines[:place], line, *lines[place:], ""])) == parse("\r\n".join(lines))


def test_an_address_that_cannot_be_read_is_missed_only_where_it_is_needed() -> None:
    text = MINIMAL + "c=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\nm=video 3 RTP/AVP 31\r\nc=nowhere\r\n"
    description = parse(text)
    audio, video = description.media
    assert description.connection_of(audio) == Connection("192.0.2.1")
    assert description.connection_of(video) is None
    assert str(description) == text


# RFC 8866


def test_rfc_8866_section_5() -> None:
    description = parse(crlf(endpoints.SEMINAR))
    assert description.origin == Origin("jdoe", 3724394400, 3724394405, "198.51.100.1")
    assert description.name == "Call to John Smith"
    assert description.information == "SDP Offer #1"
    assert description.uri == "http://www.jdoe.example.com/home.html"
    assert description.emails == ("Jane Doe <jane@jdoe.example.com>",)
    assert description.phones == ("+1 617 555-6011",)
    assert description.timings == (Timing(0, 0),)
    assert [(medium.kind, medium.port, medium.codecs) for medium in description.media] == [
        ("audio", 49170, (STATIC_CODECS[0],)),
        ("audio", 49180, (STATIC_CODECS[0],)),
        ("video", 51372, (Codec(99, "h263-1998", 90000),)),
    ]
    assert [description.connection_of(medium) for medium in description.media] == [
        Connection("198.51.100.1"),
        Connection("198.51.100.1"),
        Connection("2001:db8::2"),
    ]


def test_the_multicast_and_layered_lines_of_rfc_8866_section_5_7_and_5_14() -> None:
    description = parse(
        MINIMAL + "c=IN IP4 233.252.0.1/127\r\nm=video 49170/2 RTP/AVP 31\r\nc=IN IP4 233.252.0.1/127/3\r\n"
        "m=audio 49180 RTP/AVP 0\r\nc=IN IP6 ff00::db8:0:101/3\r\nc=IN IP6 ff00::db8:0:105\r\n"
    )
    video, audio = description.media
    assert description.connection == Connection("233.252.0.1", ttl=127)
    assert (video.line.port, video.line.count) == (49170, 2)
    assert video.connections == (Connection("233.252.0.1", ttl=127, count=3),)
    assert audio.connections == (Connection("ff00::db8:0:101", count=3), Connection("ff00::db8:0:105"))


# As sent by


@pytest.mark.parametrize("text", endpoints.ALL.values(), ids=endpoints.ALL.keys())
def test_every_line_of_an_endpoint_survives(text: str) -> None:
    assert str(parse(crlf(text))) == crlf(text)
    assert bytes(parse(text.encode())) == crlf(text).encode()


def test_asterisk() -> None:
    (audio,) = parse(endpoints.ASTERISK).media
    assert audio.codecs == (
        Codec(111, "opus", 48000, 2, "useinbandfec=1"),
        STATIC_CODECS[9],
        STATIC_CODECS[0],
        STATIC_CODECS[8],
        STATIC_CODECS[3],
        Codec(101, "telephone-event", 8000, 1, "0-16"),
    )
    assert (audio.ptime, audio.maxptime, audio.direction) == (20.0, 140.0, Direction.SENDRECV)


def test_a_browser() -> None:
    description = parse(endpoints.BROWSER)
    audio, video = description.media
    assert description.attribute("group") == "BUNDLE 0 1"
    assert description.attribute("msid-semantic") == "WMS 5dd4bb2a"
    assert audio.attribute_values("candidate") == (
        "2515645322 1 udp 2122260223 192.0.2.44 50411 typ host generation 0 network-id 1",
        "3552041706 1 tcp 1518280447 192.0.2.44 9 typ host tcptype active generation 0",
    )
    assert audio.attribute("setup") == "actpass"
    assert (audio.attribute("fingerprint") or "").startswith("sha-256 D1:2C:BE")
    assert (audio.rtcp_mux, audio.rtcp) == (True, (9, "0.0.0.0"))
    assert [(codec.payload_type, codec.name, codec.clock_rate) for codec in audio.codecs] == [
        (111, "opus", 48000),
        (63, "red", 48000),
        (9, "G722", 8000),
        (0, "PCMU", 8000),
        (8, "PCMA", 8000),
        (13, "CN", 8000),
        (110, "telephone-event", 48000),
        (126, "telephone-event", 8000),
    ]
    assert audio.codecs[0].parameters == {"minptime": "10", "useinbandfec": "1"}
    assert video.attribute("bundle-only") == ""


def test_linphone() -> None:
    description = parse(endpoints.LINPHONE)
    audio, video = description.media
    assert description.attribute("record") == "off"
    assert audio.codecs == (
        Codec(96, "opus", 48000, 2, "useinbandfec=1"),
        Codec(97, "speex", 16000, 1, "vbr=on"),
        STATIC_CODECS[0],
        STATIC_CODECS[8],
        Codec(101, "telephone-event", 48000),
    )
    assert audio.rtcp == (50932, None)
    assert video.codecs == (Codec(99, "H264", 90000, 1, "profile-level-id=42801F"),)


def test_a_desk_phone_with_optional_encryption() -> None:
    description = parse(endpoints.DESK_PHONE)
    secure, plain = description.media
    assert description.bandwidths == (Bandwidth("CT", 1000),)
    assert secure.attribute("crypto") == (
        "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4"
    )
    assert plain.codecs == (
        STATIC_CODECS[9],
        STATIC_CODECS[8],
        STATIC_CODECS[0],
        Codec(101, "telephone-event", 8000, 1, "0-15"),
    )
    assert (plain.ptime, plain.direction) == (20.0, Direction.SENDRECV)


def test_t38() -> None:
    (image,) = parse(endpoints.FAX).media
    assert (image.kind, image.protocol, image.formats, image.codecs) == ("image", "udptl", ("t38",), ())
    assert image.attribute("T38FaxUdpEC") == "t38UDPRedundancy"


# The torture messages' bodies


def accepted_bodies() -> list[Any]:
    """The session descriptions in torture messages that are to be accepted."""
    parameters = []
    for folder in ("rfc4475", "rfc5118"):
        for row in torture_index(folder):
            octets = (SHARED / folder / f"{row['name']}.dat").read_bytes()
            body = octets.partition(b"\r\n\r\n")[2]
            if row["verdict"] == "accept" and body.startswith(b"v=0"):
                parameters.append(pytest.param(body, id=row["name"]))
    absent = pytest.mark.skip(reason="the shared torture messages are not beside this checkout")
    return parameters or [pytest.param(b"", marks=absent, id="absent")]


@pytest.mark.parametrize("body", accepted_bodies())
def test_the_body_of_a_torture_message_that_is_accepted(body: bytes) -> None:
    description = parse(body)
    assert bytes(description) == body
    audio, *video = description.media
    assert (audio.kind, audio.rejected) == ("audio", False)
    assert [medium.kind for medium in video] == ["video"]
    assert description.connection_of(audio) is not None


# Properties


@given(descriptions())
def test_writing_and_parsing_are_inverse(description: SessionDescription) -> None:
    assert parse(str(description)) == description
    assert parse(bytes(description)) == description
    assert bytes(parse(bytes(description))) == bytes(description)


def views(description: SessionDescription) -> list[object]:
    own = [description.origin, description.name, description.timings, description.bandwidths]
    return [
        *own,
        *(
            (medium.codecs, [codec.parameters for codec in medium.codecs], medium.ptime, medium.rtcp)
            + (medium.bandwidths, medium.attributes, description.direction_of(medium))
            for medium in description.media
        ),
    ]


@given(descriptions())
def test_a_view_never_raises(description: SessionDescription) -> None:
    assert views(parse(bytes(description))) == views(description)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_parses_or_is_a_parse_error(text: str | bytes) -> None:
    with suppress(ParseError):
        parse(text)
