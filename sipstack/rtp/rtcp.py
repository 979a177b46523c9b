"""RTCP packets and compounds of them (RFC 3550 §6)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import attrs

from sipstack.errors import ParseError
from sipstack.rtp.extended_report import XR, ExtendedReport

SR, RR, SDES, BYE = 200, 201, 202, 203
CNAME = 1

_HEADER = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")


@attrs.frozen
class ReportBlock:
    """What a receiver says of one source (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Of the packets expected since the last report, in 1/256."""
    cumulative_lost: int
    """Signed, 24 bits: duplicates make it negative."""
    highest_sequence_number: int
    """Extended: cycles in the upper 16 bits."""
    jitter: int
    """In timestamp units."""
    last_sr: int = 0
    """The middle 32 bits of the NTP time in the last SR; 0 for none."""
    delay_since_last_sr: int = 0
    """In 1/65536 s."""


@attrs.frozen
class SenderReport:
    """SR: ``ntp_time`` is 32.32 fixed point, and the same instant as ``rtp_timestamp``."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@attrs.frozen
class ReceiverReport:
    """RR."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@attrs.frozen
class Chunk:
    """The SDES items of one source: (item type, text), CNAME being type 1."""

    ssrc: int
    items: tuple[tuple[int, str], ...] = ()


@attrs.frozen
class SourceDescription:
    """SDES."""

    chunks: tuple[Chunk, ...] = ()


@attrs.frozen
class Bye:
    """BYE: these sources send no more."""

    sources: tuple[int, ...] = ()
    reason: str = ""


@attrs.frozen
class Unknown:
    """Any other packet type (APP, feedback), kept as it came."""

    packet_type: int
    count: int
    body: bytes = b""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye | ExtendedReport | Unknown


def parse(data: bytes) -> tuple[RtcpPacket, ...]:
    """The packets of one compound. Raises ParseError (RFC 3550 appendix A.2's checks).

    A compound need not begin with SR or RR: RFC 5506 allows reduced-size ones.
    """
    packets: list[RtcpPacket] = []
    position = 0
    while position < len(data):
        if len(data) < position + 4:
            raise ParseError("RTCP packet ends in its header")
        first, packet_type, words = _HEADER.unpack_from(data, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2:
            raise ParseError(f"RTCP version {first >> 6}")
        if end > len(data):
            raise ParseError("RTCP packet is longer than the datagram")
        body = data[position + 4 : end]
        if first & 0x20:
            body = _without_padding(body, last=end == len(data))
        packets.append(_parse_body(packet_type, first & 0x1F, body))
        position = end
    if not packets:
        raise ParseError("empty RTCP compound")
    return tuple(packets)


def write(packets: Iterable[RtcpPacket]) -> bytes:
    """One datagram. Raises ValueError for texts over 255 octets or lists over 31 entries."""
    return b"".join(map(_write_packet, packets))


def _without_padding(body: bytes, *, last: bool) -> bytes:
    if not last:
        raise ParseError("only the last RTCP packet of a compound may be padded")
    if not body or not 4 <= body[-1] <= len(body) or body[-1] % 4:
        raise ParseError("RTCP padding does not fit the packet")
    return body[: -body[-1]]


def _parse_body(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    match packet_type:
        case 200:
            if len(body) < _SENDER_INFO.size:
                raise ParseError("RTCP SR is too short")
            ssrc, ntp_time, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
            blocks = _parse_blocks(body, _SENDER_INFO.size, count)
            return SenderReport(ssrc, ntp_time, timestamp, packets, octets, blocks)
        case 201:
            if len(body) < 4:
                raise ParseError("RTCP RR is too short")
            return ReceiverReport(int.from_bytes(body[:4], "big"), _parse_blocks(body, 4, count))
        case 202:
            return SourceDescription(_parse_chunks(body, count))
        case 203:
            return _parse_bye(body, count)
        case 207:
            return ExtendedReport.parse(body)
        case _:
            return Unknown(packet_type, count, body)


def _parse_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    # What follows the blocks is a profile's extension (§6.4.3), which we do not know.
    if len(body) < start + count * _BLOCK.size:
        raise ParseError("RTCP report blocks are longer than the packet")
    return tuple(_parse_block(body, start + index * _BLOCK.size) for index in range(count))


def _parse_block(body: bytes, start: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start)
    cumulative = loss & 0xFFFFFF
    if cumulative & 0x800000:
        cumulative -= 0x1000000
    return ReportBlock(ssrc, loss >> 24, cumulative, highest, jitter, last_sr, delay)


def _parse_chunks(body: bytes, count: int) -> tuple[Chunk, ...]:
    chunks = []
    position = 0
    for _ in range(count):
        if len(body) < position + 4:
            raise ParseError("RTCP SDES chunk is too short")
        ssrc = int.from_bytes(body[position : position + 4], "big")
        items, position = _parse_items(body, position + 4)
        chunks.append(Chunk(ssrc, items))
    return tuple(chunks)


def _parse_items(body: bytes, position: int) -> tuple[tuple[tuple[int, str], ...], int]:
    """The items from ``position`` on, and where the next chunk begins: a null item ends them (§6.5)."""
    items = []
    while position < len(body) and body[position]:
        end = position + 2 + body[position + 1] if position + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise ParseError("RTCP SDES item is longer than the packet")
        items.append((body[position], _text(body[position + 2 : end])))
        position = end
    if position >= len(body):
        raise ParseError("RTCP SDES chunk has no end")
    return tuple(items), position // 4 * 4 + 4


def _parse_bye(body: bytes, count: int) -> Bye:
    start = 4 * count
    if len(body) < start:
        raise ParseError("RTCP BYE is too short")
    sources = struct.unpack_from(f"!{count}I", body)
    if len(body) == start:
        return Bye(sources)
    end = start + 1 + body[start]
    if end > len(body):
        raise ParseError("RTCP BYE reason is longer than the packet")
    return Bye(sources, _text(body[start + 1 : end]))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _write_packet(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            info = _SENDER_INFO.pack(
                packet.ssrc, packet.ntp_time, packet.rtp_timestamp, packet.packet_count, packet.octet_count
            )
            return _framed(SR, len(packet.reports), info + _write_blocks(packet.reports))
        case ReceiverReport():
            return _framed(
                RR, len(packet.reports), struct.pack("!I", packet.ssrc) + _write_blocks(packet.reports)
            )
        case SourceDescription():
            return _framed(SDES, len(packet.chunks), b"".join(map(_write_chunk, packet.chunks)))
        case Bye():
            reason = _counted(packet.reason) if packet.reason else b""
            sources = struct.pack(f"!{len(packet.sources)}I", *packet.sources)
            return _framed(BYE, len(packet.sources), sources + reason + bytes(-len(reason) % 4))
        case ExtendedReport():
            return _framed(XR, 0, packet.body())
        case Unknown():
            return _framed(packet.packet_type, packet.count, packet.body)


def _framed(packet_type: int, count: int, body: bytes) -> bytes:
    if count > 31:
        raise ValueError(f"{count} entries in one RTCP packet, 31 is the limit")
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF,
            block.highest_sequence_number,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )


def _write_chunk(chunk: Chunk) -> bytes:
    items = b"".join(bytes([kind]) + _counted(text) for kind, text in chunk.items)
    return struct.pack("!I", chunk.ssrc) + items + bytes(4 - len(items) % 4)


def _counted(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > 255:
        raise ValueError("an RTCP text has at most 255 octets")
    return bytes([len(data)]) + data
