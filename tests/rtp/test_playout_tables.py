"""What the playout buffer makes of senders and networks, written down and then asserted.

Columns: packets lost, late, skipped; milliseconds made up, left out; the longest delay in milliseconds and
that of the last second. 60 ms is the least delay, 10 the network's; ticks of 20 ms make it 81. The 200 ms
that are made up in every row are those after the last packet, when nobody knows yet that it was the last.
"""

from __future__ import annotations

import random

import pytest

from sipstack.rtp.reception import Arrival, Reception
from tests.rtp.playout_tables import (
    RATE,
    TICK,
    Listener,
    Network,
    Packet,
    Row,
    direct,
    jumped,
    lossy,
    play,
    queue,
    speech,
    stalls,
    uniform,
    without,
)

CLEAN = Row(0, 0, 0, 200, 0, 81, 81)

TABLE: list[tuple[str, list[Packet], Network, Row]] = [
    ("a clean network", speech(30), direct, CLEAN),
    ("packets of 10 ms", speech(30, (10,)), direct, CLEAN),
    ("packets of 30 ms", speech(30, (30,)), direct, CLEAN),
    ("packets of 40 ms", speech(30, (40,)), direct, CLEAN),
    ("packets of 60 ms", speech(30, (60,)), direct, CLEAN),
    ("10, 20, 30, 40, 60 ms mixed", speech(30, (10, 20, 30, 40, 60)), direct, CLEAN),
    ("1 % lost", speech(60), lossy(0.01), Row(36, 0, 0, 920, 0, 81, 81)),
    ("5 % lost", speech(60), lossy(0.05), Row(170, 0, 0, 3600, 0, 81, 81)),
    ("10 % lost", speech(60), lossy(0.1), Row(309, 0, 0, 6380, 0, 81, 81)),
    ("5 % lost in bursts of four", speech(60), lossy(0.05, 4), Row(143, 0, 0, 3060, 0, 81, 81)),
    ("jitter of 20 ms", speech(60), uniform(0.02), CLEAN),
    ("jitter of 50 ms", speech(60), uniform(0.05), CLEAN),
    ("jitter of 100 ms", speech(60), uniform(0.1), Row(0, 1, 0, 240, 0, 121, 121)),
    ("jitter of 150 ms", speech(60), uniform(0.15), Row(0, 3, 0, 320, 0, 161, 161)),
    ("jitter of 50 ms, 5 % lost", speech(60), uniform(0.05, 0.05), Row(169, 0, 0, 3580, 0, 81, 81)),
    ("a queue, 30 ms at a time", speech(60), queue(0.03, 0.1), Row(0, 0, 0, 500, 290, 171, 91)),
    ("the sender is 200 ppm fast", speech(600, drift=2e-4), direct, Row(0, 0, 0, 200, 110, 110, 91)),
    ("the sender is 200 ppm slow", speech(600, drift=-2e-4), direct, Row(0, 0, 0, 280, 0, 81, 41)),
    (
        "pauses of 1, 0.3 and 5 s",
        without(speech(30), (5, 6), (10, 10.3), (15, 20)),
        direct,
        Row(0, 0, 0, 800, 0, 81, 81),
    ),
    (
        "three digits between words",
        without(speech(30), (5, 5.16), (5.26, 5.42), (5.52, 5.68)),
        direct,
        Row(0, 0, 0, 680, 0, 81, 81),
    ),
    ("timestamps wrap", speech(30, start=0x1_0000_0000 - 5 * RATE), direct, CLEAN),
    ("a spike of 150 ms", speech(15), stalls((5, 0.15)), Row(0, 0, 0, 280, 90, 161, 71)),
    (
        "spikes of 100, 150, 100 ms",
        speech(30),
        stalls((5, 0.1), (6, 0.15), (7, 0.1)),
        Row(0, 0, 0, 280, 80, 161, 80),
    ),
    ("the network stops for 400 ms", speech(15), stalls((5, 0.4)), Row(0, 0, 0, 400, 390, 461, 71)),
]


@pytest.mark.parametrize(("packets", "network", "row"), [pytest.param(*row, id=name) for name, *row in TABLE])
def test_the_table(packets: list[Packet], network: Network, row: Row) -> None:
    assert play(packets, network)[0] == row


