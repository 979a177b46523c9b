"""What the media of a call writes: its ports, whom it talks to, and what goes wrong meanwhile."""

from __future__ import annotations

import pytest

from sipstack.errors import MediaError
from sipstack.sdp import Direction
from tests.log_lines import lines, listen
from tests.media.calls import wired
from tests.media.test_recording import FRAME, Desk, Shelf
from tests.media.wire import Wire, WireTransport

ALICE = "<AudioSession 192.0.2.1 port=4002 codec"
BOB = "<AudioSession 192.0.2.2 port=4004 codec"


@pytest.mark.virtual_time
async def test_packets_that_could_not_be_sent_are_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WireTransport, "send_errors", 3)
    call = wired(Wire())
    await call.describe()
    await call.bob.close()
    lines(caplog)
    listen(caplog)
    await call.alice.close()
    await call.alice.close()
    assert lines(caplog) == [
        f"media: {ALICE}=PCMU> is closed",
        f"WARNING media: {ALICE}=PCMU>: 3 packets could not be sent",
    ]


async def test_a_recording_that_stops_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    recording = Desk().record(Shelf(1, closes=False))
    await recording.__aenter__()
    for _ in range(2):
        recording.write(FRAME)
    assert lines(caplog) == ["WARNING media: a recording stops: full"]
    with pytest.raises(MediaError, match="full"):
        await recording.__aexit__(None, None, None)
    assert lines(caplog) == []


@pytest.mark.virtual_time
async def test_a_session(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    async with wired(Wire()) as call:
        await call.describe(Direction.SENDONLY)
    assert lines(caplog) == [
        f"media: {ALICE}=None> is open",
        f"media: {BOB}=None> is open",
        f"media: {BOB}=PCMU> is connected to 192.0.2.1:4002, sendrecv",
        f"media: {ALICE}=PCMU> is connected to 192.0.2.2:4004, sendrecv",
        f"media: {BOB}=PCMU> is connected to 192.0.2.1:4002, recvonly",
        f"media: {ALICE}=PCMU> is connected to 192.0.2.2:4004, sendonly",
        f"media: {ALICE}=PCMU> is closed",
        f"media: {BOB}=PCMU> is closed",
    ]
