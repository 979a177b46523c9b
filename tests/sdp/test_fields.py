"""The typed lines: o= c= m= b= t= a= (RFC 8866 §5)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp import Attribute, Bandwidth, Connection, Direction, MediaLine, Origin, Timing

S, O, R, I = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE  # noqa: E741


# Direction


def test_the_direction_of_an_answer() -> None:
    """RFC 3264 §6.1: each wish of the answerer against each direction offered."""
    table = {
        # wish: offered sendrecv, sendonly, recvonly, inactive
        S: [S, R, O, I],
        O: [O, I, O, I],
        R: [R, R, I, I],
        I: [I, I, I, I],
    }
    assert {wish: [wish.answering(offered) for offered in (S, O, R, I)] for wish in table} == table


def test_a_direction_and_its_two_halves() -> None:
    halves = [(direction.sends, direction.receives) for direction in (S, O, R, I)]
    assert halves == [(True, True), (True, False), (False, True), (False, False)]
    assert [Direction.of(sends=sends, receives=receives) for sends, receives in halves] == [S, O, R, I]


# o=


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1 1 IN IP4",
        "- 1 1 IN IP4 192.0.2.1 more",
        "- x 1 IN IP4 192.0.2.1",
        "- 1 -1 IN IP4 192.0.2.1",
        f"- {'9' * 21} 1 IN IP4 192.0.2.1",
    ],
)
def test_an_origin_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Origin.parse(text)
    assert caught.value.status == 400


def test_an_origin() -> None:
    origin = Origin.parse("jdoe 3724394400 3724394405 IN IP4 198.51.100.1")
    assert origin == Origin("jdoe", 3724394400, 3724394405, "198.51.100.1")
    assert str(origin) == "jdoe 3724394400 3724394405 IN IP4 198.51.100.1"


def test_an_origin_knows_the_type_of_its_address() -> None:
    assert str(Origin("-", 1, 2, "2001:db8::1")) == "- 1 2 IN IP6 2001:db8::1"
    assert str(Origin("-", 1, 2, "host.example.com")) == "- 1 2 IN IP4 host.example.com"


def test_a_session_id_of_64_bits_is_read() -> None:
    assert Origin.parse(f"- {2**64 - 1} 0 IN IP4 192.0.2.1").session_id == 2**64 - 1


@pytest.mark.parametrize("username", ["", "two words", "a\r\nc=IN IP4 203.0.113.66"])
def test_an_origin_refuses_a_name_that_breaks_the_line(username: str) -> None:
    with pytest.raises(LocalProtocolError):
        str(Origin(username, 1, 1, "192.0.2.1"))


# c=


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IN IP4",
        "IN IP4 192.0.2.1 192.0.2.2",
        "IN IP4 224.2.36.42/",
        "IN IP4 224.2.36.42/x",
        "IN IP4 224.2.36.42/127/3/1",
        "IN IP4 /127",
        "IN IP6 ff15::101/3/1",
    ],
)
def test_a_connection_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        Connection.parse(text)


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ("IN IP4 198.51.100.1", Connection("198.51.100.1")),
        ("IN IP4 host.example.com", Connection("host.example.com")),
        ("IN IP6 2001:db8::2", Connection("2001:db8::2")),
        ("IN IP4 233.252.0.1/127", Connection("233.252.0.1", ttl=127)),
        ("IN IP4 233.252.0.1/127/3", Connection("233.252.0.1", ttl=127, count=3)),
        ("IN IP6 ff00::db8:0:101/3", Connection("ff00::db8:0:101", count=3)),
        ("AF IP4 127.0.0.1", Connection("127.0.0.1", network_type="AF")),
        ("ATM NSAP 47.0091.8100", Connection("47.0091.8100", address_type="NSAP", network_type="ATM")),
    ],
)
def test_a_connection(text: str, connection: Connection) -> None:
    assert Connection.parse(text) == connection
    assert str(connection) == text


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("IN IP4 192.0.2.1", "IP4"),
        ("IN IP6 2001:db8::1", "IP6"),
        ("in ip4 192.0.2.1", "IP4"),
        ("IN IP4 2001:db8::1", "IP6"),
        ("IN IP6 192.0.2.1", "IP4"),
        ("IN IP6 host.example.com", "IP6"),
        ("AF IP4 127.0.0.1", None),
        ("IN NSAP 47.0091.8100", None),
        ("TN RFC2543 +1-201-406-4090", None),
    ],
)
def test_the_family_of_an_address(text: str, family: str | None) -> None:
    assert Connection.parse(text).family == family


def test_the_addresses_that_mean_send_me_nothing() -> None:
    addresses = ["0.0.0.0", "::", "hold.invalid", "HOLD.Invalid.", "192.0.2.1", "::1", "invalid.example.com"]
    nowhere = [Connection(address).nowhere for address in addresses]
    assert nowhere == [True, True, True, True, False, False, False]


def test_multicast_addresses() -> None:
    addresses = ["224.0.0.1", "239.255.255.255", "FF15::101", "223.0.0.1", "240.0.0.1", "fe80::1", "host"]
    multicast = [Connection(address).multicast for address in addresses]
    assert multicast == [True, True, True, False, False, False, False]


# m=


@pytest.mark.parametrize(
    "text",
    [
        "",
        "audio",
        "audio 49170",
        "audio x RTP/AVP 0",
        "audio -1 RTP/AVP 0",
        "audio 65536 RTP/AVP 0",
        "audio 49170/ RTP/AVP 0",
        "audio 49170/0 RTP/AVP 0",
        "audio 49170/2/2 RTP/AVP 0",
        "audio $ RTP/AVP 0",
    ],
)
def test_a_media_line_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        MediaLine.parse(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("audio 49170 RTP/AVP 0 8 97", MediaLine("audio", 49170, "RTP/AVP", ("0", "8", "97"))),
        ("audio 5000/2 RTP/AVP 0", MediaLine("audio", 5000, "RTP/AVP", ("0",), count=2)),
        ("image 5004 udptl t38", MediaLine("image", 5004, "udptl", ("t38",))),
        ("video 0 UDP/TLS/RTP/SAVPF 96", MediaLine("video", 0, "UDP/TLS/RTP/SAVPF", ("96",))),
        ("message 7654 TCP/MSRP *", MediaLine("message", 7654, "TCP/MSRP", ("*",))),
    ],
)
def test_a_media_line(text: str, line: MediaLine) -> None:
    assert MediaLine.parse(text) == line
    assert str(line) == text


def test_a_rejected_media_line_without_formats_is_read() -> None:
    assert MediaLine.parse("video 0 RTP/AVP") == MediaLine("video", 0, "RTP/AVP", ())


# b= t= a=


@pytest.mark.parametrize("text", ["", "AS", "AS:", ":64", "A S:64", "AS :64", "AS:64.5", "AS:-1", "AS:x"])
def test_a_bandwidth_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        Bandwidth.parse(text)


def test_a_bandwidth() -> None:
    assert Bandwidth.parse("TIAS:64000") == Bandwidth("TIAS", 64000)
    assert str(Bandwidth("X-YZ", 128)) == "X-YZ:128"


@pytest.mark.parametrize("text", ["", "0", "0 0 0", "0 x", "x 0"])
def test_a_timing_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        Timing.parse(text)


def test_a_timing() -> None:
    assert Timing.parse("3724394400 3724398000") == Timing(3724394400, 3724398000)
    assert str(Timing(0, 0)) == "0 0"


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("rtcp-mux", Attribute("rtcp-mux")),
        ("orient:", Attribute("orient", "")),
        ("rtpmap:99 h263-1998/90000", Attribute("rtpmap", "99 h263-1998/90000")),
        ("ice-pwd:a:b", Attribute("ice-pwd", "a:b")),
    ],
)
def test_an_attribute(text: str, attribute: Attribute) -> None:
    assert Attribute.parse(text) == attribute
    assert str(attribute) == text


def test_an_attribute_is_read_with_blanks_around_it() -> None:
    assert Attribute.parse(" sendrecv ") == Attribute("sendrecv")
    assert Attribute.parse("ptime: 20 ") == Attribute("ptime", "20")


@pytest.mark.parametrize("text", ["", " ", ":", ":x", "rtpmap0 PCMU/8000", "two words:x"])
def test_an_attribute_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        Attribute.parse(text)


@pytest.mark.parametrize("field", [Attribute, Bandwidth, Connection, MediaLine, Origin, Timing])
@given(text=st.text("a0 1:/.=-\tIN", max_size=20) | st.text(max_size=20))
def test_what_was_read_can_be_written(field: type[Attribute | Bandwidth], text: str) -> None:
    with suppress(ParseError):
        value = field.parse(text)
        assert field.parse(str(value)) == value
