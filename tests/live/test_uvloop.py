"""Real sockets on uvloop, which must behave like asyncio's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import pytest
import uvloop

from sipstack import TransportError, UserAgent
from sipstack.net.host import HostNetwork
from tests.net.web import contexts, settings
from tests.ua.handlers import Answering

HERE = "udp:127.0.0.1:0"


def run(work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def test_a_call_is_placed_held_resumed_and_ended() -> None:
    async def main() -> None:
        callee = Answering()
        async with UserAgent("sip:bob@127.0.0.1", listen=HERE) as bob, bob.serving(callee):
            async with UserAgent("sip:alice@127.0.0.1", listen=HERE) as alice:
                async with alice.call(bob.contact) as call:
                    held = []
                    for change in (call.hold, call.resume):
                        await change()
                        held.append(callee.calls[0].remote_held)
                    assert held == [True, False]
                end = await callee.calls[0].ended()
                assert (end.by, alice.calls) == ("remote", [])

    run(main())


def test_a_port_that_nobody_has_is_reported_by_the_network() -> None:
    async def main() -> None:
        async with UserAgent("sip:alice@127.0.0.1", listen=HERE) as alice:
            with pytest.raises(TransportError):
                await asyncio.wait_for(alice.options("sip:nobody@127.0.0.1:9"), 3)

    run(main())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_call_over_a_connection(tmp_path: Path, transport: str) -> None:
    async def main() -> None:
        callee, network = Answering(), HostNetwork(settings(contexts(tmp_path, "localhost")))
        listen = f"{transport}:127.0.0.1:0"
        async with UserAgent("sip:bob@localhost", listen=listen, network=network) as bob, bob.serving(callee):
            target = f"sip:bob@localhost:{bob.listening[0][2]};transport={transport}"
            async with UserAgent("sip:alice@127.0.0.1", listen=HERE, network=network) as alice:
                async with asyncio.timeout(10), alice.call(target) as call:
                    await callee.calls[0].hang_up()
                    assert (await call.ended()).by == "remote"

    run(main())
