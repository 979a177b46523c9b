"""RFC 3550 §6: RTCP compounds, and the validity checks of appendix A.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.rtp import rtcp
from sipstack.rtp.rtcp import (
    Bye,
    Chunk,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    Unknown,
)

BLOCK = ReportBlock(
    ssrc=0x01020304,
    fraction_lost=64,
    cumulative_lost=-2,
    highest_sequence_number=0x0001FFFF,
    jitter=17,
    last_sr=0xAABBCCDD,
    delay_since_last_sr=0x00018000,
)
BLOCK_HEX = "01020304 40fffffe 0001ffff 00000011 aabbccdd 00018000"
RR = bytes.fromhex("80c9 0001 0000000a")


@pytest.mark.parametrize(
    ("wire", "complaint"),
    [
        pytest.param("", "empty RTCP compound", id="nothing"),
        pytest.param("80c900", "RTCP packet ends in its header", id="header cut"),
        pytest.param("00c90001 0000000a", "RTCP version 0", id="version 0"),
        pytest.param("80c90002 0000000a", "RTCP packet is longer than the datagram", id="length lies"),
        pytest.param("80c9ffff 0000000a", "RTCP packet is longer than the datagram", id="length of 256 KiB"),
        pytest.param("80c90001 0000000a 80ca", "RTCP packet ends in its header", id="second header cut"),
        pytest.param("80c90000", "RTCP RR is too short", id="RR without SSRC"),
        pytest.param("80c80001 0000000a", "RTCP SR is too short", id="SR without sender information"),
        pytest.param(
            "9fc90001 0000000a",
            "RTCP report blocks are longer than the packet",
            id="31 blocks that are not there",
        ),
        pytest.param("81ca0000", "RTCP SDES chunk is too short", id="SDES without its chunk"),
        pytest.param("81ca0001 0000000a", "RTCP SDES chunk has no end", id="SDES chunk without an end"),
        pytest.param(
            "81ca0002 0000000a 01ff6162", "RTCP SDES item is longer than the packet", id="SDES item lies"
        ),
        pytest.param(
            "81ca0002 0000000a 01016101", "RTCP SDES item is longer than the packet", id="SDES item cut"
        ),
        pytest.param("82cb0001 0000000a", "RTCP BYE is too short", id="BYE of two, one there"),
        pytest.param(
            "81cb0002 0000000a 04616263", "RTCP BYE reason is longer than the packet", id="reason lies"
        ),
        pytest.param(
            "a0c90002 0000000a 00000004 80c90001 0000000b",
            "only the last RTCP packet of a compound may be padded",
            id="padding in the middle",
        ),
        pytest.param(
            "a0c90002 0000000a 00000000", "RTCP padding does not fit the packet", id="padding count 0"
        ),
        pytest.param("a0c90002 0000000a 00000003", "RTCP padding does not fit the packet", id="padding of 3"),
        pytest.param(
            "a0c90002 0000000a 0000000c", "RTCP padding does not fit the packet", id="padding over the body"
        ),
        pytest.param("a0c90000", "RTCP padding does not fit the packet", id="padding without a body"),
    ],
)
def test_a_broken_compound_is_refused_as_a_whole(wire: str, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        rtcp.parse(bytes.fromhex(wire))
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("wire", "packet"),
    [
        pytest.param("80c90001 0000000a", ReceiverReport(10), id="empty RR"),
        pytest.param(f"81c90007 0000000a {BLOCK_HEX}", ReceiverReport(10, (BLOCK,)), id="RR"),
        pytest.param(
            f"81c8000c 0000000a 00000001 80000000 00000140 00000005 00000320 {BLOCK_HEX}",
            SenderReport(10, 0x1_8000_0000, 320, 5, 800, (BLOCK,)),
            id="SR",
        ),
        pytest.param(
            "81ca0003 0000000a 0103 614062 000000", SourceDescription((Chunk(10, ((1, "a@b"),)),)), id="SDES"
        ),
        pytest.param(
            "82ca0006 0000000a 0101 61 0201 62 0000 0000000b 0102 6364 00000000",
            SourceDescription((Chunk(10, ((1, "a"), (2, "b"))), Chunk(11, ((1, "cd"),)))),
            id="SDES of two sources",
        ),
        pytest.param("81ca0002 0000000a 00000000", SourceDescription((Chunk(10),)), id="SDES without items"),
        pytest.param("81cb0001 0000000a", Bye((10,)), id="BYE"),
        pytest.param(
            "82cb0004 0000000a 0000000b 04 74686520 000000", Bye((10, 11), "the "), id="BYE, reason"
        ),
        pytest.param("80cb0000", Bye(), id="BYE of nobody"),
        pytest.param("85ce0001 cafebabe", Unknown(206, 5, b"\xca\xfe\xba\xbe"), id="feedback"),
    ],
)
def test_each_packet_type_on_the_wire(wire: str, packet: rtcp.RtcpPacket) -> None:
    assert rtcp.parse(bytes.fromhex(wire)) == (packet,)
    assert rtcp.write([packet]) == bytes.fromhex(wire)


def test_a_compound_keeps_its_order_and_skips_nothing() -> None:
    packets = (
        ReceiverReport(1),
        SourceDescription((Chunk(1, ((1, "x"),)),)),
        Unknown(206, 0, bytes(8)),
        Bye((1,)),
    )
    assert rtcp.parse(rtcp.write(packets)) == packets


def test_padding_at_the_end_is_dropped() -> None:
    assert rtcp.parse(RR + bytes.fromhex("a0c90003 0000000b 00000000 00000008")) == (
        ReceiverReport(10),
        ReceiverReport(11),
    )


def test_the_extension_of_a_profile_behind_the_blocks_is_ignored() -> None:
    assert rtcp.parse(bytes.fromhex("80c90002 0000000a 12345678")) == (ReceiverReport(10),)


def test_a_text_that_is_not_utf_8_survives() -> None:
    wire = bytes.fromhex("81ca0003 0000000a 0103 ff4062 000000")
    assert rtcp.write(rtcp.parse(wire)) == wire


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 255 octets"):
        rtcp.write([Bye((1,), "x" * 256)])
    with pytest.raises(ValueError, match="31 is the limit"):
        rtcp.write([Bye(tuple(range(32)))])


numbers = st.integers(0, 0xFFFFFFFF)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20)
blocks = st.lists(
    st.builds(
        ReportBlock,
        numbers,
        st.integers(0, 255),
        st.integers(-0x800000, 0x7FFFFF),
        numbers,
        numbers,
        numbers,
        numbers,
    ),
    max_size=3,
).map(tuple)
chunks = st.builds(Chunk, numbers, st.lists(st.tuples(st.integers(1, 255), texts), max_size=3).map(tuple))
compounds = st.lists(
    st.builds(SenderReport, numbers, st.integers(0, 2**64 - 1), numbers, numbers, numbers, blocks)
    | st.builds(ReceiverReport, numbers, blocks)
    | st.builds(SourceDescription, st.lists(chunks, max_size=3).map(tuple))
    | st.builds(Bye, st.lists(numbers, max_size=3).map(tuple), texts)
    | st.builds(
        Unknown,
        st.sampled_from([204, 205, 206, *range(208, 256)]),
        st.integers(0, 31),
        st.binary(max_size=12).map(lambda data: data[: len(data) & ~3]),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(compounds)
def test_parse_is_the_inverse_of_write(packets: tuple[rtcp.RtcpPacket, ...]) -> None:
    assert rtcp.parse(rtcp.write(packets)) == packets


@given(
    st.binary(max_size=80)
    | st.tuples(compounds, st.integers(1, 20)).map(lambda cut: rtcp.write(cut[0])[: -cut[1]])
)
def test_any_octets_are_a_compound_or_a_parse_error(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except ParseError:
        return
    assert rtcp.parse(rtcp.write(packets)) == packets
