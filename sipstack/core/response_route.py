"""A response whose connection is gone goes over another one (RFC 3261 §18.2.2)."""

from __future__ import annotations

from typing import Protocol

from sipstack.core.outputs import Target
from sipstack.core.router import Route, Router
from sipstack.core.routing import as_address
from sipstack.errors import SipError
from sipstack.message import Response, Via
from sipstack.transaction.flow import Flow, uri_host
from sipstack.transaction.timers import NEVER


class ResponseContext(Protocol):
    """The parts of the core that a response on its way needs."""

    router: Router

    def transmit(self, flow: Flow, data: bytes) -> None: ...

    def response_lost(self, response: Response, error: SipError, now: float) -> None:
        """No connection leads back to the peer."""


class ResponseRoute:
    """Looks for another connection: to the address that the request came from, at the port of its Via; then
    to what its Via names. It begins by itself, at the next look at the deadlines.
    """

    __slots__ = ("_core", "_flow", "_response", "deadline", "scheduled")

    def __init__(self, core: ResponseContext, flow: Flow, response: Response) -> None:
        self._core = core
        self._flow = flow
        self._response = response
        self.deadline = 0.0
        self.scheduled = NEVER

    def __repr__(self) -> str:
        return f"<ResponseRoute {self._response.status} to {self._flow.remote}>"

    def timeout(self, now: float) -> None:
        self.deadline = NEVER
        router, via, flow = self._core.router, self._response.via, self._flow
        transport = router.transports.get(flow.transport)
        port = via.port or (transport.default_port if transport is not None else 5060)
        source = as_address(via.received or via.host) or flow.remote[0]
        domain = via.host.strip("[]") if flow.secure else ""
        route = Route(router, _next_hop(via, flow), self)
        route.start_at(Target(flow.transport, (source, port), domain), now)

    def faulted(self, error: SipError, now: float) -> None:
        self.unroutable(error, now)

    def flow_found(self, flow: Flow, now: float) -> None:
        self._core.transmit(flow, bytes(self._response))

    def unroutable(self, error: SipError, now: float) -> None:
        self._core.response_lost(self._response, error, now)


def _next_hop(via: Via, flow: Flow) -> str:
    """The sent-by of a request, as a next hop (RFC 3263 §5)."""
    scheme = "sips" if flow.secure else "sip"
    port = f":{via.port}" if via.port else ""
    return f"{scheme}:{uri_host(via.host.strip('[]'))}{port};transport={flow.transport.lower()}"