@pytest.mark.parametrize("jump", [0.2, 0.5, 1.0, 1.9, 2.0, 10.0, -0.5, -1.0, -1.9, -2.0, -10.0, 1e5])
@pytest.mark.parametrize("size", [10, 20, 30, 40])
def test_a_jump_of_the_timestamps_is_not_even_heard(jump: float, size: int) -> None:
    row, _ = play(jumped(speech(15, (size,)), 5.0, jump))
    assert (row.lost, row.late, row.skipped) == (0, 0, 0)
    assert row.made_up <= 240
    assert row.longest <= 121


@pytest.mark.parametrize("jump", [0.5, 1.0, 1.9, 10.0, -0.5, -1.0, -1.9, -10.0])
def test_a_jump_with_packets_of_60_ms_is_healed_within_200_ms(jump: float) -> None:
    row, listener = play(jumped(speech(15, (60,)), 5.0, jump))
    assert (row.lost, row.late, row.skipped) == (0, 0, 0)
    first = next(at for at, delay in listener.delays if at - delay >= 5.0)
    assert first <= 5.2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("jump", [0.5, -1.0, 10.0])
def test_a_jump_over_a_network_with_jitter_and_loss(jump: float, seed: int) -> None:
    row, _ = play(jumped(speech(15), 5.0, jump), uniform(0.03, 0.02), seed=seed)
    assert row.late <= 1
    assert row.skipped == 0
    assert row.delay <= 121


@pytest.mark.parametrize("spike", [0.05, 0.1, 0.15, 0.19])
@pytest.mark.parametrize("size", [10, 20, 30, 60])
def test_five_seconds_after_a_spike_the_delay_is_within_40_ms_of_the_least(spike: float, size: int) -> None:
    row, listener = play(speech(15, (size,)), stalls((5, spike)))
    after = [delay for at, delay in listener.delays if at >= 5 + spike + 5]
    assert max(after) <= 0.081 + 0.04
    assert (row.late, row.skipped) == (0, 0)


def test_while_a_network_has_spikes_the_delay_stays() -> None:
    """One of 100 ms each second: after the first one nothing has to be made up."""
    row, _ = play(speech(30), stalls(*((second, 0.1) for second in range(5, 30))))
    assert row.made_up <= 320
    assert row.late == 0


def test_after_a_stall_of_ours_all_is_heard_a_little_faster() -> None:
    row, _ = play(speech(15), deaf=(5, 5.3))
    assert row == Row(0, 0, 0, 200, 310, 381, 71)


def test_a_stall_of_ours_of_two_seconds_is_not_made_up_for() -> None:
    row, _ = play(speech(15), deaf=(5, 7))
    assert 90 <= row.skipped <= 100
    assert row.delay == 71


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_came_in_time_is_lost(seed: int) -> None:
    """Sizes, jitter, loss and a pause together: what is not heard was lost, or came too late."""
    numbers = random.Random(seed)
    sizes = numbers.sample((10, 20, 30, 40, 60), 3)
    packets = without(speech(40, sizes), (12, 12 + numbers.random()))
    row, _ = play(
        packets, uniform(numbers.choice((0.01, 0.03, 0.06)), numbers.choice((0, 0.01, 0.1))), seed=seed
    )
    assert row.skipped == 0
    assert row.late <= 3


def test_of_two_sources_at_once_one_is_heard_as_if_it_were_alone() -> None:
    """As a stream does it: reception picks the source, the buffer begins anew with another one."""
    reception, listener = Reception(RATE), Listener()
    one, other = speech(10), speech(20, start=77_777)
    arrivals = sorted(
        [(packet.said, 1, packet) for packet in one] + [(packet.said + 0.005, 2, packet) for packet in other]
    )
    for tick in range(round(21 / TICK)):
        now = TICK * tick + 0.001
        while arrivals and arrivals[0][0] <= now:
            at, ssrc, packet = arrivals.pop(0)
            verdict = reception.receive(ssrc, packet.number, packet.timestamp, at)
            if verdict is Arrival.RESTARTED:
                listener.buffer.reset()
            if verdict is not Arrival.REFUSED:
                listener.put(packet, at)
        listener.tick(now)
    # The second is let in 90 ms after the first has ended; what was still to be played of the first is not.
    assert listener.heard[:495] == list(range(495))
    assert listener.heard[-490:] == list(range(510, 1000))
    assert listener.buffer.late == 0
