"""What session part and media part share: raw lines, their views, and changed copies."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp import Attribute, Bandwidth, Connection, Direction, MediaDescription, parse, section

OFFER = """v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
t=0 0
m=audio 4000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""

AUDIO = MediaDescription(
    (
        "m=audio 49170 RTP/AVP 0",
        "i=the floor",
        "c=IN IP4 192.0.2.1",
        "c=IN IP4 192.0.2.2",
        "b=AS:64",
        "b=nonsense",
        "b=TIAS:64000",
        "X=kept",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:a",
        "a=rtcp-mux",
        "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:b",
        "a=sendonly",
    )
)


# Lines that cannot be


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\r\na=sendrecv"])
def test_a_value_cannot_smuggle_in_a_line(character: str) -> None:
    with pytest.raises(LocalProtocolError):
        MediaDescription(("m=audio 49170 RTP/AVP 0", f"a=x{character}y"))
    with pytest.raises(LocalProtocolError):
        AUDIO.with_attribute("x", f"1{character}2")


@pytest.mark.parametrize("line", ["", "a", "a :x", "=x", "1=x", "é=x", " a=x"])
def test_a_line_is_a_letter_an_equals_sign_and_a_value(line: str) -> None:
    with pytest.raises(LocalProtocolError):
        MediaDescription(("m=audio 49170 RTP/AVP 0", line))


def test_an_m_line_that_cannot_be_read() -> None:
    with pytest.raises(ParseError):
        MediaDescription(("m=audio",))


@pytest.mark.parametrize("name", ["", "two words", "x\r\nm=audio 1 RTP/AVP 0"])
def test_an_attribute_name_is_a_token(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        AUDIO.with_attribute(name, "1")


# Views


def test_the_typed_views() -> None:
    assert AUDIO.types == "miccbbbXaaaa"
    assert AUDIO.information == "the floor"
    assert AUDIO.connections == (Connection("192.0.2.1"), Connection("192.0.2.2"))
    assert AUDIO.connection == Connection("192.0.2.1")
    assert AUDIO.bandwidths == (Bandwidth("AS", 64), Bandwidth("TIAS", 64000))
    assert AUDIO.direction is Direction.SENDONLY
    assert AUDIO.attributes == (
        Attribute("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:a"),
        Attribute("rtcp-mux"),
        Attribute("crypto", "2 AES_CM_128_HMAC_SHA1_32 inline:b"),
        Attribute("sendonly"),
    )
    assert AUDIO.values("X") == ("kept",)
    assert AUDIO.values("b") == ("AS:64", "nonsense", "TIAS:64000")


def test_lines_that_cannot_be_read_are_kept_and_left_out_of_the_views() -> None:
    lines = ("m=audio 49170 RTP/AVP 0", "c=nowhere", "b=A S:64", "a=rtpmap0 PCMU/8000", "a=:x", "a=", "a=x")
    medium = MediaDescription(lines)
    assert (medium.connections, medium.bandwidths, medium.attributes) == ((), (), (Attribute("x"),))
    assert medium.with_attribute("y", "1").lines == (*lines, "a=y:1")


def test_attributes_by_name() -> None:
    assert AUDIO.attribute("crypto") == "1 AES_CM_128_HMAC_SHA1_80 inline:a"
    assert AUDIO.attribute("rtcp-mux") == ""
    assert AUDIO.attribute("ptime") is None
    assert AUDIO.attribute_values("crypto") == (
        "1 AES_CM_128_HMAC_SHA1_80 inline:a",
        "2 AES_CM_128_HMAC_SHA1_32 inline:b",
    )
    assert AUDIO.attribute_values("candidate") == ()


def test_what_is_not_there() -> None:
    bare = MediaDescription(("m=audio 49170 RTP/AVP 0",))
    assert (bare.information, bare.connection, bare.direction) == (None, None, None)
    assert (bare.bandwidths, bare.attributes, bare.values("a")) == ((), (), ())


# Changed copies


def test_lines_come_to_stand_where_the_grammar_wants_them() -> None:
    bare = MediaDescription(("m=audio 49170 RTP/AVP 0", "k=prompt", "a=sendrecv"))
    assert bare.with_connection(Connection("2001:db8::1")).lines == (
        "m=audio 49170 RTP/AVP 0",
        "c=IN IP6 2001:db8::1",
        "k=prompt",
        "a=sendrecv",
    )
    assert bare.with_lines("b", "AS:64", "RR:0").lines == (
        "m=audio 49170 RTP/AVP 0",
        "b=AS:64",
        "b=RR:0",
        "k=prompt",
        "a=sendrecv",
    )
    assert bare.with_lines("X", "1").lines == (*bare.lines, "X=1")
    assert bare.with_lines("k").lines == ("m=audio 49170 RTP/AVP 0", "a=sendrecv")


def test_an_attribute_is_replaced_not_added() -> None:
    bare = MediaDescription(("m=audio 49170 RTP/AVP 0", "a=ptime:20", "a=ptime:30", "a=sendrecv"))
    assert bare.with_attribute("ptime", "40").lines == (
        "m=audio 49170 RTP/AVP 0",
        "a=sendrecv",
        "a=ptime:40",
    )
    assert bare.without_attribute("ptime").lines == ("m=audio 49170 RTP/AVP 0", "a=sendrecv")
    assert bare.with_attribute("rtcp-mux").lines == (*bare.lines, "a=rtcp-mux")
    assert bare.with_attribute("crypto", "1 a", "2 b").lines == (*bare.lines, "a=crypto:1 a", "a=crypto:2 b")


def test_there_is_one_direction() -> None:
    lines = ("m=audio 49170 RTP/AVP 0", "a=sendonly ", "a=ptime:20", "a=inactive")
    assert MediaDescription(lines).with_direction(Direction.RECVONLY).lines == (
        "m=audio 49170 RTP/AVP 0",
        "a=ptime:20",
        "a=recvonly",
    )


def test_the_original_stays_as_it_was() -> None:
    lines = AUDIO.lines
    AUDIO.with_direction(Direction.INACTIVE)
    assert AUDIO.lines is lines
    assert AUDIO.direction is Direction.SENDONLY


def test_lines_that_come_again_are_read_once() -> None:
    one, two = (parse(OFFER.replace("4000", port)) for port in ("4002", "4004"))
    assert one.media[0].port != two.media[0].port
    assert one.media[0].codecs is two.media[0].codecs


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0",
        "a=key-mgmt:mikey c2VjcmV0",
        "k=base64:c2VjcmV0",
        "a=ice-pwd:c2VjcmV0c2VjcmV0c2VjcmV0",
        f"a=x:{'x' * 600}",
    ],
)
def test_keys_and_what_is_long_are_not_kept(line: str) -> None:
    parse(OFFER)
    before = section._known_views.cache_info()
    assert parse(f"{OFFER}{line}\n").media[0].lines[-1] == line
    after = section._known_views.cache_info()
    assert (after.misses, after.currsize) == (before.misses, before.currsize)
