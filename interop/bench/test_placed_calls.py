"""The parts of the benchmark that need no other program."""

from __future__ import annotations

import asyncio
import gc

import pytest

from interop.bench import garbage, loops, placed_calls
from interop.bench.garbage import worst_pause
from sipstack.message import Request, parse


async def test_so_many_calls_are_placed_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    methods: list[str] = []
    answers = placed_calls.answers

    def counted(data: bytes) -> list[bytes]:
        request = parse(data)
        assert isinstance(request, Request)
        methods.append(request.method)
        return answers(data)

    monkeypatch.setattr(placed_calls, "answers", counted)
    await placed_calls.place(5)
    assert sorted(methods) == ["ACK"] * 5 + ["BYE"] * 5 + ["INVITE"] * 5


def test_the_worst_pause_is_found_among_what_was_printed() -> None:
    assert worst_pause("pause 7.5\nsomething else\npause 12.0\npause 6.1\n") == 12.0
    assert worst_pause("") == 0.0


async def test_settling_makes_full_collections_rare() -> None:
    before = gc.get_threshold()
    try:
        garbage.settle()
        assert gc.get_threshold() == garbage.RARELY
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize("options", [(), (loops.UVLOOP,)])
def test_both_loops_run_it(options: tuple[str, ...]) -> None:
    async def loop_name() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert ("uvloop" in loops.run(loop_name(), options)) is bool(options)
