"""Our user agents over each transport of Asterisk that has connections, and over IPv6."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from interop.asterisk.server import Asterisk
from sipstack import Tls, TracedMessage, UserAgent

HOSTS = {"4": "127.0.0.1", "6": "[::1]"}


@attrs.frozen
class Wire:
    """A transport over an IP version, written ``tls4``."""

    name: str

    @property
    def transport(self) -> str:
        return self.name[:-1]

    @property
    def host(self) -> str:
        return HOSTS[self.name[-1]]

    @property
    def user(self) -> str:
        """The endpoint of etc/pjsip_streams.conf."""
        return "wire6" if self.name.endswith("6") else "wire"

    def port(self, asterisk: Asterisk) -> int:
        return asterisk.port if self.transport in ("udp", "tcp") else getattr(asterisk.ports, self.transport)

    def proxy(self, asterisk: Asterisk) -> str | None:
        """WebSocket needs one: only a URL has a path."""
        if self.transport not in ("ws", "wss"):
            return None
        return f"{self.transport}://{self.host}:{self.port(asterisk)}/ws"

    def uri(self, asterisk: Asterisk, number: str = "") -> str:
        """The URI of a number, or of Asterisk."""
        user = f"{number}@" if number else ""
        parameter = f";transport={self.transport}" if self.transport in ("tcp", "tls") else ""
        return f"sip:{user}{self.host}:{self.port(asterisk)}{parameter}"

    def agent(
        self,
        asterisk: Asterisk,
        *,
        tls: Tls | None = None,
        trace: Callable[[TracedMessage], None] | None = None,
    ) -> UserAgent:
        """A client: it listens for UDP alone, and opens connections."""
        return UserAgent(
            f"sip:{self.user}@{self.host}:{self.port(asterisk)}",
            password="secret",
            registrar=self.uri(asterisk),
            proxy=self.proxy(asterisk),
            listen=f"udp:{self.host}:0",
            trace=trace,
            tls=tls or Tls(authority=asterisk.authority),
        )


ALL = tuple(
    Wire(f"{transport}{version}") for transport in ("tcp", "tls", "ws", "wss") for version in HOSTS
) + (Wire("udp6"),)
V4 = tuple(wire for wire in ALL if wire.name.endswith("4"))
