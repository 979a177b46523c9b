"""What is judged: our concealment, and the two that it has to beat."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from sipstack.rtp import g711
from sipstack.rtp.concealment import Concealer

OCTETS = 320
"""20 ms of PCM at 8 kHz."""
AHEAD = 2
"""Packets after a gap that a playout buffer of 60 ms has already, when there is no jitter."""


def coded(pcm: bytes) -> list[bytes]:
    """As it comes out of a call without loss: packets of 20 ms through PCMU."""
    whole = len(pcm) - len(pcm) % OCTETS
    return [
        g711.decode_ulaw(g711.encode_ulaw(pcm[start : start + OCTETS])) for start in range(0, whole, OCTETS)
    ]


def losses(count: int, share: float, seed: int) -> list[bool]:
    """Independent of each other."""
    numbers = random.Random(seed)
    return [numbers.random() < share for _ in range(count)]


def silence(packets: Sequence[bytes], lost: Sequence[bool]) -> bytes:
    """Nothing in place of what is lost."""
    return b"".join(bytes(OCTETS) if gone else pcm for pcm, gone in zip(packets, lost, strict=True))


def repeat_and_fade(packets: Sequence[bytes], lost: Sequence[bool]) -> bytes:
    """The last packet again, fading over 80 ms."""
    heard, last, gain = [], bytes(OCTETS), 1.0
    for pcm, gone in zip(packets, lost, strict=True):
        if not gone:
            last, gain = pcm, 1.0
            heard.append(pcm)
            continue
        samples = struct.unpack("<160h", last)
        faded = [int(sample * max(gain - 0.25 * at / 160, 0.0)) for at, sample in enumerate(samples)]
        heard.append(struct.pack("<160h", *faded))
        gain -= 0.25
    return b"".join(heard)


def ours(packets: Sequence[bytes], lost: Sequence[bool], ahead: int = AHEAD) -> bytes:
    """With the next packet, where it is one of the ``ahead`` that follow."""
    concealer, heard = Concealer(8000), []
    for at, (pcm, gone) in enumerate(zip(packets, lost, strict=True)):
        if not gone:
            heard.append(concealer.good(pcm))
            continue
        near = range(at + 1, min(at + 1 + ahead, len(packets)))
        found = next((place for place in near if not lost[place]), None)
        if found is None:
            heard.append(concealer.conceal(OCTETS))
        else:
            heard.append(concealer.conceal(OCTETS, packets[found], (found - at) * OCTETS))
    return b"".join(heard)


def ours_without_the_next(packets: Sequence[bytes], lost: Sequence[bool]) -> bytes:
    """As after a long burst of loss or jitter: nothing after the gap is known."""
    return ours(packets, lost, ahead=0)
