"""Addresses to listen on as text, and the network of this host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipstack.core.outputs import Flow, Transport
from sipstack.errors import LocalProtocolError, TransportError
from sipstack.net.host import HostNetwork
from sipstack.net.network import Listen, reaching
from tests.net.inbox import Inbox, User

HOW_TO = "is no listening address: write udp:HOST:PORT, such as udp:0.0.0.0:5060"

GOOD = [
    ("udp:0.0.0.0:5060", Listen("udp", "0.0.0.0", 5060)),
    ("udp:127.0.0.1:0", Listen("udp", "127.0.0.1", 0)),
    ("UDP:192.0.2.1:65535", Listen("udp", "192.0.2.1", 65535)),
    ("udp:[::]:5060", Listen("udp", "::", 5060)),
    ("udp:[2001:DB8::0:1]:5060", Listen("udp", "2001:db8::1", 5060)),
    ("udp:::1:5060", Listen("udp", "::1", 5060)),
]
BAD = [
    "",
    "udp",
    "udp:",
    "udp:0.0.0.0",
    "udp:0.0.0.0:",
    "udp::5060",
    "udp:5060",
    "0.0.0.0:5060",
    "tcp:0.0.0.0:5060",
    "udp:localhost:5060",
    "udp:example.com:5060",
    "udp:0.0.0.0:sip",
    "udp:0.0.0.0:-1",
    "udp:0.0.0.0:+1",
    "udp:0.0.0.0:٥",
    "udp:0.0.0.0: 5060",
    "udp:0.0.0.0:123456",
    "udp:0.0.0.0:" + "1" * 5000,
    "udp:[::1:5060",
    "udp:::1]:5060",
    "udp:[]:5060",
    "udp:300.0.0.1:5060",
    "udp:0.0.0.0:5060\r\n",
]


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text)[:30])
def test_what_cannot_be_listened_on_is_told_how_to_write_it(text: str) -> None:
    with pytest.raises(LocalProtocolError) as raised:
        Listen.parse(text)
    assert str(raised.value) == f"{text!r} {HOW_TO}"


def test_a_port_that_is_none() -> None:
    with pytest.raises(LocalProtocolError, match="65536 is no port: it must be below 65536"):
        Listen.parse("udp:0.0.0.0:65536")


@pytest.mark.parametrize(("text", "listen"), GOOD)
def test_listening_addresses(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen


async def test_a_port_in_use_is_a_transport_error() -> None:
    network, inbox = HostNetwork(), Inbox()
    endpoint = await network.listen(Listen("udp", "127.0.0.1", 0), User(inbox))
    with pytest.raises(TransportError, match="cannot listen on udp:127"):
        await network.listen(Listen("udp", *endpoint.local), User(inbox))
    endpoint.close()


async def test_endpoints_of_the_host_talk() -> None:
    network, inbox = HostNetwork(), Inbox()
    here = Listen.parse("udp:127.0.0.1:0")
    one = await network.listen(here, User(inbox))
    other = await network.listen(here, User(inbox))
    one.send(one.flow_to(other.local), b"hello")
    await inbox.wait(received=1)
    assert inbox.received == [(Flow("UDP", other.local, one.local), b"hello")]
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("host", "families"),
    [("127.0.0.1", ("A",)), ("0.0.0.0", ("A",)), ("[::1]", ("AAAA",)), ("[::]", ("AAAA",))],
)
async def test_a_datagram_reaches_the_family_of_its_socket(host: str, families: tuple[str, ...]) -> None:
    endpoint = await HostNetwork().listen(Listen.parse(f"udp:{host}:0"), User(Inbox()))
    assert reaching(endpoint).families == families
    endpoint.close()


@pytest.mark.parametrize(
    ("host", "families"), [("0.0.0.0", ("AAAA", "A")), ("::", ("AAAA", "A")), ("192.0.2.1", ("A",))]
)
def test_a_connection_from_a_wildcard_reaches_any_family(host: str, families: tuple[str, ...]) -> None:
    endpoint: Any = SimpleNamespace(transport=Transport("TCP", reliable=True), local=(host, 5060))
    assert reaching(endpoint).families == families
