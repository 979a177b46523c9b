"""When an AudioSession takes its peer for lost."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.media.events import MediaEvent, PeerLost, SourceLeft
from sipstack.media.session import AudioSession
from sipstack.sdp import Direction
from sipstack.testing.loop import run
from tests.media.wire import Wire


@pytest.mark.parametrize(("timeout", "silence"), [(30.0, 30), (5.0, 5), (None, None)])
def test_the_listener_is_told_after_the_time_out(timeout: float | None, silence: int | None) -> None:
    async def main() -> None:
        wire, news = Wire(), list[MediaEvent]()
        alice = AudioSession("192.0.2.1", bind=wire.bind, timeout=timeout)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        alice.attach(news.append)
        await alice.answered(await bob.answer(await alice.offer()))
        await asyncio.sleep(100)
        assert news == []
        await bob.close()
        await asyncio.sleep(100)
        assert [type(event) for event in news] == [SourceLeft, *([] if silence is None else [PeerLost])]
        assert [round(event.silence) for event in news if isinstance(event, PeerLost)] == (
            [] if silence is None else [silence]
        )
        await alice.close()

    run(main())


def test_nobody_is_told_before_the_call_is_answered() -> None:
    """It may ring for minutes, and a peer need not send early media."""

    async def main() -> None:
        wire, news = Wire(), list[MediaEvent]()
        alice = AudioSession("192.0.2.1", bind=wire.bind)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        await alice.answered(await bob.answer(await alice.offer()))
        await bob.close()
        await asyncio.sleep(120)
        alice.attach(news.append)
        await asyncio.sleep(29)
        assert news == []
        await asyncio.sleep(2)
        assert len(news) == 1
        await alice.close()

    run(main())


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE])
def test_one_that_is_held_or_holds_may_be_silent(direction: Direction) -> None:
    async def main() -> None:
        wire, news = Wire(), list[MediaEvent]()
        alice = AudioSession("192.0.2.1", bind=wire.bind)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        alice.attach(news.append)
        await alice.answered(await bob.answer(await alice.offer()))
        await alice.answered(await bob.answer(await alice.offer(direction)))
        await bob.close()
        await asyncio.sleep(3600)
        assert news == []
        await alice.close()

    run(main())


def test_who_asks_is_told_of_each_silence_and_the_call_goes_on() -> None:
    """RFC 3550 knows no end by silence: what it means is up to the application."""

    async def main() -> None:
        wire, news, silences = Wire(), list[MediaEvent](), list[float]()
        alice = AudioSession("192.0.2.1", bind=wire.bind, timeout=2.0, on_silence=silences.append)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        alice.attach(news.append)
        await alice.answered(await bob.answer(await alice.offer()))
        ports = dict(wire.ports)
        for _ in range(3):
            await asyncio.sleep(10)
            wire.ports.clear()  # nothing arrives any more
            await asyncio.sleep(10)
            wire.ports |= ports
        assert [round(silence) for silence in silences] == [2, 2, 2]
        assert news == []
        await alice.close()
        await bob.close()

    run(main())
