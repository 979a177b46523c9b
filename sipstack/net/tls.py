"""TLS over TCP (RFC 3261 §26.2.1), with the domain proved as RFC 5922 wants it."""

from __future__ import annotations

import asyncio
import ssl

from sipstack.core.outputs import Transport
from sipstack.errors import TransportError
from sipstack.net.certificates import identities, proves
from sipstack.net.connection import Connection
from sipstack.net.network import EndpointUser, Listen
from sipstack.net.reasons import authority, tls_reason
from sipstack.net.settings import Settings
from sipstack.net.stream_endpoint import StreamEndpoint
from sipstack.net.tcp import dialling, listening
from sipstack.net.tls_buffer import shrink_buffer
from sipstack.net.tls_contexts import TlsContexts
from sipstack.net.tls_settings import Tls

TLS = Transport("TLS", reliable=True, secure=True, default_port=5061)
GOODBYE = 2.0
"""Seconds that a peer has to answer the end of TLS."""


class TlsHandshake:
    """Secures the connections of one endpoint."""

    def __init__(self, contexts: TlsContexts, settings: Settings) -> None:
        self._contexts = contexts
        self._limit = settings.streams.opening

    async def __call__(self, connection: Connection) -> asyncio.Transport:
        target = connection.target
        domain = (target.domain or target.address[0]) if target is not None else ""
        name = domain or "the peer"
        context = self._contexts.client() if target is not None else self._contexts.server()
        raw = connection.transport
        assert raw is not None
        loop = asyncio.get_running_loop()
        failed, secured = "", None
        loop.call_soon(shrink_buffer, raw)  # before the first octet: who never greets costs little, too
        try:
            secured = await loop.start_tls(
                raw,
                connection,
                context,
                server_side=target is None,
                server_hostname=domain or None,
                ssl_handshake_timeout=self._limit,
                ssl_shutdown_timeout=GOODBYE,
            )
        except (OSError, ValueError) as error:
            port = target.address[1] if target is not None else 0
            failed = tls_reason(error, name, port)
            error.__traceback__ = None  # its frames hold all of TLS, and asyncio keeps it in one of them
        if failed or secured is None:
            raise TransportError(failed or f"{name} broke off the handshake of TLS")
        if domain and (fault := fault_of(secured, domain, self._contexts.tls)):
            raise TransportError(fault)
        return secured


def fault_of(transport: asyncio.Transport, domain: str, tls: Tls, *, web: bool = False) -> str:
    """In words, when the certificate of the far end is for somebody else; else "". On the ``web`` DNS names
    count, with wildcards (RFC 7118 §9, RFC 2818 §3.1).
    """
    found = transport.get_extra_info("ssl_object")
    if not tls.verify or found.context.verify_mode is ssl.CERT_NONE:
        return ""
    certificate = found.getpeercert()
    wildcards = web or tls.wildcards
    if proves(certificate, domain, wildcards=wildcards, web=web):
        return ""
    whose = " and ".join(identities(certificate, web=web)[:5]) or "nobody"
    return f"the certificate of {domain} is for {whose}"


async def listen_on_tls(listen: Listen, user: EndpointUser, settings: Settings) -> StreamEndpoint:
    """A listening endpoint. Raises TransportError."""
    contexts = TlsContexts(settings.tls)
    try:
        contexts.server()
    except TransportError as error:
        where = f"tls:{authority((listen.host, listen.port))}"
        raise TransportError(f"cannot listen on {where}: {error}") from error
    return await listening(TLS, listen, user, settings, TlsHandshake(contexts, settings))


def tls_dialler(user: EndpointUser, settings: Settings) -> StreamEndpoint:
    """An endpoint that only opens connections."""
    return dialling(TLS, user, settings, TlsHandshake(TlsContexts(settings.tls), settings))
