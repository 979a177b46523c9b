"""The peers whose word on who calls counts (RFC 3325 §2.3: the trust domain)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sipstack.errors import LocalProtocolError
from sipstack.message import Headers
from sipstack.message.headers import HeaderFields

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


class Trusted:
    """Networks of peers. Raises LocalProtocolError for what is no IP address or network."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[str] = ()) -> None:
        if isinstance(networks, str):
            raise LocalProtocolError(f"trusted is a list: write it like [{networks!r}]")
        self._networks: Networks = tuple([_network(text) for text in networks])

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, host: object) -> bool:
        """Whether ``host``, the IP address of a peer, is in one of the networks."""
        if not self._networks or not isinstance(host, str):
            return False
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def asserts(headers: HeaderFields, trusted: Trusted) -> bool:
    """Whether the application writes P-Asserted-Identity by hand. Raises LocalProtocolError where nobody is
    trusted: it is for peers of the trust domain alone (RFC 3325 §5).
    """
    if not headers or "P-Asserted-Identity" not in Headers(headers):
        return False
    if not trusted:
        raise LocalProtocolError("P-Asserted-Identity goes to trusted peers alone: name them in trusted=")
    return True


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise LocalProtocolError(
            f"{text!r} is no network to trust: write it like 192.0.2.0/24 or 2001:db8::1"
        ) from None


NOBODY = Trusted()
