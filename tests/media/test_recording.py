"""A recording while it is made."""

from __future__ import annotations

import pytest

from sipstack.errors import MediaError
from sipstack.media.io import AudioSink
from sipstack.media.listening import Tap
from sipstack.media.recording import Recording, Sides

FRAME = bytes(320)


class Shelf:
    """A sink with room for so many frames, and perhaps no way to be closed."""

    def __init__(self, room: int = 1000, *, closes: bool = True) -> None:
        self._room = room
        self._closes = closes

    def write(self, pcm: bytes) -> None:
        if not self._room:
            raise MediaError("full")
        self._room -= 1

    def close(self) -> None:
        if not self._closes:
            raise MediaError("stuck")


class Desk:
    """What a recording belongs to."""

    def __init__(self) -> None:
        self.recordings: list[Tap] = []
        self.both: list[Recording] = []
        self.failures: list[str] = []

    def record(self, sink: AudioSink, sides: Sides = "heard") -> Recording:
        async def create() -> AudioSink:
            return sink

        return Recording(self, create, sides)

    def attach(self, tap: Tap) -> float:
        self.recordings.append(tap)
        return 0.0

    def detach(self, tap: Tap) -> None:
        if tap in self.recordings:
            self.recordings.remove(tap)

    def attach_said(self, recording: Recording) -> None:
        self.both.append(recording)

    def detach_said(self, recording: Recording) -> None:
        if recording in self.both:
            self.both.remove(recording)

    def recording_failed(self, error: MediaError) -> None:
        self.failures.append(str(error))


async def test_a_full_disk_stops_the_recording_and_is_told_at_the_end() -> None:
    desk = Desk()
    recording = desk.record(Shelf(2))
    await recording.__aenter__()
    for _ in range(3):
        recording.write(FRAME)
    assert (desk.recordings, desk.failures) == ([], ["full"])
    with pytest.raises(MediaError, match="full"):
        await recording.__aexit__(None, None, None)
    assert (recording.duration, str(recording.error)) == (0.04, "full")


async def test_what_cannot_be_completed_is_told() -> None:
    desk = Desk()
    with pytest.raises(MediaError, match="stuck"):
        async with desk.record(Shelf(closes=False)):
            pass
    assert (desk.recordings, desk.failures) == ([], ["stuck"])


async def test_the_first_failure_is_the_one_that_is_told() -> None:
    desk = Desk()
    with pytest.raises(MediaError, match="full"):
        async with desk.record(Shelf(0, closes=False)) as recording:
            recording.write(FRAME)
    assert desk.failures == ["full"]


async def test_a_failure_does_not_hide_what_the_caller_raised() -> None:
    desk = Desk()
    with pytest.raises(TimeoutError):
        async with desk.record(Shelf(closes=False)):
            raise TimeoutError
    assert desk.failures == ["stuck"]


async def test_what_cannot_be_begun_is_not_recorded() -> None:
    async def refuse() -> AudioSink:
        raise MediaError("no shelf")

    desk = Desk()
    with pytest.raises(MediaError, match="no shelf"):
        async with Recording(desk, refuse, "mixed"):
            raise AssertionError("entered")
    assert (desk.recordings, desk.both) == ([], [])


async def test_it_tells_how_long_it_is() -> None:
    async with Desk().record(Shelf()) as recording:
        for _ in range(75):
            recording.write(FRAME)
    assert recording.duration == 1.5
