"""One UDP port of several processes ("workers"), for more calls than one processor can carry.

The kernel gives each datagram to one of them, by the address of its sender alone: what comes from one proxy
comes to one worker. A worker that receives what is another's passes it on as it is, with its sender's
address, over a pair of sockets that nobody else can reach; the owner answers from the shared port. So a call
has one process, its messages keep their order, and what a worker does for another is to read and to pass on.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Collection

from sipstack.core.outputs import Flow
from sipstack.errors import LocalProtocolError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import TRANSPORT
from sipstack.net.call_ids import OwnCallIds, Partition, call_id_of
from sipstack.net.host import HostNetwork
from sipstack.net.network import AUTO, Endpoint, EndpointUser, Listen, stun_server
from sipstack.net.settings import Settings
from sipstack.net.tls_settings import Tls
from sipstack.net.udp import BATCH, MAXIMUM_DATAGRAM, RECEIVE_BUFFER, TURN, UdpEndpoint, open_socket
from sipstack.readers import Reader, ReceiveFrom

HEADER = struct.Struct("!HB")
"""Before a datagram that is passed on: the sender's port, the length of its IP address, which follows."""
LONGEST = HEADER.size + 255 + MAXIMUM_DATAGRAM


class SharedPort:
    """A listening address, ``udp:HOST:PORT``, that ``workers`` processes share. It is made before they are
    forked, and kept open by who forks them: what comes while one is started again is not lost. Each of them
    ``become``s its number.

    Raises LocalProtocolError where this system or this address cannot be shared, and TransportError when the
    address is taken, also by others who share it.
    """

    def __init__(self, listen: str, workers: int) -> None:
        if workers < 1:
            raise LocalProtocolError(f"there cannot be {workers} workers")
        if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
            raise LocalProtocolError("this system has no processes that share a port")
        parsed = Listen.parse(listen)
        self._sockets: list[socket.socket] = []
        self._inboxes: list[tuple[socket.socket, socket.socket]] = []  # where it is put in, and taken out
        open_socket((parsed.host, parsed.port)).close()  # taken by others who share it, it could be bound
        try:
            address = parsed.host, parsed.port
            for _ in range(workers):
                self._sockets.append(open_socket(address, shared=True))
                address = parsed.host, self._sockets[0].getsockname()[1]
                self._inboxes.append(_inbox())
        except BaseException:
            self.close()
            raise
        self.address = address
        self.partition = Partition(workers, os.urandom(16))

    @property
    def listen(self) -> str:
        """The address for the user agents of the workers, with its real port."""
        host, port = self.address
        return f"udp:[{host}]:{port}" if ":" in host else f"udp:{host}:{port}"

    def network(self, number: int, tls: Tls | None = None) -> WorkerNetwork:
        """The network of the user agent of worker ``number``, from 0: each is some process's, and never of
        two at a time. ``tls`` is for connections that it opens.
        """
        return WorkerNetwork(self, number, Settings() if tls is None else Settings(tls=tls))

    def become(self, number: int) -> None:
        """In the process of a worker: close what is the others' to read."""
        for other in range(len(self._sockets)):
            if other != number:
                self.leave(other)

    def leave(self, number: int) -> None:
        """A worker is gone and is not started again: where all others know that, they take what is its."""
        self._sockets[number].close()
        self._inboxes[number][1].close()

    def sockets(self, number: int) -> tuple[socket.socket, socket.socket]:
        """The port and the inbox of a worker, for it to close."""
        return self._sockets[number].dup(), self._inboxes[number][1].dup()

    def put(self, number: int, frame: bytes) -> None:
        """Put it into the inbox of a worker. Raises OSError."""
        self._inboxes[number][0].send(frame)

    def close(self) -> None:
        """Close this process's sockets."""
        for each in self._sockets:
            each.close()
        for pair in self._inboxes:
            for each in pair:
                each.close()


def _inbox() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for each in pair:
        each.setblocking(False)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER)
    return pair


class SharedEndpoint(UdpEndpoint):
    """One worker's part of the port."""

    __slots__ = ("_mine", "_number", "_passed", "_shared")

    def __init__(
        self, shared: SharedPort, number: int, user: EndpointUser, *, advertise: str, maximum_datagram: int
    ) -> None:
        bound, inbox = shared.sockets(number)
        self._shared = shared
        self._number = number
        self._mine = user.received
        super().__init__(
            asyncio.get_running_loop(),
            shared.address,
            self._sort,
            user.failed,
            advertise=advertise,
            maximum_datagram=maximum_datagram,
            bound=bound,
        )
        self._passed = Reader(inbox, LONGEST, self._read_passed)

    def close(self) -> None:
        super().close()
        self._passed.close()

    def _sort(self, flow: Flow, data: bytes) -> None:
        """Take what is ours, and what is nobody's."""
        call_id = call_id_of(data)
        owner = self._number if call_id is None else self._shared.partition.owner(call_id)
        if owner == self._number:
            self._mine(flow, data)
        else:
            self._pass_on(owner, flow, data)

    def _pass_on(self, owner: int, flow: Flow, data: bytes) -> None:
        host, port = flow.remote
        name = host.encode()
        try:
            self._shared.put(owner, HEADER.pack(port, len(name)) + name + data)
        except ConnectionError:  # it has left for good
            self._mine(flow, data)
        except OSError:  # it cannot keep up, and the transaction repeats what is lost
            self._lose()

    def _read_passed(self, receive_from: ReceiveFrom) -> None:
        """What others have passed on: so much in one turn, and the rest in the next."""
        clock, mine = self._clock, self._mine
        until = clock() + TURN
        for _ in range(BATCH):
            try:
                frame, _ = receive_from(LONGEST)
            except OSError:  # nothing more
                return
            port, length = HEADER.unpack_from(frame)
            begins = HEADER.size + length
            address = frame[HEADER.size : begins].decode(), port
            try:
                flow = self._flows.get(address) or self._remember(address)
            except TransportError as error:
                TRANSPORT.debug("a datagram is dropped: %s", error)
                continue
            mine(flow, frame[begins:])
            if self._closed or clock() >= until:
                return


class WorkerNetwork(HostNetwork):
    """The network of one worker. Of addresses to listen on there is the shared port alone; connections that
    it opens itself are its own.
    """

    transports: Collection[str] = ("udp",)

    def __init__(self, shared: SharedPort, number: int, settings: Settings) -> None:
        super().__init__(settings)
        self._shared = shared
        self._number = number
        self.name = f"worker {number}"

    def identifiers(self, source: random.Random | None) -> Identifiers:
        """Those of this worker: see ``OwnCallIds``."""
        return OwnCallIds(source, self._shared.partition, self._number)

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        if (listen.host, listen.port) != self._shared.address:
            raise TransportError(f"a worker listens on {self._shared.listen} and nowhere else")
        if listen.advertise == AUTO or stun_server(listen.advertise) is not None:
            raise LocalProtocolError("workers cannot find out how others see them: advertise a host")
        return SharedEndpoint(
            self._shared,
            self._number,
            user,
            advertise=listen.advertise,
            maximum_datagram=listen.maximum_datagram,
        )


__all__ = ["SharedPort", "WorkerNetwork"]
