"""How a call sounded, in whole numbers."""

from __future__ import annotations

from sipstack.media.audio import MediaStatistics


def quality_of(statistics: MediaStatistics) -> dict[str, int]:
    """The figures of a call as whole numbers: a chain has no fractions, whose writing differs between
    languages. Jitter and round trip are microseconds, MOS is in hundredths; what is not known is left out.
    """
    figures: dict[str, int | None] = {
        "packets_sent": statistics.packets_sent,
        "packets_received": statistics.packets_received,
        "packets_lost": statistics.packets_lost,
        "packets_late": statistics.packets_late,
        "frames_concealed": statistics.frames_concealed,
        "jitter_us": _whole(statistics.jitter, 1e6),
        "round_trip_us": _whole(statistics.round_trip, 1e6),
        "mos_hundredths": _whole(statistics.mos, 100),
    }
    return {name: number for name, number in figures.items() if number is not None}


def _whole(value: float | None, unit: float) -> int | None:
    return None if value is None else round(value * unit)
