"""Where agents are, and how long they are tried."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.agents.channel import ProgramAgent, TcpAgent, WebSocketAgent, agent_at, connect
from sipstack.agents.wire import PATIENCE
from sipstack.errors import LocalProtocolError, TransportError
from tests.agents.test_conversation import Bot

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bot",
        "http://127.0.0.1/",
        "ws:",
        "ws://",
        "tcp:127.0.0.1",
        "tcp::9000",
        "tcp:host:99999",
        "tcp:::1:9",
    ],
)
def test_no_addresses(address: str) -> None:
    with pytest.raises(LocalProtocolError, match="write ws://HOST:PORT/PATH or tcp:HOST:PORT"):
        agent_at(address)


def test_addresses() -> None:
    assert agent_at("wss://bot.example.com/calls?key=1") == WebSocketAgent(
        "wss://bot.example.com/calls?key=1"
    )
    assert agent_at("tcp:127.0.0.1:9000") == TcpAgent("127.0.0.1", 9000)
    assert agent_at("TCP:[::1]:9000") == TcpAgent("::1", 9000)


def test_they_are_written_as_they_are_given() -> None:
    assert str(agent_at("ws://127.0.0.1:8765")) == "ws://127.0.0.1:8765"
    assert str(agent_at("tcp:bot.example.com:9000")) == "tcp:bot.example.com:9000"
    assert str(ProgramAgent(("python", "my bot.py"))) == "python 'my bot.py'"


async def test_one_that_is_not_there_is_tried_for_some_seconds() -> None:
    bot, clock = Bot(refusals=1000), asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(TransportError, match="no agent at bot.test"):
        await connect(bot)
    assert clock() - began == pytest.approx(PATIENCE)
    assert 1000 - bot.refusals == 5, "after 0, 0.25, 0.75, 1.75 and 3.75 s"


async def test_one_that_does_not_answer() -> None:
    class Silent(Bot):
        async def connect(self) -> Bot:
            await asyncio.sleep(1000)
            raise AssertionError

        def __str__(self) -> str:
            return "tcp:silent.test:9"

    with pytest.raises(TransportError, match="the agent tcp:silent.test:9 does not answer"):
        await connect(Silent())
