"""From a URI to a transport address or a question about a name (RFC 3261 §8.1.2, §18.2.2, RFC 3263 §4).

Pure functions: what the URI itself decides is decided here, with the transports that we have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from sipstack.core.outputs import Question, Target, Transport
from sipstack.core.web_resource import WebResource
from sipstack.errors import ResolutionError
from sipstack.message import Headers, NameAddr, Request, SipUri, Uri, Via
from sipstack.message.grammar import split_commas
from sipstack.transaction.flow import Flow

DEFAULT_PORT = 5060
UNSECURED, SECURED = "UDP", "TLS"
"""The transport of a sip: and of a sips: URI that names none, where we have it (RFC 3263 §4.1)."""
WEB = ("WS", "WSS")
NO_RESOURCES: Mapping[tuple[str, int], WebResource] = MappingProxyType({})
OVER = {"TCP": "TLS", "WS": "WSS"}
"""What a sips: URI means by a transport: TLS over it (RFC 5630 §3.1.4, RFC 7118 §5.3)."""
Resources = Mapping[tuple[str, int], WebResource]
"""The WebSockets that are known by URL, by host and port."""


def destination(
    next_hop: str, transports: Mapping[str, Transport], resources: Resources = NO_RESOURCES
) -> Target | Question:
    """Where a request for ``next_hop`` (a URI or name-addr) goes. Raises ResolutionError or ParseError."""
    uri = NameAddr.parse(next_hop).uri if "<" in next_hop else _uri(next_hop)
    if not isinstance(uri, SipUri):
        raise ResolutionError(f"cannot send to a {uri.scheme}: URI without a proxy")
    transport = _transport(uri, transports, resources)
    host = uri.parameters.get("maddr") or uri.host
    port = uri.port if uri.port is not None else transport.default_port
    address = as_address(host)
    if address is not None:
        domain = uri.host.strip("[]") if transport.secure or transport.name in WEB else ""
        return Target(transport.name, (address, port), domain)
    return Question(
        transport.name,
        host,
        port,
        transport.secure,
        has_port=uri.port is not None,
        has_transport="transport" in uri.parameters,
        domain=uri.host if host != uri.host else "",
    )


def _transport(uri: SipUri, transports: Mapping[str, Transport], resources: Resources) -> Transport:
    """The one that the URI names, else the usual one, else any of ours that is good enough."""
    secure = uri.scheme == "sips"
    named = (uri.parameters.get("transport") or "").upper()
    if named == "WS" and resources:
        known = resources.get((uri.host.strip("[]").lower(), uri.port or 0))
        named = named if known is None else known.transport
    if secure:
        named = OVER.get(named, named)
    usual = transports.get(named or (SECURED if secure else UNSECURED))
    if usual is not None and usual.secure >= secure:
        return usual
    fitting = (each for each in transports.values() if each.secure >= secure and not named)
    found = next(fitting, None)
    if found is None:
        ours = ", ".join(sorted(transports)).lower() or "none"
        # transport=udp would not help a sips: URI, which asks for a secured transport (§26.2.2)
        advice = "a sip: URI, if it need not be secured" if secure else "a proxy or a URI with transport=udp"
        raise ResolutionError(f"{uri}: the transport is not available (we have {ours}); give {advice}")
    return found


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


def with_source(request: Request, flow: Flow) -> Request:
    """The request with the source address in its top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
    via = request.via
    host, port = flow.remote
    wants_port = via.wants_port
    if not wants_port and (via.host == host or via.host.strip("[]") == host):
        return request
    parameters = via.parameters.with_("received", host)
    if wants_port:
        parameters = parameters.with_("rport", str(port))
    first = Via(via.transport, via.host, via.port, parameters, via.protocol)
    # the rest as it came: what is only given back needs no check
    index = request.headers.index
    row = index["Via"]
    rows = [row] if isinstance(row, str) else row
    rest = [*(split_commas(rows[0])[1:] if "," in rows[0] else ()), *rows[1:]]
    vias = [str(first), *rest] if rest else str(first)
    return request.with_headers(Headers.of_index({**index, "Via": vias}))
