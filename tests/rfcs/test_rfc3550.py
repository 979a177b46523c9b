"""The identity of an RTP session: SSRC, CNAME, first numbers (RFC 3550 §5.1, §6.5.1, §8.1, RFC 7022)."""

from __future__ import annotations

import random

from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.codecs import PCMU
from sipstack.media.stream import AudioStream
from sipstack.rtp import rtcp
from tests.media.stepped import Notebook


def said(seed: int) -> tuple[tuple[int, int, int], set[tuple[int, str]]]:
    """(SSRC, number, timestamp) of a session's first packet, and all (SSRC, CNAME) in a minute of reports."""
    network = Notebook()
    stream = AudioStream(Audio(MediaStatistics), network, Identifiers(random.Random(seed)), 0.0)
    stream.connect(("192.0.2.2", 40000), ("192.0.2.2", 40001))
    stream.speak(PCMU, PCMU.description, sends=True)
    for tick in range(50 * 60):
        stream.tick(0.02 * tick, 1)
    first = network.packets()[0]
    packets = [packet for data, _ in network.rtcp for packet in rtcp.parse(data)]
    chunks = [chunk for p in packets if isinstance(p, rtcp.SourceDescription) for chunk in p.chunks]
    names = {(chunk.ssrc, text) for chunk in chunks for kind, text in chunk.items if kind == rtcp.CNAME}
    return (first.ssrc, first.sequence_number, first.timestamp), names


def test_ssrc_first_numbers_and_cname_are_random_for_each_session_and_stay_for_all_of_it() -> None:
    sessions = [said(seed) for seed in range(20)]
    for (ssrc, _, _), names in sessions:
        assert [source for source, _ in names] == [ssrc]
        assert {len(name) for _, name in names} == {24}  # 96 bits
    for position in range(3):
        assert len({first[position] for first, _ in sessions}) == len(sessions)
    assert len({name for _, names in sessions for _, name in names}) == len(sessions)
