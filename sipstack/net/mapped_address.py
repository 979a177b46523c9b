"""The address at which others see a UDP socket, asked of a STUN server from that socket (RFC 8489).

Asked at the start, and again and again: that keeps the NAT's binding, and tells when it is another one.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable

from sipstack import stun
from sipstack.core.outputs import Address
from sipstack.errors import ParseError, TransportError
from sipstack.log import TRANSPORT

FIRST_WAIT = 0.5
"""Seconds until the first repetition; each wait is twice the one before (RFC 8489 §6.2.1)."""
REQUESTS = 7
"""Of one question (Rc in RFC 8489 §6.2.1)."""
PATIENCE = 3.0
"""Seconds that the start waits for the first answer."""
INTERVAL = 25.0
"""Seconds between two questions at the most; the next comes after 80 % of it at the earliest."""

Send = Callable[[bytes, Address], None]
Told = Callable[[Address], None]


class MappedAddress:
    """Asks ``server`` (an IP address and port) through ``send``, and tells each address that is news.

    An answer counts when it comes from the server and has the number of our question, which nobody can guess.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: Address,
        send: Send,
        told: Told,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
        octets: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._loop = loop
        self._server = server
        self._send = send
        self._told = told
        self._uniform = uniform
        self._octets = octets
        self._question = b""  # the transaction id of the one that waits for its answer
        self._left = 0
        self._wait = FIRST_WAIT
        self._timer: asyncio.TimerHandle | None = None
        self._failing = False
        self.address: Address | None = None
        """What the latest answer said; None before the first."""
        self.first: asyncio.Event = asyncio.Event()
        """Set when the first question is answered, or nobody will answer it."""

    def ask(self) -> None:
        """Begin; it goes on until ``close``."""
        self._question = self._octets(12)
        self._left, self._wait = REQUESTS, FIRST_WAIT
        self._repeat()

    def ask_anew(self) -> None:
        """We are in another network: whatever the answer is, it is news."""
        self.address = None
        self.ask()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._question = b""
        self.first.set()

    def received(self, data: bytes, source: Address) -> None:
        """A STUN message has come. What is no answer to our question is dropped."""
        if source != self._server or not self._question or data[8:20] != self._question:
            TRANSPORT.debug("a STUN message that nobody asked for, from %s", source)
            return
        try:
            binding = stun.parse(data)
        except ParseError as error:  # the right one may still come
            TRANSPORT.info("the answer of the STUN server %s cannot be read: %s", self._server, error)
            return
        self._question = b""
        if binding.address is None:
            self._fail(f"it refuses: {binding.error}")
            return
        self._succeed(binding.address)

    def _succeed(self, address: Address) -> None:
        self._failing = False
        self._later()
        before, self.address = self.address, address
        self.first.set()
        if address != before:
            TRANSPORT.info("the STUN server %s sees us at %s", self._server, address)
            self._told(address)

    def _repeat(self) -> None:
        if not self._left:
            self._question = b""
            self._fail("no answer")
            return
        self._left -= 1
        self._send(stun.request(self._question), self._server)
        self._arm(self._wait, self._repeat)
        self._wait *= 2

    def _fail(self, why: str) -> None:
        """Nothing was learned: what we knew stays, and we ask again."""
        if not self._failing:
            TRANSPORT.warning("the STUN server %s does not tell our address: %s", self._server, why)
        self._failing = True
        self.first.set()
        self._later()

    def _later(self) -> None:
        self._arm(self._uniform(0.8 * INTERVAL, INTERVAL), self.ask)

    def _arm(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)


async def server_address(host: str, port: int, *, ipv6: bool) -> Address:
    """The address of a STUN server, of this IP version. Raises TransportError."""
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise TransportError(f"the STUN server {host} is not found: {error}") from error
    return str(found[0][4][0]), port
