"""Real sockets on a loop that has no ``add_reader``, as Windows' Proactor has none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sipstack import TransportError, UserAgent
from sipstack.media.audio import Frame
from tests.ua.handlers import Answering, echo

HERE = "udp:127.0.0.1:0"
FLOOD = 300


class WithoutReaders(asyncio.SelectorEventLoop):
    """Only what every loop of asyncio has."""

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    add_writer = add_reader  # type: ignore[assignment]


def run(work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=WithoutReaders) as runner:
        runner.run(work)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_is_placed_held_resumed_and_ended(transport: str, host: str) -> None:
    async def main() -> None:
        callee, listen = Answering(), f"{transport}:{host}:0"
        async with UserAgent(f"sip:bob@{host}", listen=listen) as bob, bob.serving(callee):
            async with UserAgent(f"sip:alice@{host}", listen=listen) as alice:
                async with alice.call(bob.contact) as call:
                    held = []
                    for change in (call.hold, call.resume):
                        await change()
                        held.append(callee.calls[0].remote_held)
                    assert held == [True, False]
                end = await callee.calls[0].ended()
                assert (end.by, alice.calls) == ("remote", [])

    run(main())


def test_audio_goes_both_ways() -> None:
    async def main() -> None:
        async with UserAgent("sip:bob@127.0.0.1", listen=HERE) as bob, bob.serving(echo):
            async with UserAgent("sip:alice@127.0.0.1", listen=HERE) as alice:
                async with alice.call(bob.contact) as call, asyncio.timeout(5):
                    heard = 0
                    await call.audio.send(Frame(b"\x10\x20" * 160))
                    async for frame in call.audio:
                        await call.audio.send(frame)
                        heard += 1
                        if heard == 10:
                            break
                    assert heard == 10

    run(main())


def test_a_port_that_nobody_has_is_reported_by_the_network() -> None:
    async def main() -> None:
        async with UserAgent("sip:alice@127.0.0.1", listen=HERE) as alice:
            with pytest.raises(TransportError):
                await asyncio.wait_for(alice.options("sip:nobody@127.0.0.1:9"), 3)

    run(main())


def test_a_flood_is_served_whole() -> None:
    async def main() -> None:
        async with UserAgent("sip:bob@127.0.0.1", listen=HERE) as bob:
            async with UserAgent("sip:alice@127.0.0.1", listen=HERE) as alice:
                asked = [alice.options(bob.contact) for _ in range(FLOOD)]
                answers = await asyncio.gather(*asked)
                assert [answer.status for answer in answers] == [200] * FLOOD

    run(main())
