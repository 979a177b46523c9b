"""Which of our addresses a call goes on at whose peer has said nothing yet."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence

from sipstack import sdp
from sipstack.core.outputs import Flow
from sipstack.errors import ParseError, TransportError
from sipstack.message import NameAddr, SipUri
from sipstack.net.network import Endpoint
from sipstack.usage.invite.record import SessionRecord

UNKNOWN = "192.0.2.1", "2001:db8::1"
"""Addresses of nobody: on the way there we are at the address of the default route."""


def flow_towards(endpoints: Sequence[Endpoint], record: SessionRecord) -> Flow:
    """A flow of the kind that requests in this dialog would take, from our end of the way to its media. For
    its near end alone: where the peer is, the router finds out. Raises TransportError.
    """
    wanted = _transport(record.dialog.next_hop)
    fitting = [each for each in endpoints if each.transport.name.lower() == wanted] or list(endpoints)
    for endpoint in fitting:
        for host in (*_hosts(record), *UNKNOWN):
            with contextlib.suppress(TransportError):
                return endpoint.flow_to((host, 5060))
    raise TransportError("none of our addresses leads to the peer of the call")


def _transport(next_hop: str) -> str:
    uri = NameAddr.parse(next_hop if "<" in next_hop else f"<{next_hop}>").uri
    if not isinstance(uri, SipUri):
        return "udp"
    if uri.scheme == "sips":
        return "tls"
    return (uri.parameters.get("transport") or "udp").lower()


def _hosts(record: SessionRecord) -> Iterator[str]:
    """The addresses of the peer's media that are there in figures."""
    try:
        remote = sdp.parse(record.remote or b"")
    except ParseError:
        return
    for medium in remote.media:
        connection = remote.connection_of(medium)
        if connection is not None and not connection.nowhere:
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(connection.address)
                yield connection.address
