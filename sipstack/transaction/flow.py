"""Where a message goes and where it came from."""

from __future__ import annotations

from typing import Any

import attrs

PARAMETERS = {"UDP": "", "WSS": ";transport=ws"}
"""The parameter of a Contact for each transport whose name it is not (RFC 3261 §19.1.1, RFC 7118 §5.3)."""

Address = tuple[str, int]  # host (an IP address without brackets), port


def uri_host(host: str) -> str:
    """``host`` as URIs and Via fields write it: an IPv6 address in brackets (RFC 3261 §25.1)."""
    return f"[{host}]" if ":" in host else host


@attrs.define(frozen=True, eq=True, slots=True, cache_hash=True)
class Flow:
    """One pair of transport addresses and the protocol between them (RFC 5626 §2).

    ``local`` is the address that is bound, never a wildcard; ``advertised`` the one that we write into Via
    and Contact: another one behind a NAT; with port 0 a name that needs none (``.invalid``, RFC 7118 §5.3).
    Reliability belongs here and not to the build: it decides which timers a transaction runs. ``connection``
    tells apart the connections that follow one another between the same two addresses, so that late news of
    an old one never hits its successor; 0 where there are none.
    """

    transport: str  # as in Via: "UDP", "TCP", "TLS", "WS", "WSS"
    local: Address
    remote: Address
    reliable: bool = False
    secure: bool = False
    connection: int = 0
    advertised: Address = attrs.field(eq=False)
    endpoint: Any = attrs.field(default=None, eq=False, repr=False)
    """The endpoint that carries the flow: the driver's own mark. Nothing in the core looks at it."""
    _via: str = attrs.field(init=False, repr=False, eq=False)
    dialled: bool = attrs.field(default=False, eq=False, kw_only=True)
    """Whether nobody listens at ``advertised``: peers reach us there over this connection alone."""
    reached: str = attrs.field(default="", repr=False, eq=False, kw_only=True)
    """A ``contact_address`` in place of this flow's own."""
    contact_address: str = attrs.field(init=False, repr=False, eq=False)
    """``host:port`` and parameters of a Contact URI that leads to this flow's local end."""

    @advertised.default
    def _as_bound(self) -> Address:
        return self.local

    @_via.default
    def _make_via(self) -> str:
        return f"SIP/2.0/{self.transport} {self._authority()};branch="

    @contact_address.default
    def _make_contact_address(self) -> str:
        if self.reached:
            return self.reached
        return self._authority() + PARAMETERS.get(self.transport, f";transport={self.transport.lower()}")

    @property
    def secure_contact_address(self) -> str:
        """The same for a sips: URI, which says that there is TLS below (RFC 5630 §3.1.4)."""
        return self._authority() + (";transport=ws" if self.transport == "WSS" else "")

    def _authority(self) -> str:
        host, port = self.advertised
        return f"{uri_host(host)}:{port}" if port else host

    def via(self, branch: str) -> str:
        """Our Via value for a request with this branch; it asks for the answer at our source port (RFC
        3581).
        """
        return f"{self._via}{branch};rport"
