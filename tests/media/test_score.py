"""The estimate of how good a call sounds."""

from __future__ import annotations

from tests.media.bench import Bench


async def test_how_good_it_sounds_is_estimated_from_loss_and_delay() -> None:
    bench = Bench()
    await bench.listen()
    before = bench.statistics
    assert before.mos is None
    bench.hear(50)
    clean = bench.statistics.mos
    assert clean is not None
    assert clean > 4.3
    for _ in range(10):
        bench._number += 1
        bench.ticks(1)
        bench.hear(4)
    lossy = bench.statistics.mos
    assert lossy is not None
    assert 3.0 < lossy < clean - 0.5
