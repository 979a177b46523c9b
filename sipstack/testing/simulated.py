"""UDP endpoints on a simulated network, moved by a clock.

The clock is the running event loop, unless another is given. Meant for ``sipstack.testing.loop``, where
delays take no real time, and for ``sipstack.testing.clock``; it works under any loop.
"""

from __future__ import annotations

import asyncio
import errno
import math
from collections.abc import Callable, Mapping, Sequence

from sipstack.core.dns_records import Answer, Query, Record
from sipstack.testing.clock import Clock, Timer
from sipstack.testing.names import answer
from sipstack.testing.network import Delivery, Network
from sipstack.testing.ports import system_error, taking
from sipstack.transaction.flow import Address

Receive = Callable[[bytes, Address], None]
"""Called with the octets of a datagram and the address that it came from."""
Failed = Callable[[Address, OSError], None]
"""Called with the address that could not be reached, and why."""


class SimulatedNetwork:
    """Opens endpoints on ``network``, and keeps one alarm for its next delivery.

    ``names`` are the host names, in lower case, that ``answer`` finds; entries may be added later. With
    ``icmp``, sending to a port where nobody listens calls the sender's ``failed`` with
    ConnectionRefusedError, one round trip later; without, it is silence. ``clock`` gives the clock that is
    to be asked and set now.
    """

    def __init__(
        self,
        network: Network,
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        icmp: bool = False,
        clock: Callable[[], Clock] = asyncio.get_running_loop,
    ) -> None:
        self.network = network
        self._clock = clock
        self._names = names if names is not None else {}
        self.records: dict[Query, list[Record]] = {}
        """What the DNS has beside the addresses of ``names``: SRV, NAPTR."""
        self._icmp = icmp
        self._endpoints: dict[Address, SimulatedEndpoint] = {}
        self._alarm: Timer | None = None

    @property
    def listening(self) -> list[Address]:
        """The addresses of the endpoints that are open, in order."""
        return sorted(self._endpoints)

    @property
    def now(self) -> float:
        """The time of its clock."""
        return self._clock().time()

    def listen(self, host: str, port: int, receive: Receive, failed: Failed) -> SimulatedEndpoint:
        """Open an endpoint on ``host``, an IP address of one host (no wildcard); port 0 takes a free one.

        Raises OSError: EADDRINUSE, EADDRNOTAVAIL. The callbacks run later, never inside ``send``.
        """
        local = taking(host, port, self._endpoints)
        endpoint = SimulatedEndpoint(self, local, receive, failed)
        self._endpoints[local] = endpoint
        return endpoint

    def answer(self, query: Query) -> Answer:
        """What the DNS of this network answers."""
        return answer(query, self._names, self.records)

    def transmit(self, source: Address, destination: Address, data: bytes) -> None:
        """Send from an address, whether or not an endpoint is open there: for tests that forge datagrams."""
        self.network.send(source, destination, data, self._clock().time())
        self._arm()

    def forget(self, endpoint: SimulatedEndpoint) -> None:
        """The endpoint is closed: its address is free."""
        if self._endpoints.get(endpoint.local) is endpoint:
            del self._endpoints[endpoint.local]

    def _arm(self) -> None:
        due = self.network.next_delivery
        if self._alarm is not None:
            if self._alarm.when() <= due:
                return
            self._alarm.cancel()
            self._alarm = None
        if due < math.inf:
            self._alarm = self._clock().call_at(due, self._deliver)

    def _deliver(self) -> None:
        self._alarm = None
        clock = self._clock()
        for delivery in self.network.deliveries(clock.time()):
            # Each in its own callback: an exception in one receiver does not lose the others' datagrams.
            clock.call_soon(self.hand_over, delivery)
        self._arm()

    def hand_over(self, delivery: Delivery) -> None:
        """Give what has arrived to the endpoint that is open at its destination, if any."""
        endpoint = self._endpoints.get(delivery.destination)
        if delivery.refused:
            if endpoint is not None:
                endpoint.failed(delivery.source, system_error(errno.ECONNREFUSED))
        elif endpoint is not None:
            endpoint.receive(delivery.data, delivery.source)
        elif self._icmp:
            self.network.refuse(delivery, self._clock().time())
            self._arm()


class SimulatedEndpoint:
    """An open UDP port at ``local``."""

    def __init__(self, network: SimulatedNetwork, local: Address, receive: Receive, failed: Failed) -> None:
        self.local = local
        self.receive = receive
        self.failed = failed
        self._network = network
        self._closed = False

    def __repr__(self) -> str:
        host, port = self.local
        return f"<SimulatedEndpoint {host} {port}{' closed' if self._closed else ''}>"

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram. Raises OSError (EBADF) once the endpoint is closed."""
        if self._closed:
            raise system_error(errno.EBADF)
        self._network.transmit(self.local, remote, data)

    def close(self) -> None:
        """Stop receiving; what has been sent still arrives. May be called again."""
        self._closed = True
        self._network.forget(self)
