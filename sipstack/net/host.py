"""The network of this host: which transports it has, and who makes their endpoints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType

from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Address
from sipstack.errors import TransportError
from sipstack.log import TRANSPORT
from sipstack.net.mapped_address import PATIENCE, server_address
from sipstack.net.network import AUTO, Endpoint, EndpointUser, Listen, stun_server
from sipstack.net.resolver import Resolver
from sipstack.net.settings import DEFAULTS, Settings
from sipstack.net.tcp import listen_on_tcp, tcp_dialler
from sipstack.net.tls import listen_on_tls, tls_dialler
from sipstack.net.udp import UdpEndpoint
from sipstack.net.websocket import WebSocketEndpoint, listen_on_websocket


async def _listen_on_udp(listen: Listen, user: EndpointUser, settings: Settings) -> Endpoint:
    loop = asyncio.get_running_loop()
    address = listen.host, listen.port
    server, learns = stun_server(listen.advertise), listen.advertise == AUTO
    endpoint = UdpEndpoint(
        loop,
        address,
        user.received,
        user.failed,
        advertise="" if server or learns else listen.advertise,
        learns=learns,
        maximum_datagram=listen.maximum_datagram,
    )
    if server is not None:
        try:
            await _learn_address(endpoint, server, user)
        except BaseException:
            endpoint.close()
            raise
    return endpoint


async def _learn_address(endpoint: UdpEndpoint, server: Address, user: EndpointUser) -> None:
    """Ask for the address at which others see the endpoint, and wait a moment for the answer. Where there is
    none, we go on with the one that is bound: the log has it.
    """
    started = False

    def told(mapped: Address) -> None:
        endpoint.advertise(mapped)
        if started:
            user.moved(endpoint, f"the STUN server sees us at {mapped[0]}:{mapped[1]}")

    try:
        address = await server_address(*server, ipv6=":" in endpoint.local[0])
    except TransportError as error:
        TRANSPORT.warning("our address is not learned: %s", error)
        return
    asked = endpoint.ask(address, told)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asked.first.wait()
    if asked.address is None:
        TRANSPORT.warning("the STUN server %s does not answer: we go on as %s", address, endpoint.local)
    started = True


Listener = Callable[[Listen, EndpointUser, Settings], Awaitable[Endpoint]]
Dialler = Callable[[EndpointUser, Settings], Endpoint]

LISTENERS: dict[str, Listener] = {
    "udp": _listen_on_udp,
    "tcp": listen_on_tcp,
    "tls": listen_on_tls,
    "ws": partial(listen_on_websocket, secure=False),
    "wss": partial(listen_on_websocket, secure=True),
}
"""The maker of the endpoint of each transport, by the name in a listening address. Raises TransportError."""
DIALLERS: Mapping[str, Dialler] = MappingProxyType(
    {
        "tcp": tcp_dialler,
        "tls": tls_dialler,
        "ws": partial(WebSocketEndpoint, secure=False),
        "wss": partial(WebSocketEndpoint, secure=True),
    }
)
"""The makers of endpoints that only open connections; in the order in which they are preferred."""


class HostNetwork:
    """The network of this host."""

    transports: Collection[str] = tuple(LISTENERS)

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        self._settings = settings
        self._resolver = settings.resolver or Resolver()

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        return await LISTENERS[listen.transport](listen, user, self._settings)

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        return [make(user, self._settings) for name, make in DIALLERS.items() if name not in spoken]

    async def resolve(self, query: Query) -> Answer:
        return await self._resolver.resolve(query)
