"""Which of our addresses a call goes on at whose peer has said nothing yet."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sipstack.dialog.dialog import Dialog
from sipstack.errors import TransportError
from sipstack.net.network import Endpoint
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.testing.world import World
from sipstack.ua.way_to import flow_towards
from sipstack.usage.invite.record import SessionRecord
from tests.simulation.pair import established


class Listening:
    """An endpoint that can reach some."""

    def __init__(self, name: str, reaches: str = "") -> None:
        self.transport = type("Transport", (), {"name": name})
        self.reaches = reaches
        self.asked: list[str] = []

    def flow_to(self, remote: tuple[str, int]) -> Any:
        self.asked.append(remote[0])
        if self.reaches and remote[0] != self.reaches:
            raise TransportError("no route")
        return self.transport.name, remote[0]  # type: ignore[attr-defined]


def a_record(target: str = "sip:alice@192.0.2.1", remote: bytes | None = ANSWER) -> SessionRecord:
    record = established(World())[0].session.record(0.0)
    dialog: Dialog = attrs.evolve(record.dialog, remote_target=target)
    return attrs.evolve(record, dialog=dialog, local=OFFER, remote=remote)


def towards(record: SessionRecord, *endpoints: Listening) -> object:
    found: list[Endpoint] = list(endpoints)  # type: ignore[arg-type]
    return flow_towards(found, record)


SDP = b"v=0\r\no=- 1 1 IN IP4 %b\r\ns=-\r\nc=IN IP4 %b\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def sdp(host: str) -> bytes:
    return SDP % (host.encode(), host.encode())


@pytest.mark.parametrize(
    ("target", "transport"),
    [
        ("sip:alice@192.0.2.1", "UDP"),
        ("sip:alice@192.0.2.1;transport=TCP", "TCP"),
        ("sips:alice@192.0.2.1", "TLS"),
        ("sip:alice@192.0.2.1;transport=ws", "TCP"),  # not listened on: the first that there is
    ],
)
def test_it_is_one_of_the_transport_that_requests_take(target: str, transport: str) -> None:
    endpoints = Listening("TCP"), Listening("UDP"), Listening("TLS")
    assert towards(a_record(target), *endpoints) == (transport, "192.0.2.1")


def test_it_is_on_the_way_to_the_media_of_the_peer() -> None:
    endpoint = Listening("UDP")
    assert towards(a_record(remote=sdp("198.51.100.7")), endpoint) == ("UDP", "198.51.100.7")


@pytest.mark.parametrize("remote", [None, b"no description", sdp("media.example.com"), sdp("0.0.0.0")])
def test_without_an_address_in_figures_it_is_the_default_route(remote: bytes | None) -> None:
    endpoint = Listening("UDP")
    assert towards(a_record(remote=remote), endpoint) == ("UDP", "192.0.2.1")


def test_an_address_that_cannot_be_reached_is_passed_over() -> None:
    endpoint = Listening("UDP", reaches="2001:db8::1")
    assert towards(a_record(remote=sdp("198.51.100.7")), endpoint) == ("UDP", "2001:db8::1")
    assert endpoint.asked == ["198.51.100.7", "192.0.2.1", "2001:db8::1"]


def test_no_way_at_all_is_told() -> None:
    with pytest.raises(TransportError, match="none of our addresses leads to the peer"):
        towards(a_record(), Listening("UDP", reaches="203.0.113.1"))
