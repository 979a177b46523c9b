"""A client behind a router of Linux that masquerades, and a server in front of it.

::

    client 192.168.77.2 -- 192.168.77.1 router 203.0.113.1 -- 203.0.113.10 server
           192.168.78.2 -- 192.168.78.1
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import attrs

from interop.namespace import Namespace, Unavailable, namespace

SERVER = "203.0.113.10"
PUBLIC = "203.0.113.1"
"""The router, as the server sees it."""
OTHER_PUBLIC = "203.0.113.2"
HOME, OTHER_HOME = "192.168.77", "192.168.78"
"""The networks at home: the client has .2, the router .1."""
OTHER_PORTS = "30000-30999"


@attrs.frozen
class Networks:
    """The three of them. ``forgetful``: seconds after which the router forgets an idle mapping of UDP."""

    client: Namespace
    router: Namespace
    server: Namespace
    forgetful: int

    def make(self) -> None:
        """Lay the cables, and switch the router on."""
        wire(self.client, "home", self.router, "inside")
        wire(self.client, "other", self.router, "inside2")
        wire(self.router, "outside", self.server, "world")
        up(self.client, "home", f"{HOME}.2")
        up(self.router, "inside", f"{HOME}.1")
        up(self.router, "inside2", f"{OTHER_HOME}.1")
        up(self.router, "outside", PUBLIC)
        up(self.server, "world", SERVER)
        ip(self.client, f"route add default via {HOME}.1")
        sysctl(self.router, "net.ipv4.ip_forward=1")
        nft(self.router, "add table ip nat")
        nft(self.router, "add chain ip nat out { type nat hook postrouting priority 100; }")
        nft(self.router, 'add rule ip nat out oifname "outside" masquerade')
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            sysctl(self.router, f"net.netfilter.{name}={self.forgetful}")

    def give_another_public_address(self) -> None:
        """As a provider does at night: all mappings are gone, and the next ones have other ports, too."""
        nft(self.router, "flush chain ip nat out")
        rule = f"meta l4proto udp masquerade to :{OTHER_PORTS}"
        nft(self.router, f'add rule ip nat out oifname "outside" {rule}')
        ip(self.router, f"address add {OTHER_PUBLIC}/24 dev outside")
        # what masqueraded behind an address goes with it
        ip(self.router, f"address del {PUBLIC}/24 dev outside")
        ip(self.router, f"address replace {OTHER_PUBLIC}/24 dev outside")

    def move_the_client(self) -> None:
        """It leaves the one network, and enters the other."""
        ip(self.client, "link set home down")
        ip(self.client, f"address del {HOME}.2/24 dev home")
        up(self.client, "other", f"{OTHER_HOME}.2")
        ip(self.client, f"route add default via {OTHER_HOME}.1")


@contextmanager
def networks(forgetful: int) -> Iterator[Networks]:
    """Make them; they are gone afterwards. Raises Unavailable with the reason."""
    with ExitStack() as life:
        client, router, server = (
            life.enter_context(namespace(f"-{name}")) for name in ("client", "router", "server")
        )
        made = Networks(client, router, server, forgetful)
        try:
            made.make()
        except subprocess.CalledProcessError as error:
            words = error.stderr.decode(errors="replace").strip()
            raise Unavailable(f"no router that masquerades: {' '.join(error.cmd)}: {words}") from error
        yield made


def wire(one: Namespace, name: str, other: Namespace, other_name: str) -> None:
    """A cable between two namespaces."""
    command = ["ip", "link", "add", "name", name, "netns", one.name, "type", "veth"]
    _do([*command, "peer", "name", other_name, "netns", other.name])
    ip(one, f"link set {name} up")
    ip(other, f"link set {other_name} up")


def up(namespace: Namespace, name: str, address: str) -> None:
    ip(namespace, f"address add {address}/24 dev {name}")


def ip(namespace: Namespace, words: str) -> None:
    _do([*namespace.entering, "ip", *words.split()])


def nft(namespace: Namespace, text: str) -> None:
    _do([*namespace.entering, "nft", text])


def sysctl(namespace: Namespace, setting: str) -> None:
    name, _, value = setting.partition("=")
    _do([*namespace.entering, "sh", "-c", f"echo {value} > /proc/sys/{name.replace('.', '/')}"])


def _do(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
