"""The capture file of such a run, read back with scapy: it has each datagram once, unchanged."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from scapy.layers.inet import IP, UDP
from scapy.packet import fuzz
from scapy.utils import rdpcap

from sipstack import Capture
from tests.live.attack import attack
from tests.live.attacker import Attacker
from tests.live.sip import HeaderField, SipRequest
from tests.live.test_fields import SYNTAX, mutations

Datagram = tuple[tuple[str, int], tuple[str, int], bytes]
"""Source, destination, octets."""


async def test_the_capture_has_what_was_sent_and_received(tmp_path: Path) -> None:
    random.seed(12)
    path = tmp_path / "attack.pcap"
    with Capture(path) as capture:
        async with attack(trace=capture) as attacked:
            peer, stranger = attacked.peer(), attacked.peer("127.0.0.1")
            sent = await peer.send_all([request for _, request in mutations(peer, SYNTAX["quote behind"])])
            fuzzed = fuzz(SipRequest(headers=[HeaderField(label="Via")]))
            forged = await stranger.send_all([fuzzed, b"", b"\r\n", b"\0" * 1000])
            invite = await peer.call()
            assert await peer.ask(peer.in_dialog("BYE", invite)) == 200
    local = peer.target
    captured = Counter(datagrams(path))
    for one, datagrams_sent in ((peer, sent), (stranger, forged)):
        address = (one.host, one.port)
        assert not Counter((address, local, data) for data in datagrams_sent) - captured
        assert Counter(d for d in captured.elements() if d[1] == address) == _received(one)
    assert {address for source, target, _ in captured for address in (source, target)} == {
        local,
        *((one.host, one.port) for one in attacked.peers),
    }


def _received(peer: Attacker) -> Counter[Datagram]:
    return Counter((peer.target, (peer.host, peer.port), data) for data in peer.datagrams)


def datagrams(path: Path) -> list[Datagram]:
    """The datagrams in the file, in order."""
    packets = [(packet[IP], packet[UDP]) for packet in rdpcap(str(path))]
    return [((ip.src, udp.sport), (ip.dst, udp.dport), bytes(udp.payload)) for ip, udp in packets]
