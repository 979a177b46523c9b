"""A source while it is played, and the queue of what is sent frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sipstack.errors import CallEnded, MediaError
from sipstack.media.io import AudioSource, PcmSource
from sipstack.media.playing import Player, Playing
from sipstack.media.sending import SendQueue

FRAME = b"ab" * 160


class Scripted:
    """A source whose every answer is written down; an exception is raised."""

    sample_rate = 8000

    def __init__(self, *answers: bytes | None | Exception) -> None:
        self._answers = list(answers)
        self.rewound = 0
        self.closed = False

    def read(self) -> bytes | None:
        answer = self._answers.pop(0) if self._answers else b""
        if isinstance(answer, Exception):
            raise answer
        return answer

    def rewind(self) -> None:
        self.rewound += 1
        self._answers = [FRAME] if self.rewound < 3 else [MediaError("worn out")]

    def close(self) -> None:
        self.closed = True


def opening(source: AudioSource) -> Callable[[], Awaitable[AudioSource]]:
    """How ``Playing`` comes by it."""

    async def opened() -> AudioSource:
        return source

    return opened


async def test_a_source_that_fails_ends_the_play_with_its_error() -> None:
    player = Player(Scripted(FRAME, MediaError("scratch")), loop=False)
    assert [player.read(), player.read()] == [FRAME, b""]
    with pytest.raises(MediaError, match="scratch"):
        await player.finished()


async def test_a_source_with_a_bug_does_not_stop_the_clock() -> None:
    player = Player(Scripted(ZeroDivisionError()), loop=False)
    assert player.read() == b""
    with pytest.raises(ZeroDivisionError):
        await player.finished()


async def test_a_source_that_gives_too_much_is_refused() -> None:
    player = Player(Scripted(FRAME + FRAME), loop=False)
    assert player.read() == b""
    with pytest.raises(MediaError, match="640 octets"):
        await player.finished()


async def test_an_empty_source_ends_at_once_even_looped() -> None:
    for loop in (False, True):
        player = Player(PcmSource(b""), loop=loop)
        assert player.read() == b""
        assert player.done
        await player.finished()


async def test_the_last_frame_is_filled_with_silence() -> None:
    player = Player(Scripted(FRAME, b"ab" * 10), loop=False)
    assert [player.read() for _ in range(3)] == [FRAME, b"ab" * 10 + bytes(300), b""]
    await player.finished()


async def test_a_source_may_have_nothing_yet() -> None:
    player = Player(Scripted(None, FRAME), loop=False)
    assert [player.read(), player.read()] == [None, FRAME]
    assert not player.done


async def test_a_loop_goes_on_without_a_gap_until_the_source_gives_up() -> None:
    player = Player(Scripted(FRAME), loop=True)
    assert [player.read() for _ in range(4)] == [FRAME, FRAME, FRAME, b""]
    with pytest.raises(MediaError, match="worn out"):
        await player.finished()


async def test_the_first_end_counts() -> None:
    player = Player(Scripted(), loop=False)
    player.end(CallEnded("remote"))
    player.end(MediaError("later"))
    with pytest.raises(CallEnded):
        await player.finished()


@pytest.mark.parametrize("owned", [True, False])
async def test_playing_closes_what_it_opened(owned: bool) -> None:
    source = Scripted(FRAME)
    players: list[Player] = []
    async with Playing(players, opening(source), loop=False, owned=owned) as player:
        assert players == [player]
    assert players == []
    assert source.closed == owned


async def test_leaving_raises_what_the_source_failed_with() -> None:
    players: list[Player] = []
    with pytest.raises(MediaError, match="scratch"):
        async with Playing(
            players, opening(Scripted(MediaError("scratch"))), loop=False, owned=True
        ) as player:
            player.read()
    assert players == []


async def test_leaving_does_not_hide_what_the_caller_raised() -> None:
    async def play() -> None:
        async with Playing([], opening(Scripted(MediaError("scratch"))), loop=False, owned=True) as player:
            player.read()
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await play()


async def test_the_end_of_the_call_is_no_failure_of_the_source() -> None:
    async with Playing([], opening(Scripted(FRAME)), loop=False, owned=True) as player:
        player.end(CallEnded("remote"))


async def test_three_frames_may_wait_then_the_sender_does() -> None:
    queue = SendQueue(8000)
    task = asyncio.create_task(queue.put(FRAME * 5))
    await asyncio.sleep(0)
    assert not task.done()
    assert queue.read() == FRAME
    await asyncio.sleep(0)
    assert not task.done()
    assert queue.read() == FRAME
    await asyncio.sleep(0)
    await task
    assert [queue.read() for _ in range(4)] == [FRAME, FRAME, FRAME, None]


async def test_pieces_of_any_length_are_joined() -> None:
    queue = SendQueue(8000)
    for _ in range(3):
        await queue.put(FRAME[:200])
    assert [queue.read(), queue.read()] == [(FRAME[:200] * 3)[:320], None]


async def test_two_that_send_at_once_both_get_through() -> None:
    queue = SendQueue(8000)
    tasks = [asyncio.create_task(queue.put(FRAME * 4)) for _ in range(2)]
    frames = 0
    while frames < 8:
        await asyncio.sleep(0)
        frames += queue.read() is not None
    await asyncio.gather(*tasks)


async def test_who_gives_up_waiting_disturbs_nobody() -> None:
    queue = SendQueue(8000)
    await queue.put(FRAME * 3)
    task = asyncio.create_task(queue.put(FRAME))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [queue.read() for _ in range(4)] == [FRAME, FRAME, FRAME, None]


async def test_the_end_of_the_call_reaches_who_waits_and_who_comes_later() -> None:
    queue = SendQueue(8000)
    task = asyncio.create_task(queue.put(FRAME * 9))
    await asyncio.sleep(0)
    queue.end(CallEnded("remote", "BYE"))
    with pytest.raises(CallEnded):
        await task
    with pytest.raises(CallEnded):
        await queue.put(FRAME)
