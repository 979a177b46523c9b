"""200 calls a second for 20 seconds over TCP and over TLS, to us and from us: none may fail."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interop.bench.no_media import NoMedia
from interop.ports import free_port
from interop.sipp.process import Launch, Result, wait_bound
from sipstack import Invitation, Tls, UserAgent
from sipstack.testing.certificates import CertificateAuthority

HOST = "127.0.0.1"
RATE = 200  # calls a second
CALLS = 20 * RATE
LIMIT = 60.0  # seconds

NO_MEDIA = NoMedia()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with certificates."""
    authority = CertificateAuthority()
    authority.write(tmp_path)
    authority.issue(HOST).write(tmp_path, "server")
    return tmp_path


@asynccontextmanager
async def relay(accepted: str, dialled: str, target: int, folder: Path) -> AsyncIterator[int]:
    """A second process that relays; gives its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "interop.sipp.relay", accepted, str(port), dialled, str(target), str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        assert await asyncio.to_thread(wait_bound, port, 10.0, protocol="tcp")
        yield port
    finally:
        process.kill()
        await process.wait()


def agent(folder: Path, listen: str) -> UserAgent:
    tls = Tls(
        certificate=folder / "server.crt", key=folder / "server.key", authority=folder / "authority.crt"
    )
    return UserAgent("sip:sut@127.0.0.1", listen=listen, media=lambda host: NO_MEDIA, tls=tls)


async def answer(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.ended()


def done(result: Result) -> tuple[int, int]:
    """Calls that went well, calls that failed."""
    return result.statistics.successful, result.statistics.failed


@pytest.mark.parametrize("transport", ["t1", "tn"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_sipp_calls_us(sipp: Launch, folder: Path, secure: bool, transport: str) -> None:
    """Over one connection, and over one for each call."""
    async with agent(folder, f"{'tls' if secure else 'tcp'}:{HOST}:0") as ua, ua.serving(answer):
        ((_, _, port),) = ua.listening
        async with relay("tcp", "tls" if secure else "tcp", port, folder) as relayed:
            options = {"target": f"{HOST}:{relayed if secure else port}", "calls": CALLS, "limit": LIMIT}
            with sipp(
                "uac", *("-r", str(RATE), "-max_socket", "2000"), **options, transport=transport, trace=False
            ) as caller:
                result = await caller.ended()
    assert result.problems == ""
    assert done(result) == (CALLS, 0)


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_we_call_sipp(sipp: Launch, folder: Path, secure: bool) -> None:
    async with agent(folder, f"udp:{HOST}:0") as ua:
        target = free_port()
        async with relay("tls", "tcp", target, folder) as relayed:
            scenario = ("uas_relayed", "-key", "relay", str(relayed)) if secure else ("uas",)
            options = {"port": target, "calls": CALLS, "limit": LIMIT, "transport": "t1", "trace": False}
            with sipp(*scenario, "-max_socket", "2000", **options) as callee:
                uri = f"sip:sipp@{HOST}:{relayed};transport=tls" if secure else callee.uri
                try:
                    await place_calls(ua, uri)
                except ExceptionGroup as error:
                    pytest.fail(f"{error.exceptions}, and {callee.result().problems}")
                result = await callee.ended()
    assert result.problems == ""
    assert done(result) == (CALLS, 0)


async def place_calls(ua: UserAgent, uri: str) -> None:
    """All of them, evenly in time. Raises the first error."""

    async def call_once() -> None:
        async with ua.call(uri):
            pass

    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as calls:
        for number in range(CALLS):
            await asyncio.sleep(begun + number / RATE - loop.time())
            calls.create_task(call_once())
