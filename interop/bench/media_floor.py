"""The floor of ``media``: the packets of so many calls, read and sent by a bare loop of asyncio.

There is no playout, no codec, no RTCP and no statistics: this is the cost of the sockets and the interpreter.
What is sent has a true header; what comes is read and counted.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from interop.bench.media_seat import HOST, SILENCE, destinations, serve

SLOTS = 8
STEP = 0.02 / SLOTS
HEADER = struct.Struct("!BBHII")
PAYLOAD = SILENCE * 160


class Call:
    """One socket, and the numbers of what it sends."""

    def __init__(self, destination: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((HOST, 0))
        self.port: int = self.socket.getsockname()[1]
        self.heard = 0
        self._to = HOST, destination
        self._number = 0

    def read(self) -> None:
        """One datagram has come."""
        self.socket.recvfrom(2048)
        self.heard += 1

    def send(self) -> None:
        """The next packet."""
        self._number = number = self._number + 1
        header = HEADER.pack(0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, self.port)
        self.socket.sendto(header + PAYLOAD, self._to)


class Clock:
    """Has each call send each 20 ms, an eighth of them at a time."""

    def __init__(self, calls: list[Call]) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls = calls
        self._step = 0
        self._began = self._loop.time()
        self._tick()

    def _tick(self) -> None:
        for call in self._calls[self._step % SLOTS :: SLOTS]:
            call.send()
        self._step += 1
        self._loop.call_at(self._began + self._step * STEP, self._tick)


async def main(arguments: list[str]) -> None:
    """Serves until the standard input ends."""
    calls = [Call(destination) for destination in destinations(arguments)]
    for call in calls:
        asyncio.get_running_loop().add_reader(call.socket, call.read)
    Clock(calls)
    await serve([call.port for call in calls], lambda: sum(call.heard for call in calls))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
