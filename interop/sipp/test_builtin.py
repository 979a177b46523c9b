"""sipp's own scenarios, against a user agent in this process and against the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from interop.ports import free_port
from interop.sipp.callee import Callee
from interop.sipp.process import Launch, Result, wait_bound
from sipstack import UserAgent


def done(result: Result) -> tuple[int, int, int]:
    """Calls that went well, calls that failed, messages sent again."""
    totals = result.statistics
    return totals.successful, totals.failed, totals.retransmissions


async def test_sipp_calls_an_agent(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp("uac", "-r", "50", "-d", "100", target=target, calls=50) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert done(result) == (50, 0, 0)
    assert callee.ended == ["remote"] * 50


async def test_an_agent_calls_sipp(agent: UserAgent, sipp: Launch) -> None:
    async def call_once() -> str:
        async with agent.call(callee.uri) as call:
            await asyncio.sleep(0.1)
        return (await call.ended()).by

    with sipp("uas", calls=20) as callee:
        assert await asyncio.gather(*(call_once() for _ in range(20))) == ["local"] * 20
        result = await callee.ended()  # the built-in scenario stays for four seconds, for what comes late
    assert result.problems == ""
    assert done(result) == (20, 0, 0)


@asynccontextmanager
async def command(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``sipstack`` with the arguments, its output in a file ``events``; killed on the way out if it runs."""
    with (folder / "events").open("wb") as events:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipstack", *arguments), stdin=asyncio.subprocess.DEVNULL, stdout=events
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_200_calls_a_second_for_20_seconds(
    tmp_path: Path, sipp: Launch, session_store: tuple[str, ...]
) -> None:
    port = free_port()
    options = ("--listen", f"udp:127.0.0.1:{port}", "--json", *session_store)
    async with command(tmp_path, "answer", *options) as process, asyncio.timeout(60):
        assert await asyncio.to_thread(wait_bound, port, 10.0)
        with sipp("uac", "-r", "200", target=f"127.0.0.1:{port}", calls=4000, limit=40) as caller:
            result = await caller.ended()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    assert result.problems == ""
    assert done(result) == (4000, 0, 0)


async def test_sipstack_call_to_sipp(tmp_path: Path, sipp: Launch) -> None:
    with sipp("uas") as callee:
        listen = ("--listen", "udp:127.0.0.1:0")
        async with command(tmp_path, "call", callee.uri, *listen, "--duration", "1", "--json") as process:
            async with asyncio.timeout(30):
                assert await process.wait() == 0
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 180 INVITE", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"]
    events = [json.loads(line) for line in (tmp_path / "events").read_text(encoding="utf-8").splitlines()]
    assert events[-1]["by"] == "local"
