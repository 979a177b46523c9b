"""Reading of UDP sockets on any loop of asyncio: those without ``add_reader``, as Windows' Proactor, too."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

Datagram = tuple[bytes, Any]
ReceiveFrom = Callable[[int], Datagram]
"""As ``recvfrom`` of a socket that does not block."""


class Reader:
    """Calls ``readable`` with a ReceiveFrom and ``arguments`` while ``sock`` has something to be read, until
    it is stopped. ``longest``: octets that are read of one datagram.
    """

    def __init__(
        self, sock: socket.socket, longest: int, readable: Callable[..., None], *arguments: object
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        try:
            self._loop.add_reader(sock.fileno(), readable, sock.recvfrom, *arguments)
        except NotImplementedError:
            self._task = self._loop.create_task(self._wait(longest, readable, *arguments))

    def stop(self) -> None:
        """Call it no more."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._task is None:
            self._loop.remove_reader(self._socket.fileno())
        else:
            self._task.cancel()

    def close(self) -> None:
        """Stop, and close the socket: at once, or as soon as the loop no more waits for it."""
        self.stop()
        if self._task is None or self._task.done():
            self._socket.close()
        else:
            self._task.add_done_callback(lambda _: self._socket.close())

    async def _wait(self, longest: int, readable: Callable[..., None], *arguments: object) -> None:
        """Such a loop says that something has come by handing it over: it is given out before the rest."""
        come: list[Datagram] = []

        def receive_from(size: int) -> Datagram:
            return come.pop() if come else self._socket.recvfrom(size)

        while True:
            try:
                come.append(await self._loop.sock_recvfrom(self._socket, longest))
            except OSError:  # of a datagram that was sent, as Windows tells; what lasts, ``readable`` meets
                await asyncio.sleep(0)
            try:
                readable(receive_from, *arguments)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a datagram was not handled", "exception": error}
                )
            come.clear()
            await asyncio.sleep(0)  # where more waits, others have their turn first
