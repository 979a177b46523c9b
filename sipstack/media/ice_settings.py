"""How ICE finds addresses: the servers it asks, and the hosts it is at (RFC 7064, RFC 7065)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from sipstack.errors import MediaError

PORTS = {"stun": 3478, "turn": 3478, "turns": 5349}
_URI = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)


@attrs.frozen
class IceServer:
    """A server by its URI: ``stun:host``, ``turn:host:port?transport=tcp``, ``turns:host``.

    STUN tells our address behind a NAT, TURN relays for us where nothing else gets through, for who has an
    account there. ``turns`` is TURN over TLS, to servers that the system trusts (``SSL_CERT_FILE`` names
    other authorities). Raises MediaError when it cannot be read.
    """

    uri: str
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    scheme: str = attrs.field(init=False, repr=False)
    host: str = attrs.field(init=False, repr=False)
    port: int = attrs.field(init=False, repr=False)
    transport: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        found = _URI.fullmatch(self.uri)
        if found is None or (found["scheme"] == "stun" and found["transport"]):
            raise MediaError(
                f"no URI of a STUN or TURN server: {self.uri!r} (stun:HOST, turn:HOST, turns:HOST)"
            )
        scheme = found["scheme"]
        if scheme != "stun" and (self.username is None or self.password is None):
            raise MediaError(
                f"{self.uri} needs a user name and a password: IceServer(uri, username, password)"
            )
        put = object.__setattr__
        put(self, "scheme", scheme)
        put(self, "host", found["host"].strip("[]"))
        put(self, "port", int(found["port"] or PORTS[scheme]))
        put(self, "transport", "tcp" if scheme == "turns" else found["transport"] or "udp")


def _servers(servers: Sequence[str | IceServer]) -> tuple[IceServer, ...]:
    return tuple([IceServer(each) if isinstance(each, str) else each for each in servers])


def _hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    return tuple(hosts)


@attrs.frozen
class Ice:
    """``AudioSession(ice=Ice(servers=["stun:stun.example.com"]))``.

    One server of each kind is asked, the first. ``hosts`` are our addresses to be reached at beside the one
    that the session is opened on: in other networks, or of the other IP family.
    """

    servers: tuple[IceServer, ...] = attrs.field(default=(), converter=_servers)
    hosts: tuple[str, ...] = attrs.field(default=(), converter=_hosts)

    def first(self, *schemes: str) -> IceServer | None:
        """The first server of one of these schemes."""
        return next((server for server in self.servers if server.scheme in schemes), None)
