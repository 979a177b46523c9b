"""Codecs: a=rtpmap, a=fmtp and the static payload types (RFC 3551, RFC 8866 §6.6, §6.15)."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.sdp import STATIC_CODECS, Codec
from sipstack.sdp.codec import read_codecs

EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")


def test_the_static_payload_types_of_rfc_3551() -> None:
    assert {
        number: (codec.name, codec.clock_rate, codec.channels) for number, codec in STATIC_CODECS.items()
    } == {
        0: ("PCMU", 8000, 1),
        3: ("GSM", 8000, 1),
        4: ("G723", 8000, 1),
        5: ("DVI4", 8000, 1),
        6: ("DVI4", 16000, 1),
        7: ("LPC", 8000, 1),
        8: ("PCMA", 8000, 1),
        9: ("G722", 8000, 1),
        10: ("L16", 44100, 2),
        11: ("L16", 44100, 1),
        12: ("QCELP", 8000, 1),
        13: ("CN", 8000, 1),
        14: ("MPA", 90000, 1),
        15: ("G728", 8000, 1),
        16: ("DVI4", 11025, 1),
        17: ("DVI4", 22050, 1),
        18: ("G729", 8000, 1),
        25: ("CelB", 90000, 1),
        26: ("JPEG", 90000, 1),
        28: ("nv", 90000, 1),
        31: ("H261", 90000, 1),
        32: ("MPV", 90000, 1),
        33: ("MP2T", 90000, 1),
        34: ("H263", 90000, 1),
    }
    assert all(codec.payload_type == number for number, codec in STATIC_CODECS.items())


# Reading


@pytest.mark.parametrize(
    "rtpmap",
    [
        "97",
        "97 iLBC",
        "97 iLBC/",
        "97 iLBC/x",
        "97 iLBC/0",
        "97 iLBC/-8000",
        "97 /8000",
        "97 iLBC/8000/0",
        "x iLBC/8000",
    ],
)
def test_an_rtpmap_that_cannot_be_read_leaves_its_number_unknown(rtpmap: str) -> None:
    assert read_codecs(("97", "0"), (rtpmap,), ()) == (STATIC_CODECS[0],)


def test_an_rtpmap_that_cannot_be_read_does_not_hide_a_static_type() -> None:
    """As in RFC 4475 §3.1.1.1: a=rtpmap:31 LPC."""
    assert read_codecs(("31",), ("31 LPC",), ()) == (STATIC_CODECS[31],)


@pytest.mark.parametrize("number", ["128", "-1", "x", "*", "t38"])
def test_what_is_no_payload_type_number_is_left_out(number: str) -> None:
    assert read_codecs((number, "8"), (f"{number} X/8000",), ()) == (STATIC_CODECS[8],)


def test_an_rtpmap_goes_before_the_static_meaning() -> None:
    assert read_codecs(("9",), ("9 G722/16000",), ()) == (Codec(9, "G722", 16000),)


def test_the_order_is_that_of_the_m_line() -> None:
    codecs = read_codecs(("101", "8", "111"), ("111 opus/48000/2", "101 telephone-event/8000"), ("101 0-16",))
    assert codecs == (EVENTS, STATIC_CODECS[8], Codec(111, "opus", 48000, 2))


def test_the_first_of_two_lines_for_a_number_counts() -> None:
    codecs = read_codecs(("96",), ("96 opus/48000/2", "96 speex/8000"), ("96 a=1", "96 b=2"))
    assert codecs == (Codec(96, "opus", 48000, 2, "a=1"),)


def test_fmtp_of_a_static_type_and_of_a_number_that_is_not_offered() -> None:
    codecs = read_codecs(("18",), (), ("18 annexb=no", "99 x=1"))
    assert codecs == (Codec(18, "G729", 8000, 1, "annexb=no"),)


def test_the_payload_numbers_that_look_like_rtcp_are_read() -> None:
    assert read_codecs(("72",), ("72 X-a/8000",), ()) == (Codec(72, "X-a", 8000),)


# The value


@pytest.mark.parametrize(
    ("fmtp", "parameters"),
    [
        ("", {}),
        ("0-16", {"0-16": ""}),
        ("0-11,66,70", {"0-11,66,70": ""}),
        ("minptime=10;useinbandfec=1", {"minptime": "10", "useinbandfec": "1"}),
        ("minptime=10; useinbandfec=1", {"minptime": "10", "useinbandfec": "1"}),
        (" Mode = 20 ;; OCTET-ALIGN=1; ", {"mode": "20", "octet-align": "1"}),
        ("config=a=b==", {"config": "a=b=="}),
        (";=;", {}),
    ],
)
def test_format_parameters_in_any_spelling(fmtp: str, parameters: dict[str, str]) -> None:
    assert Codec(96, "x", 8000, 1, fmtp).parameters == parameters


def test_codecs_are_the_same_by_name_clock_and_channels() -> None:
    opus = Codec(111, "opus", 48000, 2, "useinbandfec=1")
    assert opus.key == Codec(96, "OPUS", 48000, 2).key
    others = [Codec(111, "opus", 48000), Codec(111, "opus", 16000, 2), Codec(111, "speex", 48000, 2)]
    assert opus.key not in [codec.key for codec in others]


def test_packings_that_share_a_name_are_not_the_same_codec() -> None:
    aligned = Codec(96, "AMR-WB", 16000, 1, "mode-set=8; octet-align=1")
    efficient = Codec(97, "AMR-WB", 16000)
    assert aligned.key == Codec(98, "amr-wb", 16000, 1, "octet-align=1").key
    assert efficient.key == Codec(98, "AMR-WB", 16000, 1, "octet-align=0").key
    assert aligned.key != efficient.key


def test_what_goes_beside_a_codec() -> None:
    codecs = [EVENTS, STATIC_CODECS[13], STATIC_CODECS[0]]
    assert [(codec.auxiliary, codec.telephone_event) for codec in codecs] == [
        (True, True),
        (True, False),
        (False, False),
    ]


# Writing


@pytest.mark.parametrize(
    ("codec", "lines"),
    [
        (STATIC_CODECS[0], ("a=rtpmap:0 PCMU/8000",)),
        (EVENTS, ("a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16")),
        (Codec(111, "opus", 48000, 2), ("a=rtpmap:111 opus/48000/2",)),
    ],
)
def test_the_lines_of_a_codec(codec: Codec, lines: tuple[str, ...]) -> None:
    assert codec.lines() == lines


@pytest.mark.parametrize("codec", [Codec(128, "x", 8000), Codec(-1, "x", 8000), Codec(96, "a b", 8000)])
def test_a_codec_that_cannot_be_written(codec: Codec) -> None:
    with pytest.raises(LocalProtocolError):
        codec.lines()


def test_another_number_for_the_same_codec() -> None:
    assert EVENTS.numbered(97) == Codec(97, "telephone-event", 8000, 1, "0-16")
