"""The benchmark of media, run tiny, and the arithmetic of what it says."""

from __future__ import annotations

import struct
import sys

import pytest

from interop.bench import media, media_process
from interop.bench.media import FLOOR, SUBJECTS, Subject
from interop.bench.media_load import Traffic, lateness
from interop.bench.media_process import Outcome
from interop.bench.media_streams import STREAMS
from interop.bench.report import Row
from interop.bench.server import StartError

PUNCTUAL = Traffic(p50=0.0005, p99=0.002, missing=0.0, own=0.001, sent=1000)


def outcome(calls: int, traffic: Traffic = PUNCTUAL, heard: float = 1.0) -> Outcome:
    return Outcome(calls, traffic, heard, cpu=0.5, steal=0.0)


@pytest.mark.parametrize("subject", SUBJECTS[:6], ids=lambda subject: subject.name)
def test_both_ways_of_two_calls_are_heard(subject: Subject) -> None:
    if subject.kind == "sdes":
        pytest.importorskip("pylibsrtp", reason="SRTP is of the media extra")
    if subject.kind == "opus":
        pytest.importorskip("av", reason="Opus is of the media extra")
    seen = media_process.run(subject.command(), STREAMS[subject.kind], 2, 0.3, 0.5)
    assert seen.traffic.sent == 2 * 40
    assert seen.heard > 0.9
    assert seen.traffic.missing < 0.2


def test_a_process_that_dies_is_no_measurement() -> None:
    with pytest.raises(StartError):
        media_process.run([sys.executable, "-c", "pass"], STREAMS["plain"], 1, 0.1, 0.1)


def test_a_packet_is_late_by_what_it_comes_after_the_most_punctual_one() -> None:
    stream = [(10.0, 0), (10.021, 160), (10.040, 320), (10.067, 480)]
    assert list(lateness(stream, 8000)) == pytest.approx([0.0, 0.001, 0.0, 0.007])


def test_lateness_goes_on_over_the_wrap_of_timestamps_and_counts_what_is_sent_too_early() -> None:
    stream = [(10.0, 0xFFFFFFB0), (10.015, 80)]
    assert list(lateness(stream, 8000)) == pytest.approx([0.005, 0.0])


def test_a_run_with_late_missing_or_unheard_packets_does_not_hold() -> None:
    late = Traffic(0.001, 0.006, 0.0, 0.001, 1000)
    missing = Traffic(0.001, 0.002, 0.02, 0.001, 1000)
    assert outcome(10).holds(0.005, 0.995)
    assert not outcome(10, late).holds(0.005, 0.995)
    assert not outcome(10, missing).holds(0.005, 0.995)
    assert not outcome(10, heard=0.98).holds(0.005, 0.995)


def test_the_number_of_calls_is_found_and_set_beside_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"floor": 200, "ours": 120}

    def run(command: list[str], stream: object, calls: int, warm_up: float, seconds: float) -> Outcome:
        late = Traffic(0.001, 0.002 if calls <= limits[command[0]] else 0.1, 0.0, 0.001, 1000)
        return outcome(calls, late)

    def broken() -> list[str]:
        raise StartError("pip cannot install it")

    monkeypatch.setattr(media_process, "run", run)
    table = media.measure(
        quick=True,
        subjects=[
            Subject(FLOOR, "plain", lambda: ["floor"], 40),
            Subject("sipstack", "plain", lambda: ["ours"], 300),
            Subject("other", "plain", broken, 10),
        ],
    )
    floor, ours, other = table.rows
    assert 185 <= float(str(floor.figures["calls"])) <= 200
    assert float(str(ours.figures["ratio to the floor"])) == pytest.approx(0.6, abs=0.05)
    assert other == Row("other", missing="pip cannot install it")


def test_the_load_sends_the_same_protected_packet_only_once() -> None:
    pytest.importorskip("pylibsrtp", reason="SRTP is of the media extra")
    packet = STREAMS["sdes"].packets()
    sent = [packet(number) for number in range(3)]
    assert len({struct.unpack_from("!H", data, 2)[0] for data in sent}) == 3
    assert all(len(data) == 12 + 160 + 10 for data in sent)
