"""When the loop has more to do than it can, hearing does without what costs most."""

from __future__ import annotations

import pytest

from sipstack.media.audio import Audio
from sipstack.media.codecs import PCMU
from sipstack.media.coders import Coders
from sipstack.media.hearing import Hearing
from sipstack.rtp.packet import RtpPacket
from tests.media.hearing import loudness

TONE = b"\x90\x10" * 80


class Ear:
    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, pcm: bytes) -> None:
        self.frames.append(pcm)

    def end(self) -> None:
        """Nothing follows."""


def heard(*, behind: bool) -> tuple[list[bytes], int]:
    """Half a second without its twelfth packet."""
    audio, coders, ear = Audio(), Coders(), Ear()
    audio.attach(ear)
    coders.are_behind = behind
    hearing = Hearing(audio, coders)
    hearing.follow(PCMU)
    for number in range(25):
        now = number * 0.02
        if number != 12:
            hearing.put(RtpPacket(0, number, number * 160, 1, TONE), PCMU, anew=False, now=now)
        hearing.tick(now + 0.001, 1)
    return ear.frames, hearing.concealed


@pytest.mark.parametrize("behind", [False, True])
def test_a_lost_packet_is_counted_and_takes_its_time(behind: bool) -> None:
    frames, concealed = heard(behind=behind)
    assert (len(frames), concealed) == (25, 1)


def test_what_is_lost_is_made_up_unless_the_loop_is_behind() -> None:
    made_up, _ = heard(behind=False)
    silent, _ = heard(behind=True)
    begins = next(at for at, frame in enumerate(made_up) if any(frame))
    assert loudness(made_up[begins + 12]) > 1000
    assert loudness(silent[begins + 12]) == 0.0
    assert silent[begins + 14 :] == made_up[begins + 14 :]
