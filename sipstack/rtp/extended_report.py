"""RTCP extended reports (RFC 3611): of their blocks, that of VoIP metrics is read and written."""

from __future__ import annotations

import struct

import attrs

from sipstack.errors import ParseError

XR = 207
VOIP_METRICS = 7
UNAVAILABLE = 127
"""A level, an R factor or a score that was not measured."""
CONCEALED, ADAPTIVE = 0x80, 0x30
"""Of ``receiver_configuration``: enhanced concealment, an adaptive playout buffer."""

_HEADER = struct.Struct("!BBH")
_METRICS = struct.Struct("!I4B4H2b6BBxHHH")


@attrs.frozen
class VoipMetrics:
    """What a receiver says of one source since it began (§4.7)."""

    ssrc: int
    loss_rate: int = 0
    """Of the packets that were sent, in 1/256; ``discard_rate`` likewise, for those that came too late."""
    discard_rate: int = 0
    burst_density: int = 0
    """Losses and discards within bursts, in 1/256; ``gap_density`` likewise, between them."""
    gap_density: int = 0
    burst_duration: int = 0
    """Milliseconds, on average; ``gap_duration`` likewise."""
    gap_duration: int = 0
    round_trip_delay: int = 0
    """Milliseconds; 0 for unknown."""
    end_system_delay: int = 0
    """Milliseconds."""
    signal_level: int = UNAVAILABLE
    """dBm0; ``noise_level`` likewise, in silence."""
    noise_level: int = UNAVAILABLE
    residual_echo_return_loss: int = UNAVAILABLE
    gmin: int = 16
    r_factor: int = UNAVAILABLE
    """0 to 100; ``external_r_factor`` likewise, of another segment of the way."""
    external_r_factor: int = UNAVAILABLE
    mos_lq: int = UNAVAILABLE
    """Tenths, 10 to 50, without delay; ``mos_cq`` with it."""
    mos_cq: int = UNAVAILABLE
    receiver_configuration: int = 0
    buffer_nominal: int = 0
    """Milliseconds of the playout buffer; so are its maximum now, and the most that it can reach."""
    buffer_maximum: int = 0
    buffer_absolute_maximum: int = 0


@attrs.frozen
class Block:
    """Any other block, kept as it came."""

    block_type: int
    specific: int
    body: bytes = b""


@attrs.frozen
class ExtendedReport:
    """XR."""

    ssrc: int
    blocks: tuple[VoipMetrics | Block, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> ExtendedReport:
        """What stands behind the RTCP header. Raises ParseError when a block is longer than that."""
        if len(body) < 4:
            raise ParseError("RTCP XR is too short")
        blocks: list[VoipMetrics | Block] = []
        position = 4
        while position < len(body):
            if len(body) < position + 4:
                raise ParseError("RTCP XR ends in the header of a block")
            block_type, specific, words = _HEADER.unpack_from(body, position)
            end = position + 4 + 4 * words
            if end > len(body):
                raise ParseError("RTCP XR block is longer than the packet")
            blocks.append(_block(block_type, specific, body[position + 4 : end]))
            position = end
        return cls(int.from_bytes(body[:4], "big"), tuple(blocks))

    def body(self) -> bytes:
        """What goes behind the RTCP header. Raises struct.error for what no field can hold."""
        return self.ssrc.to_bytes(4, "big") + b"".join(map(_written, self.blocks))


def _block(block_type: int, specific: int, body: bytes) -> VoipMetrics | Block:
    if block_type == VOIP_METRICS and len(body) == _METRICS.size:
        return VoipMetrics(*_METRICS.unpack(body))
    return Block(block_type, specific, body)  # of another length it is no such block (§4)


def _written(block: VoipMetrics | Block) -> bytes:
    if isinstance(block, VoipMetrics):
        return _HEADER.pack(VOIP_METRICS, 0, _METRICS.size // 4) + _METRICS.pack(*attrs.astuple(block))
    return _HEADER.pack(block.block_type, block.specific, len(block.body) // 4) + block.body
