"""kill -9 of a registered phone, which is started again: the registrar has one contact of it, and not two."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from interop.kamailio.server import Kamailio, running
from interop.processes import ended_with_us

TIMEOUT = 15.0  # seconds


@asynccontextmanager
async def phone(server: Kamailio, *file: Path) -> AsyncIterator[dict[str, Any]]:
    """What the registrar has of it, as its 200 says. Afterwards it is killed."""
    command = [*ended_with_us(), sys.executable, "-m", "interop.kamailio.kept_phone", server.proxy("udp")]
    process = await asyncio.create_subprocess_exec(*command, *map(str, file), stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            yield json.loads(await process.stdout.readline())
            await asyncio.sleep(0.5)  # nobody waits for a binding to be written
    finally:
        process.kill()
        await process.wait()


async def test_who_was_killed_refreshes_the_contact_that_there_is(kamailio: Kamailio, tmp_path: Path) -> None:
    file, before = tmp_path / "kept", None
    with running() as server:
        for _ in range(4):
            async with phone(server, file) as now:
                assert len(now["contacts"]) == 1
                if before is not None:
                    assert now["call_id"] == before["call_id"]
                    assert now["cseq"] > before["cseq"]
                    assert now["contacts"] != before["contacts"]  # another port: the one before is gone
                before = now


async def test_without_a_store_each_start_leaves_one_contact_more(kamailio: Kamailio) -> None:
    with running() as server:
        for number in range(1, 4):
            async with phone(server) as now:
                assert len(now["contacts"]) == number
