"""How good a call sounds, estimated from loss and delay: the E-model of ITU-T G.107, simplified.

Simplified: all but delay, codec and loss have the recommendation's default values, loss is taken as random,
and there is no echo. It is an estimate for comparison, not a measurement of what was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

BEST = 93.2
"""The rating of a call without any impairment (G.107, default values)."""
LATE = 0.1773
"""Seconds of delay from which on a conversation suffers."""


@attrs.frozen
class Impairment:
    """What a codec does to speech (G.113 appendix I)."""

    equipment: float = 0.0
    """Ie: what it costs without loss."""
    robustness: float = 25.1
    """Bpl: the greater, the less loss is heard. G.711 with concealment by waveform has 25.1, without 4.3."""


G711 = Impairment()
IMPAIRMENTS: Mapping[str, Impairment] = MappingProxyType(
    {
        "PCMU": G711,
        "PCMA": G711,
        "G729": Impairment(11.0, 19.0),
        "G723": Impairment(15.0, 16.1),
        "GSM-EFR": Impairment(5.0, 10.0),
    }
)
"""By the encoding names of SDP: the planning values of G.113 appendix I, for random loss that is concealed.

It has none for G.722, Opus and L16 on the scale of narrow-band calls, which ends with G.711. These are taken
as G.711, of which their concealment is not worse.
"""


def impairment_of(codec: str | None) -> Impairment:
    """Of a codec by its encoding name; that of G.711 where none is known."""
    return IMPAIRMENTS.get(codec.upper(), G711) if codec is not None else G711


def rating(loss: float, delay: float, impairment: Impairment = G711) -> float:
    """The transmission rating R, 0 to 93.2. ``loss`` is from 0 to 1, ``delay`` seconds from mouth to ear."""
    percent = 100 * min(max(loss, 0.0), 1.0)
    delayed = 24 * max(delay, 0.0) + 110 * max(delay - LATE, 0.0)
    equipment = impairment.equipment
    equipment += (95 - equipment) * percent / (percent + impairment.robustness)
    return max(BEST - delayed - equipment, 0.0)


def mean_opinion_score(loss: float, delay: float, impairment: Impairment = G711) -> float:
    """The estimated mean opinion score (MOS-CQE), 1 to 4.4 (G.107 annex B)."""
    return score_of(rating(loss, delay, impairment))


def score_of(r: float) -> float:
    """The mean opinion score for a rating R of 0 to 100."""
    return max(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 1.0)
