"""RFC 3550 §5.1: the RTP data packet, and what a hostile one may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.rtp.packet import Extension, RtpPacket

PLAIN = bytes.fromhex("8000 1234 00000abc deadbeef") + b"payload"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param(b"", "RTP packet of 0 octets", id="empty"),
        pytest.param(PLAIN[:11], "RTP packet of 11 octets", id="header cut"),
        pytest.param(b"\x00" + PLAIN[1:], "RTP version 0", id="version 0 (STUN)"),
        pytest.param(b"\x40" + PLAIN[1:], "RTP version 1", id="version 1"),
        pytest.param(b"\xc0" + PLAIN[1:], "RTP version 3", id="version 3"),
        pytest.param(
            b"\x8f" + PLAIN[1:], "RTP packet ends in the CSRC list", id="15 CSRCs that are not there"
        ),
        pytest.param(
            b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00",
            "RTP packet ends in the header extension",
            id="extension cut",
        ),
        pytest.param(
            b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00\x02" + bytes(7),
            "RTP header extension is longer than the packet",
            id="extension longer than the packet",
        ),
        pytest.param(
            b"\x90" + PLAIN[1:12] + b"\xbe\xde\xff\xff" + bytes(200),
            "RTP header extension is longer than the packet",
            id="extension of 64 KiB words",
        ),
        pytest.param(
            b"\xa0" + PLAIN[1:12] + b"abc\x00",
            "RTP padding of 0 octets in a payload of 4",
            id="padding count 0",
        ),
        pytest.param(
            b"\xa0" + PLAIN[1:12] + b"abc\x05",
            "RTP padding of 5 octets in a payload of 4",
            id="padding reaches into the header",
        ),
        pytest.param(
            b"\xa0" + PLAIN[1:12], "RTP padding of 239 octets in a payload of 0", id="padding without payload"
        ),
    ],
)
def test_what_is_not_rtp_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        RtpPacket.parse(data)
    assert str(caught.value) == complaint


def test_a_plain_packet() -> None:
    packet = RtpPacket(
        payload_type=0, sequence_number=0x1234, timestamp=0xABC, ssrc=0xDEADBEEF, payload=b"payload"
    )
    assert RtpPacket.parse(PLAIN) == packet
    assert bytes(packet) == PLAIN


def test_all_that_a_header_can_hold() -> None:
    data = (
        bytes.fromhex("b2 e5 ffff ffffffff 00000001 00000002 00000003 bede 0001 10203040")
        + b"sound\x00\x00\x03"
    )
    packet = RtpPacket(
        payload_type=101,
        sequence_number=0xFFFF,
        timestamp=0xFFFFFFFF,
        ssrc=1,
        payload=b"sound",
        marker=True,
        csrc=(2, 3),
        extension=Extension(0xBEDE, bytes.fromhex("10203040")),
        padding=3,
    )
    assert RtpPacket.parse(data) == packet
    assert bytes(packet) == data


def test_padding_may_be_all_of_the_payload() -> None:
    assert RtpPacket.parse(b"\xa0" + PLAIN[1:12] + b"\x00\x00\x00\x04") == RtpPacket(
        0, 0x1234, 0xABC, 0xDEADBEEF, b"", padding=4
    )


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(RtpPacket(128, 0, 0, 0), id="payload type"),
        pytest.param(RtpPacket(0, 0x10000, 0, 0), id="sequence number"),
        pytest.param(RtpPacket(0, 0, -1, 0), id="timestamp"),
        pytest.param(RtpPacket(0, 0, 0, 0, csrc=tuple(range(16))), id="16 CSRCs"),
        pytest.param(RtpPacket(0, 0, 0, 0, csrc=(1 << 32,)), id="CSRC"),
        pytest.param(RtpPacket(0, 0, 0, 0, padding=256), id="padding"),
        pytest.param(RtpPacket(0, 0, 0, 0, extension=Extension(0xBEDE, b"abc")), id="extension of 3 octets"),
    ],
)
def test_what_does_not_fit_is_not_written(packet: RtpPacket) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each row has its own text
        bytes(packet)


packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=40),
    marker=st.booleans(),
    csrc=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.builds(
        Extension, st.integers(0, 0xFFFF), st.binary(max_size=8).map(lambda data: data[: len(data) & ~3])
    ),
    padding=st.integers(0, 255),
)


@given(packets)
def test_parse_is_the_inverse_of_bytes(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=64) | packets.map(lambda packet: bytes(packet)[:-1]))
def test_any_octets_are_a_packet_that_is_written_back_or_a_parse_error(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ParseError:
        return
    written = bytes(packet)
    # Padding octets other than the count have no meaning and are not kept.
    assert len(written) == len(data)
    assert written[: len(written) - packet.padding] == data[: len(data) - packet.padding]
