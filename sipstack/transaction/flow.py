"""Where a message goes and where it came from."""

from __future__ import annotations

from typing import Any

import attrs

Address = tuple[str, int]  # host (an IP address without brackets), port


def uri_host(host: str) -> str:
    """``host`` as URIs and Via fields write it: an IPv6 address in brackets (RFC 3261 §25.1)."""
    return f"[{host}]" if ":" in host else host


@attrs.define(frozen=True, eq=True, slots=True, cache_hash=True)
class Flow:
    """One pair of transport addresses and the protocol between them (RFC 5626 §2).

    ``local`` is the address at which the peer reaches us, never a wildcard. Reliability belongs here and not
    to the build: it decides which timers a transaction runs.
    """

    transport: str  # as in Via: "UDP", "TCP", "TLS", "WS", "WSS"
    local: Address
    remote: Address
    reliable: bool = False
    secure: bool = False
    carrier: Any = attrs.field(default=None, eq=False, repr=False)
    """The driver's own mark (its socket). Nothing in the core looks at it."""
    _via: str = attrs.field(init=False, repr=False, eq=False)
    contact_address: str = attrs.field(init=False, repr=False, eq=False)
    """``host:port`` and parameters of a Contact URI that leads to this flow's local end."""

    @_via.default
    def _make_via(self) -> str:
        return f"SIP/2.0/{self.transport} {uri_host(self.local[0])}:{self.local[1]};branch="

    @contact_address.default
    def _make_contact_address(self) -> str:
        parameter = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        return f"{uri_host(self.local[0])}:{self.local[1]}{parameter}"

    def via(self, branch: str) -> str:
        """Our Via value for a request with this branch; it asks for the answer at our source port (RFC
        3581).
        """
        return f"{self._via}{branch};rport"
