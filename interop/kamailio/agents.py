"""The user agents of the tests: ours, each of which reaches Kamailio over one transport."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from interop.kamailio.server import DOMAIN, Kamailio
from sipstack import Tls, TracedMessage, UserAgent
from sipstack.store.sealed import Sealed

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
MIXED = (("udp", "tls"), ("tls", "udp"), ("wss", "udp"), ("tcp", "wss"))
"""Transports of the two sides of a call, where Kamailio has to change them."""
PAIRS = (*((each, each) for each in TRANSPORTS), *MIXED)
LISTEN = "udp:127.0.0.1:0"


def uri(name: str) -> str:
    """The address-of-record of a user: any name does."""
    return f"sip:{name}@{DOMAIN}"


@attrs.frozen
class AgentFactory:
    """Makes a user agent that goes through Kamailio with everything."""

    kamailio: Kamailio

    def __call__(
        self,
        name: str,
        transport: str = "udp",
        *,
        password: str = "secret",
        trace: Callable[[TracedMessage], None] | None = None,
        sessions: Sealed | None = None,
    ) -> UserAgent:
        return UserAgent(
            uri(name),
            password=password,
            proxy=self.kamailio.proxy(transport),
            listen=LISTEN,
            trace=trace,
            sessions=sessions,
            tls=Tls(authority=self.kamailio.authority),
        )
