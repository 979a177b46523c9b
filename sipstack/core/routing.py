"""From a URI to transport addresses, as questions to the driver (RFC 3261 §8.1.2, §18.2.2, RFC 3263 §4).

What the URI itself decides is decided here; a name becomes a Question. NAPTR and SRV will be further
questions.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import attrs

from sipstack.core.outputs import Question, Target
from sipstack.errors import ResolutionError
from sipstack.message import NameAddr, SipUri, Uri, Via
from sipstack.transaction.flow import Flow

TRANSPORTS = ("UDP",)
DEFAULT_PORT = 5060


def destination(next_hop: str) -> Target | Question:
    """Where a request for ``next_hop`` (a URI or name-addr) goes. Raises ResolutionError or ParseError."""
    # A peer that calls often has one Contact. A peer that means harm gets no megabytes of our memory
    return _remembered(next_hop) if len(next_hop) < 200 else _read(next_hop)


def _read(next_hop: str) -> Target | Question:
    uri = NameAddr.parse(next_hop).uri if "<" in next_hop else _uri(next_hop)
    if not isinstance(uri, SipUri):
        raise ResolutionError(f"cannot send to a {uri.scheme}: URI without a proxy")
    transport = (uri.parameters.get("transport") or "UDP").upper()
    if uri.scheme == "sips" or transport not in TRANSPORTS:
        raise ResolutionError(
            f"{uri}: the transport is not available; give a proxy or a URI with transport=udp"
        )
    host = uri.parameters.get("maddr") or uri.host
    port = uri.port if uri.port is not None else DEFAULT_PORT
    address = as_address(host)
    if address is not None:
        return Target(transport, (address, port))
    return Question(transport, host, port)


_remembered = lru_cache(maxsize=1024)(_read)


def _uri(text: str) -> Uri:
    return NameAddr.parse(f"<{text}>").uri


def as_address(host: str) -> str | None:
    """``host`` in canonical form when it is an IP address (IPv6 with or without brackets), else None."""
    text = host[1:-1] if host.startswith("[") else host
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def reply_flow(flow: Flow, via: Via) -> Flow:
    """Where the response to a request goes over an unreliable flow (RFC 3261 §18.2.2, RFC 3581 §4).

    To the source address; to the source port when the peer asked by rport, else to the port in its Via.
    """
    port = via.port if via.port is not None else DEFAULT_PORT
    if port == flow.remote[1] or flow.reliable or via.wants_port:
        return flow
    return attrs.evolve(flow, remote=(flow.remote[0], port))
