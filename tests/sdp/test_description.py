"""Session and media descriptions: values built, compared and written."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp import (
    STATIC_CODECS,
    Codec,
    Connection,
    Direction,
    MediaDescription,
    MediaLine,
    Origin,
    SessionDescription,
    Timing,
    parse,
)

SESSION = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0")
AUDIO = MediaDescription(("m=audio 49170 RTP/AVP 0",))


def session(*lines: str) -> SessionDescription:
    return SessionDescription((*SESSION, *lines), (AUDIO,))


# What is no description


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("v=0",),
        ("o=- 1 1 IN IP4 192.0.2.1", "v=0"),
        ("v=0", "v=0", "o=- 1 1 IN IP4 192.0.2.1"),
        (*SESSION, "m=audio 49170 RTP/AVP 0"),
    ],
)
def test_a_session_part_begins_with_its_one_v_has_an_o_and_no_m(lines: tuple[str, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        SessionDescription(lines)


@pytest.mark.parametrize("line", ["v=1", "v=", "v=0.0"])
def test_only_version_0_is_known(line: str) -> None:
    with pytest.raises(ParseError):
        SessionDescription((line, *SESSION[1:]))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("a=sendrecv",),
        ("a=sendrecv", "m=audio 49170 RTP/AVP 0"),
        ("m=audio 1 RTP/AVP 0", "m=audio 2 RTP/AVP 0"),
        ("m=audio 1 RTP/AVP 0", "v=0"),
    ],
)
def test_a_media_part_begins_with_its_one_m(lines: tuple[str, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        MediaDescription(lines)


def test_what_is_no_text_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(session("a=x:\ud800"))


# The session part


def test_the_views_of_the_session_part() -> None:
    description = SessionDescription(
        (
            "v=0",
            "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1",
            "s=SDP Seminar",
            "i=A Seminar on the session description protocol",
            "u=http://www.example.com/seminars/sdp.pdf",
            "e=j.doe@example.com (Jane Doe)",
            "e=second@example.com",
            "p=+1 617 555-6011",
            "c=IN IP4 198.51.100.1",
            "t=3724394400 3724398000",
            "t=nonsense",
            "t=0 0",
            "r=604800 3600 0 90000",
            "z=3730928400 -1h 3749680800 0",
            "k=prompt",
            "a=recvonly",
        )
    )
    assert description.origin == Origin("jdoe", 3724394400, 3724394405, "198.51.100.1")
    assert description.name == "SDP Seminar"
    assert description.information == "A Seminar on the session description protocol"
    assert description.uri == "http://www.example.com/seminars/sdp.pdf"
    assert description.emails == ("j.doe@example.com (Jane Doe)", "second@example.com")
    assert description.phones == ("+1 617 555-6011",)
    assert description.connection == Connection("198.51.100.1")
    assert description.timings == (Timing(3724394400, 3724398000), Timing(0, 0))
    assert description.values("r") == ("604800 3600 0 90000",)
    assert description.values("z") == ("3730928400 -1h 3749680800 0",)
    assert description.values("k") == ("prompt",)
    assert description.direction is Direction.RECVONLY
    assert description.media == ()


def test_what_the_session_part_may_lack() -> None:
    description = SessionDescription(("v=0", "o=- 1 1 IN IP4 192.0.2.1"))
    assert (description.name, description.uri, description.timings) == ("", None, ())
    assert (description.emails, description.phones, description.connection) == ((), (), None)


def test_descriptions_are_equal_line_by_line() -> None:
    assert session("a=x") == session("a=x")
    assert hash(session("a=x")) == hash(session("a=x"))
    assert session("a=x") != session("a=x ")
    assert session() != session().with_media(())


def test_written_with_crlf() -> None:
    assert str(session()) == "\r\n".join((*SESSION, "m=audio 49170 RTP/AVP 0", ""))
    assert bytes(session("a=x:\udcff")).endswith(b"a=x:\xff\r\nm=audio 49170 RTP/AVP 0\r\n")


# From session to media


def test_an_m_line_has_its_own_connection_or_that_of_the_session() -> None:
    own = AUDIO.with_connection(Connection("192.0.2.9"))
    assert session().connection_of(AUDIO) == Connection("192.0.2.1")
    assert session().connection_of(own) == Connection("192.0.2.9")
    assert session().with_lines("c").connection_of(AUDIO) is None


@pytest.mark.parametrize(
    ("at_session", "at_media", "direction"),
    [
        ((), (), Direction.SENDRECV),
        (("a=sendonly",), (), Direction.SENDONLY),
        ((), ("a=recvonly",), Direction.RECVONLY),
        (("a=inactive",), ("a=sendrecv",), Direction.SENDRECV),
        # RFC 3264 §8.4: the hold of RFC 2543
        ((), ("c=IN IP4 0.0.0.0",), Direction.SENDONLY),
        ((), ("c=IN IP4 0.0.0.0", "a=sendrecv"), Direction.SENDONLY),
        ((), ("c=IN IP4 0.0.0.0", "a=recvonly"), Direction.INACTIVE),
        ((), ("c=IN IP6 ::", "a=inactive"), Direction.INACTIVE),
        # with ICE the address is only not known yet
        ((), ("c=IN IP4 0.0.0.0", "a=ice-ufrag:F7gI"), Direction.SENDRECV),
        (("a=ice-ufrag:F7gI",), ("c=IN IP4 0.0.0.0", "a=sendonly"), Direction.SENDONLY),
    ],
)
def test_the_direction_of_an_m_line(
    at_session: tuple[str, ...], at_media: tuple[str, ...], direction: Direction
) -> None:
    medium = MediaDescription((*AUDIO.lines, *at_media))
    assert session(*at_session).direction_of(medium) is direction


# The media part


def test_the_views_of_a_media_part() -> None:
    medium = MediaDescription(
        (
            "m=audio 5000/2 RTP/AVP 0 111 13 200",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 useinbandfec=1",
            "a=ptime:20",
            "a=maxptime:60.5",
            "a=rtcp-mux",
            "a=rtcp:53020 IN IP6 2001:db8::9",
        )
    )
    assert medium.line == MediaLine("audio", 5000, "RTP/AVP", ("0", "111", "13", "200"), count=2)
    assert (medium.kind, medium.port, medium.protocol) == ("audio", 5000, "RTP/AVP")
    assert medium.formats == ("0", "111", "13", "200")
    assert medium.codecs == (
        STATIC_CODECS[0],
        Codec(111, "opus", 48000, 2, "useinbandfec=1"),
        STATIC_CODECS[13],
    )
    assert (medium.ptime, medium.maxptime) == (20.0, 60.5)
    assert medium.rtcp_mux
    assert medium.rtcp == (53020, "2001:db8::9")
    assert not medium.rejected


def test_a_stream_that_is_not_rtp_has_no_codecs() -> None:
    medium = MediaDescription(("m=image 5004 udptl t38", "a=T38FaxVersion:0"))
    assert (medium.formats, medium.codecs) == (("t38",), ())


@pytest.mark.parametrize(
    "text", ["", "x", "0", "-20", "1001", "nan", "inf", "1e2", "20 ms", "2.0.0", ".", "²", "9" * 11]
)
def test_a_ptime_that_is_none(text: str) -> None:
    medium = AUDIO.with_attribute("ptime", text).with_attribute("maxptime", text)
    assert (medium.ptime, medium.maxptime) == (None, None)


@pytest.mark.parametrize("text", ["", "0", "x", "65536", "53020 IN", "53020 IN IP4", "53020 IN IP4 a b"])
def test_an_rtcp_attribute_that_is_none(text: str) -> None:
    assert AUDIO.with_attribute("rtcp", text).rtcp is None


def test_an_rtcp_port_alone() -> None:
    assert AUDIO.with_attribute("rtcp", "53020").rtcp == (53020, None)


# Changed copies


def test_another_origin_medium_and_media_line() -> None:
    video = MediaDescription(("m=video 51372 RTP/AVP 31", "a=quality:10"))
    both = session().with_media([AUDIO, video])
    refused = both.with_medium(1, video.with_line(MediaLine("video", 0, "RTP/AVP", ("31",))))
    assert str(refused.with_origin(Origin("-", 1, 2, "192.0.2.1"))) == (
        "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=audio 49170 RTP/AVP 0\r\n"
        "m=video 0 RTP/AVP 31\r\na=quality:10\r\n"
    )
    assert refused.media[1].rejected
    assert parse(str(refused)) == refused
