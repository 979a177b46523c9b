"""G.711: PCMU (u-law) and PCMA (A-law), one octet for each 16-bit sample.

The tables follow the ITU-T G.711 formulas as G.191's reference code applies them to 16-bit samples:
u-law keeps 14 bits and A-law 12, and a negative sample is the one's complement of a positive one.

Python before 3.13 can do the same in C, at a fraction of the cost, and so can those with ``audioop-lts``.
"""

from __future__ import annotations

import sys
import warnings
from array import array
from collections.abc import Iterable
from importlib import import_module
from operator import itemgetter
from typing import Any


def _library() -> Any:
    """``audioop``, None where it is not. It takes samples in the machine's own order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return import_module("audioop") if sys.byteorder == "little" else None
        except ImportError:
            return None


_LIBRARY = _library()


def decode_ulaw(payload: bytes) -> bytes:
    """PCM (s16le) of u-law octets."""
    if _LIBRARY is not None:
        pcm: bytes = _LIBRARY.ulaw2lin(payload, 2)
        return pcm
    return _expand(payload, _ULAW_LOW, _ULAW_HIGH)


def decode_alaw(payload: bytes) -> bytes:
    """PCM (s16le) of A-law octets."""
    if _LIBRARY is not None:
        pcm: bytes = _LIBRARY.alaw2lin(payload, 2)
        return pcm
    return _expand(payload, _ALAW_LOW, _ALAW_HIGH)


def encode_ulaw(pcm: bytes) -> bytes:
    """u-law octets of PCM (s16le); raises ValueError when ``pcm`` is not whole samples."""
    if _LIBRARY is not None and not len(pcm) % 2:
        return _compress_ulaw(pcm)
    return _compress(pcm, _ULAW)


def encode_alaw(pcm: bytes) -> bytes:
    """A-law octets of PCM (s16le); raises ValueError when ``pcm`` is not whole samples."""
    if _LIBRARY is not None and not len(pcm) % 2:
        payload: bytes = _LIBRARY.lin2alaw(pcm, 2)
        return payload
    return _compress(pcm, _ALAW)


def _expand(payload: bytes, low: bytes, high: bytes) -> bytes:
    pcm = bytearray(2 * len(payload))
    pcm[0::2] = payload.translate(low)
    pcm[1::2] = payload.translate(high)
    return bytes(pcm)


def _compress_ulaw(pcm: bytes) -> bytes:
    """By the library, which takes the magnitude of a negative sample for one more than it is: so what goes
    through it is the complement of those, which is positive, and its codes get their sign.
    """
    size = len(pcm)
    complement = (int.from_bytes(pcm, "little") ^ (1 << 8 * size) - 1).to_bytes(size, "little")
    positive = _LIBRARY.lin2ulaw(pcm, 2).translate(_IF_POSITIVE)
    negative = _LIBRARY.lin2ulaw(complement, 2).translate(_IF_NEGATIVE)
    both = int.from_bytes(positive, "little") | int.from_bytes(negative, "little")
    return both.to_bytes(size // 2, "little")


def _compress(pcm: bytes, table: bytes) -> bytes:
    samples = array("H", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    if len(samples) < 2:  # itemgetter gives no tuple for one, and refuses none
        return bytes(table[sample] for sample in samples)
    # itemgetter looks all of them up in C: half the time of a comprehension.
    return bytes(itemgetter(*samples)(table))


def _ulaw_code(magnitude: int) -> int:
    """The code of a positive sample of 13 bits (the sign bit of G.711's 14 apart)."""
    biased = min(magnitude + 33, 0x1FFF)
    segment = biased.bit_length() - 6
    return 0xFF ^ (segment << 4 | (biased >> segment + 1) & 0x0F)


def _ulaw_value(code: int) -> int:
    inverted = code ^ 0xFF
    segment, step = inverted >> 4 & 0x07, inverted & 0x0F
    magnitude = ((2 * step + 33 << segment) - 33) * 4
    return magnitude if code & 0x80 else -magnitude


def _alaw_code(magnitude: int) -> int:
    """The code of a positive sample of 11 bits: the finest step is 2 of G.711's 13-bit scale."""
    segment = max(magnitude.bit_length() - 4, 0)
    step = magnitude >> max(segment - 1, 0) & 0x0F
    return (0x80 | segment << 4 | step) ^ 0x55


def _alaw_value(code: int) -> int:
    inverted = code ^ 0x55
    segment, step = inverted >> 4 & 0x07, inverted & 0x0F
    magnitude = (2 * step + 1 << 3) if segment == 0 else (2 * step + 33 << segment + 2)
    return magnitude if code & 0x80 else -magnitude


def _compression(positive: Iterable[int], repeat: int) -> bytes:
    """64 KiB indexed by the sample as unsigned 16 bits, from the codes of the positive magnitudes."""
    upper = b"".join(bytes([code]) * repeat for code in positive)
    other_sign = bytes(code ^ 0x80 for code in range(256))
    return upper + upper[::-1].translate(other_sign)


def _expansion(values: Iterable[int]) -> tuple[bytes, bytes]:
    """The low and the high octet of each code's value, as tables for bytes.translate."""
    pcm = [value & 0xFFFF for value in values]
    return bytes(value & 0xFF for value in pcm), bytes(value >> 8 for value in pcm)


_ULAW = _compression(map(_ulaw_code, range(0x2000)), 4)
_ALAW = _compression(map(_alaw_code, range(0x800)), 16)
_ULAW_LOW, _ULAW_HIGH = _expansion(map(_ulaw_value, range(256)))
_IF_POSITIVE = bytes(code if code & 0x80 else 0 for code in range(256))
_IF_NEGATIVE = bytes(code ^ 0x80 if code & 0x80 else 0 for code in range(256))
_ALAW_LOW, _ALAW_HIGH = _expansion(map(_alaw_value, range(256)))
