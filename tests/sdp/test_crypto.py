"""a=crypto (RFC 4568): what is read, what is passed over, what is written, and that no key is ever shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack import sdp
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.crypto import LONGEST_LIFETIME, LONGEST_LINE, SUITES, Crypto, usable
from tests.sdp import endpoints

SHA1_80, GCM_256, GCM_128, SHA1_32 = SUITES
KEY = base64.b64encode(bytes(range(30))).decode()


def octets(suite: str) -> bytes:
    return bytes(range(SUITES[suite]))


def test_the_example_of_rfc_4568_section_4() -> None:
    line = Crypto.parse("1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32")
    assert (line.tag, line.suite, line.lifetime, line.mki) == (1, SHA1_80, 2**20, "1:32")
    assert line.key == b"=-n@%^x!Bjufr9)?,#5h\\`=&]{qiPQ"
    assert line.parameters == ()


@pytest.mark.parametrize(
    ("info", "lifetime", "mki"),
    [
        ("", None, None),
        ("|2^48", LONGEST_LIFETIME, None),
        ("|2^0", 1, None),
        ("|1048576", 1048576, None),
        ("|1:4", None, "1:4"),
        ("|2^20|1:4", 2**20, "1:4"),
    ],
)
def test_lifetime_and_mki_are_there_or_not(info: str, lifetime: int | None, mki: str | None) -> None:
    line = Crypto.parse(f"1 {SHA1_80} inline:{KEY}{info}")
    assert (line.lifetime, line.mki, line.is_ours) == (lifetime, mki, mki is None)


@pytest.mark.parametrize("suite", SUITES)
def test_a_line_of_ours_is_read_back_as_it_was(suite: str) -> None:
    line = Crypto(3, suite, octets(suite))
    attribute = line.attribute()
    assert (attribute.name, Crypto.parse(attribute.value or "")) == ("crypto", line)
    assert line.is_ours


@pytest.mark.parametrize("suite", [GCM_128, GCM_256])
def test_the_padding_of_the_key_may_be_left_out(suite: str) -> None:
    encoded = base64.b64encode(octets(suite)).decode()
    assert encoded.endswith("=")
    assert Crypto.parse(f"1 {suite} inline:{encoded.rstrip('=')}").key == octets(suite)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"1 {SHA1_80}",
        f"one {SHA1_80} inline:{KEY}",
        f"1234567890 {SHA1_80} inline:{KEY}",
        f"-1 {SHA1_80} inline:{KEY}",
        f"\u0661 {SHA1_80} inline:{KEY}",
        f"1 AES-CM inline:{KEY}",
        f"1 {SHA1_80} {KEY}",
        f"1 {SHA1_80} uri:{KEY}",
        f"1 {SHA1_80} inline:{KEY}!",
        f"1 {SHA1_80} inline:\u00e4{KEY}",
        f"1 {SHA1_80} inline:{KEY[:-3]}",
        f"1 {SHA1_80} inline:{KEY}|2^49",
        f"1 {SHA1_80} inline:{KEY}|0",
        f"1 {SHA1_80} inline:{KEY}|{LONGEST_LIFETIME + 1}",
        f"1 {SHA1_80} inline:{KEY}|soon",
        f"1 {SHA1_80} inline:{KEY}|",
        f"1 {SHA1_80} inline:{KEY}||1:4",
        f"1 {SHA1_80} inline:{KEY}|1:4|2^20",
        f"1 {SHA1_80} inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4",
        f"1 {SHA1_80} inline:{KEY} WSH=64\x01",
        f"1 {SHA1_80} inline:{KEY} " + "-x " * LONGEST_LINE,
    ],
)
def test_what_cannot_be_read_is_told_without_the_key(text: str) -> None:
    with pytest.raises(ParseError) as refusal:
        Crypto.parse(text)
    assert KEY[:8] not in str(refusal.value)
    assert list(usable([text])) == []


@pytest.mark.parametrize(
    "parameter",
    ["UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=0", "FEC_ORDER=FEC_SRTP", "NEW"],
)
def test_a_session_parameter_that_we_cannot_do_makes_the_line_no_use(parameter: str) -> None:
    """The three of them that leave something unprotected are never done (RFC 4568 §6.3)."""
    assert not Crypto.parse(f"1 {SHA1_80} inline:{KEY} {parameter}").is_ours


@pytest.mark.parametrize("parameters", ["WSH=64", "wsh=1024", "-NEW=7", "-x WSH=128"])
def test_hints_may_be_passed_over(parameters: str) -> None:
    line = Crypto.parse(f"1 {SHA1_80} inline:{KEY} {parameters}")
    assert (line.parameters, line.is_ours) == (tuple(parameters.split()), True)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_key_of_another_length_than_the_suite_s_is_no_use(suite: str, change: int) -> None:
    line = Crypto(1, suite, bytes(SUITES[suite] + change))
    assert not line.is_ours
    with pytest.raises(LocalProtocolError, match="no key"):
        line.attribute()


def test_of_several_lines_those_that_we_can_do_are_left_in_the_peer_s_order() -> None:
    gcm = base64.b64encode(octets(GCM_128)).decode()
    lines = [
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"2 {SHA1_80} inline:{KEY}|2^20|1:4",
        f"3 {SHA1_80} inline:{KEY} UNENCRYPTED_SRTP",
        f"4 {SHA1_32} inline:{KEY}|2^31",
        "5 nonsense",
        f"6 {GCM_128} inline:{gcm}",
        f"7 {GCM_256} inline:{gcm}",
        f"8 {SHA1_80} inline:{KEY}",
    ]
    assert [(line.tag, line.suite) for line in usable(lines)] == [
        (4, SHA1_32),
        (6, GCM_128),
        (8, SHA1_80),
    ]


@given(
    st.text(max_size=200)
    | st.from_regex(r"[0-9]{1,9} [A-Z0-9_]+ inline:[A-Za-z0-9+/=|^:; ]*", fullmatch=True)
)
def test_any_text_is_a_line_or_a_parse_error(text: str) -> None:
    try:
        line = Crypto.parse(text)
    except ParseError:
        return
    assert 0 <= line.tag <= 999_999_999
    assert line.lifetime is None or 0 < line.lifetime <= LONGEST_LIFETIME


@given(st.binary(min_size=30, max_size=30))
def test_no_repr_shows_a_key(key: bytes) -> None:
    line = Crypto(1, SHA1_80, key)
    encoded = base64.b64encode(key).decode()
    attribute = line.attribute()
    text = (
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 0\r\na={attribute}|2^20;inline:{encoded}"
    )
    description = sdp.parse(text)
    for shown in (repr(line), repr(attribute), repr(description), repr(description.media[0])):
        assert encoded not in shown
        assert repr(key)[2:-1] not in shown
        assert SHA1_80 in shown
    assert encoded in str(description)


def test_a_line_that_is_no_sdp_is_told_without_its_key() -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        sdp.MediaDescription((f"m=audio 1 RTP/SAVP 0 inline:{KEY}", f"a crypto inline:{KEY}"))
    assert KEY[:8] not in str(refusal.value)


def test_the_old_k_line_is_hidden_too() -> None:
    description = sdp.parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nk=clear:hidden\r\nm=audio 4000 RTP/AVP 0")
    assert "hidden" not in repr(description)
    assert description.values("k") == ("clear:hidden",)


def test_the_desk_phone_s_line_has_an_mki() -> None:
    """So it is passed over, and the phone's second m-line, plain RTP, is the one to take."""
    medium = sdp.parse(endpoints.DESK_PHONE).media[0]
    assert list(usable(medium.attribute_values("crypto"))) == []
