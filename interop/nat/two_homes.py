"""Two homes, each behind a router that masquerades, and a server in the world between them.

::

    alice 192.168.77.2 -- gate 203.0.113.1 -- 203.0.113.10 server 198.51.100.10 -- 198.51.100.1 gate -- bob

A router drops what it did not ask for, and takes SIP over TCP to the phone at home.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import attrs

from interop.namespace import Namespace, Unavailable, namespace
from interop.nat.networks import ip, nft, sysctl, up, wire

SERVER, OTHER_SERVER = "203.0.113.10", "198.51.100.10"
"""The server, as either home sees it."""
SIP = 5060
SERVER_PORTS = "{ 3478, 5349 }"


@attrs.frozen
class Home:
    """A phone, its router, and their addresses."""

    phone: Namespace
    gate: Namespace
    network: str
    public: str
    server: str

    @property
    def address(self) -> str:
        return f"{self.network}.2"

    def make(self, world: Namespace, name: str) -> None:
        wire(self.phone, "home", self.gate, "inside")
        wire(self.gate, "outside", world, name)
        up(self.phone, "home", self.address)
        up(self.gate, "inside", f"{self.network}.1")
        up(self.gate, "outside", self.public)
        up(world, name, self.server)
        ip(self.phone, f"route add default via {self.network}.1")
        ip(self.gate, f"route add default via {self.server}")
        sysctl(self.gate, "net.ipv4.ip_forward=1")
        nft(self.gate, "add table ip nat")
        nft(self.gate, "add chain ip nat out { type nat hook postrouting priority 100; }")
        nft(self.gate, 'add rule ip nat out oifname "outside" masquerade')
        nft(self.gate, "add chain ip nat in { type nat hook prerouting priority -100; }")
        nft(self.gate, f'add rule ip nat in iifname "outside" tcp dport {SIP} dnat to {self.address}')
        nft(self.gate, "add chain ip nat own { type filter hook input priority 0; }")
        nft(self.gate, 'add rule ip nat own iifname "outside" meta l4proto udp drop')
        nft(self.gate, "add chain ip nat through { type filter hook forward priority 0; }")
        nft(self.gate, 'add rule ip nat through iifname "outside" meta l4proto udp ct state new drop')


@attrs.frozen
class TwoHomes:
    """Both of them, and the world."""

    alice: Home
    bob: Home
    world: Namespace

    def make(self) -> None:
        self.alice.make(self.world, "left")
        self.bob.make(self.world, "right")
        # coturn gives a relay up when there is no route to one of the addresses that it is to send to
        ip(self.world, f"route add default via {self.alice.public}")
        sysctl(self.world, "net.ipv4.ip_forward=1")
        nft(self.world, "add table ip world")

    def forbid(self, *, udp: bool) -> None:
        """From now on nothing but SIP goes from home to home. The server takes nothing from them but at its
        own ports, ``udp`` tells whether over UDP too: what it relays has to come from a relay.
        """
        self._add("through", "forward", f"tcp dport {SIP}", f"tcp sport {SIP}")
        wires = [f"{each} dport {SERVER_PORTS}" for each in (("tcp", "udp") if udp else ("tcp",))]
        self._add("to", "input", *wires, "iif lo")

    def _add(self, chain: str, hook: str, *accepted: str) -> None:
        nft(self.world, f"add chain ip world {chain} {{ type filter hook {hook} priority 0; policy drop; }}")
        for each in accepted:
            nft(self.world, f"add rule ip world {chain} {each} accept")


@contextmanager
def two_homes() -> Iterator[TwoHomes]:
    """Make them; they are gone afterwards. Raises Unavailable with the reason."""
    names = ("alice", "alice-gate", "bob", "bob-gate", "world")
    with ExitStack() as life:
        alice, alice_gate, bob, bob_gate, world = (
            life.enter_context(namespace(f"-{name}")) for name in names
        )
        made = TwoHomes(
            Home(alice, alice_gate, "192.168.77", "203.0.113.1", SERVER),
            Home(bob, bob_gate, "192.168.78", "198.51.100.1", OTHER_SERVER),
            world,
        )
        try:
            made.make()
        except subprocess.CalledProcessError as error:
            words = error.stderr.decode(errors="replace").strip()
            raise Unavailable(f"no router that masquerades: {' '.join(error.cmd)}: {words}") from error
        yield made
