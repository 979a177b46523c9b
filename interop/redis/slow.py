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
    _handlers: set[asyncio.Task[None]] = attrs.field(factory=set)
    _is_cut: bool = False

    def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.pass_on(reader, writer))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def cut(self) -> None:
        """What is on the way never arrives."""
        self._is_cut = True
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.server)
        except OSError:
            writer.close()
            return
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
                loop.call_later(self.delay, self._arrives, writer, octets)
        await asyncio.sleep(self.delay)

    def _arrives(self, writer: asyncio.StreamWriter, octets: bytes) -> None:
        if not self._is_cut:
            writer.write(octets)


@asynccontextmanager
async def slow_way(server: int, delay: float) -> AsyncIterator[SlowWay]:
    way = SlowWay(server, delay)
    listening = await asyncio.start_server(way.accepted, HOST, way.port)
    try:
        yield way
    finally:
        listening.close()
        await way.cut()
