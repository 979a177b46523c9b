"""What we say of the peer's audio in extended reports (RFC 3611 §4.7)."""

from __future__ import annotations

from sipstack.rtp.bursts import GMIN
from sipstack.rtp.extended_report import ADAPTIVE, CONCEALED, VoipMetrics
from sipstack.rtp.quality import Impairment, rating, score_of
from sipstack.rtp.reception import Source

PACKET = 20.0
"""Milliseconds of a packet: what we ask for."""


def metrics_of(
    source: Source,
    discarded: int,
    delay: float,
    most_delay: float,
    round_trip: float | None,
    impairment: Impairment,
) -> VoipMetrics:
    """``discarded`` packets came too late to be played ``delay`` seconds after they should have come."""
    expected = max(source.expected, 1)
    loss = max(source.lost, 0) / expected
    discard = discarded / expected
    pattern = source.bursts.pattern(source.whole)
    from_mouth = delay + (round_trip or 0.0) / 2
    conversation = rating(loss + discard, from_mouth, impairment)
    return VoipMetrics(
        ssrc=source.ssrc,
        loss_rate=_share(loss),
        discard_rate=_share(discard),
        burst_density=_share(pattern.burst_density),
        gap_density=_share(pattern.gap_density),
        burst_duration=_word(pattern.burst_length * PACKET),
        gap_duration=_word(pattern.gap_length * PACKET),
        round_trip_delay=_word(1000 * (round_trip or 0.0)),
        end_system_delay=_word(1000 * delay + PACKET),
        gmin=GMIN,
        r_factor=round(conversation),
        mos_lq=round(10 * score_of(rating(loss + discard, 0.0, impairment))),
        mos_cq=round(10 * score_of(conversation)),
        receiver_configuration=CONCEALED | ADAPTIVE,
        buffer_nominal=_word(1000 * delay),
        buffer_maximum=_word(1000 * delay),
        buffer_absolute_maximum=_word(1000 * most_delay),
    )


def _share(fraction: float) -> int:
    return min(int(256 * fraction), 255)


def _word(number: float) -> int:
    return min(round(number), 0xFFFF)
