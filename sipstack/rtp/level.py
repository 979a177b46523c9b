"""How loud a piece of PCM (s16le) is."""

from __future__ import annotations

import math
import struct

from sipstack.rtp.prediction import sumprod

SILENT = -127.0
"""What digital silence is said to have."""


def level(pcm: bytes) -> float:
    """In dBov (RFC 3389 §3): 0 is a square wave at full scale, -127 silence."""
    count = len(pcm) // 2
    samples = struct.unpack(f"<{count}h", pcm[: 2 * count])
    energy = sumprod(samples, samples)
    if not energy:
        return SILENT
    return max(10 * math.log10(energy / count / 32768**2), SILENT)
