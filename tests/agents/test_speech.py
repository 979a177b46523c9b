"""What an agent has said and nobody has heard yet."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.agents.speech import PATIENT, Speech
from sipstack.errors import MediaError

pytestmark = pytest.mark.virtual_time

FRAME = b"\1\0" * 160


async def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MediaError, match="whole samples"):
        await Speech(8000, 1.0).put(b"\1\0\1")


async def test_it_cannot_begin_again() -> None:
    with pytest.raises(MediaError, match="cannot be said again"):
        Speech(8000, 1.0).rewind()


async def test_pieces_of_any_length_come_out_in_frames() -> None:
    speech = Speech(8000, 1.0)
    assert speech.read() is None
    for _ in range(7):
        await speech.put(FRAME[:64])
    assert speech.read() == FRAME
    assert speech.unsaid == pytest.approx(0.008)


async def test_the_rest_of_a_word_is_waited_for_and_then_said() -> None:
    speech = Speech(8000, 1.0)
    await speech.put(FRAME[:64])
    assert [speech.read() for _ in range(PATIENT)] == [None] * PATIENT
    assert speech.read() == FRAME[:64] + bytes(256)
    assert speech.read() is None


async def test_an_agent_that_is_far_ahead_waits() -> None:
    speech = Speech(8000, 0.1)
    await speech.put(FRAME * 10)
    waiting = asyncio.create_task(speech.put(FRAME))
    await asyncio.sleep(1)
    assert not waiting.done()
    while speech.unsaid > 0.1:
        speech.read()
    await waiting
    assert speech.unsaid == pytest.approx(0.12 if speech.unsaid > 0.1 else 0.1, abs=0.021)


async def test_what_is_cleared_is_not_said_and_who_waits_goes_on() -> None:
    speech = Speech(8000, 0.1)
    await speech.put(FRAME * 50)
    waiting = asyncio.create_task(speech.put(FRAME))
    await asyncio.sleep(0)
    speech.read()
    assert speech.clear() == pytest.approx(0.98)
    await waiting
    assert speech.read() == FRAME
    assert speech.read() is None
    assert speech.clear() == 0


async def test_the_end_of_what_is_said_can_be_waited_for() -> None:
    speech = Speech(8000, 1.0)
    await speech.said()
    await speech.put(FRAME * 2)
    end = asyncio.create_task(speech.said())
    speech.read()
    await asyncio.sleep(0)
    assert not end.done()
    speech.read()
    await end
