"""Addresses of media: the peer's, which a description may name, and ours on the way to it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

from sipstack.errors import NegotiationError
from sipstack.media.peer_address import Address
from sipstack.sdp import Connection

LOOKUPS = 4
"""Names looked up at once, by the whole process: descriptions come from anybody, and a name server of theirs
may take its time. More are refused."""
PATIENCE = 2.0
"""Seconds that a name may take."""

T = TypeVar("T")
P = ParamSpec("P")


async def resolve(host: str, port: int, family: socket.AddressFamily) -> Address:
    """The address in a c= line as sockets take it; names are rare there, but allowed (RFC 8866 §5.7).

    A name gets a thread of its own: the loop's threads are needed for the names of our own calls. Raises
    NegotiationError when nothing of this family can be found, or not soon.
    """
    try:
        if family == socket.AF_INET and _is_ipv4(host):
            return host, port
        if ":" in host or host.replace(".", "").isdigit():
            found = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
            return found[0][4]
        async with asyncio.timeout(PATIENCE):
            loop = asyncio.get_running_loop()
            kind = socket.SOCK_DGRAM
            found = await loop.run_in_executor(_lookups, socket.getaddrinfo, host, port, family, kind)
            return found[0][4]
    except TimeoutError:
        raise NegotiationError(f"no way to send media to {host!r}: it is not found in time") from None
    except (OSError, ValueError) as error:
        raise NegotiationError(f"no way to send media to {host!r}: {error}") from error


async def destination(host: str, port: int, local: str) -> Address | None:
    """Where to send from ``local``; None for those that mean "send me nothing". Raises NegotiationError."""
    if not port or Connection(host).nowhere:
        return None
    return await resolve(host, port, socket.AF_INET6 if ":" in local else socket.AF_INET)


def _is_ipv4(host: str) -> bool:
    """Whether this is an address of IPv4 as sockets give it, so that nothing is to be looked up."""
    try:
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, host)) == host
    except (OSError, ValueError):  # no address; a NUL or what is not ASCII
        return False


class Lookups(Executor):
    """A few threads of our own, each a daemon: a name server that is silent does not keep the process from
    ending. ``submit`` raises OSError when all are busy.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._free.acquire(blocking=False):
            raise OSError("too many names are being looked up")
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                outcome: Callable[[], None] = partial(future.set_exception, error)
            else:
                outcome = partial(future.set_result, result)
            self._free.release()
            outcome()

        future.set_running_or_notify_cancel()
        threading.Thread(target=work, name="sipstack media name", daemon=True).start()
        return future


_lookups = Lookups(LOOKUPS)


def local_address(remote: str) -> str | None:
    """Our address on the way to ``remote``, by asking the routing table; None when there is no way, or when
    it is a name: to look one up takes time.
    """
    try:
        found = socket.getaddrinfo(remote, 9, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
        with socket.socket(found[0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[4])
            return str(probe.getsockname()[0])
    except (OSError, ValueError):
        return None


def is_ours(address: str) -> bool:
    """Whether a socket can be bound to this address, so whether it is still there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
