"""A way to a server on which everything takes time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import attrs

from interop.ports import HOST, free_port


@attrs.define
class SlowWay:
    """``delay``: seconds in each direction, from now on."""

    server: int
    delay: float
    port: int = attrs.field(factory=free_port)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self.server)
        ways = ((reader, far_writer), (far_reader, writer))
        tasks = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            far_writer.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while octets := await reader.read(65536):
                loop.call_later(self.delay, writer.write, octets)
        await asyncio.sleep(self.delay)


@asynccontextmanager
async def slow_way(server: int, delay: float) -> AsyncIterator[SlowWay]:
    way = SlowWay(server, delay)
    handlers: set[asyncio.Task[None]] = set()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(way.pass_on(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    listening = await asyncio.start_server(accepted, HOST, way.port)
    try:
        yield way
    finally:
        listening.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
