"""A transport that tells of its packets, around one in memory."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.media.traced import TracedPacket, traced_rtp
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time

OURS, OURS_RTCP = ("10.0.0.1", 4002), ("10.0.0.1", 4003)
PEER, PEER_RTCP = ("10.0.0.2", 4004), ("10.0.0.2", 4005)


async def test_what_is_sent_and_received_is_told_and_handed_on() -> None:
    wire, told, heard = Wire(), list[TracedPacket](), list[bytes]()
    ours = traced_rtp(told.append, wire.bind)(OURS[0], (0, 0), max)
    peer = wire.bind(PEER[0], (0, 0), max)
    assert (ours.port, ours.rtcp_port, ours.send_errors) == (4002, 4003, 0)
    ours.start(lambda data, *_: heard.append(data), lambda data, *_: heard.append(data), lambda _: None)
    peer.start(lambda data, *_: peer.send_rtp(data * 2, OURS), lambda *_: None, lambda _: None)
    ours.send_rtp(b"a", PEER)
    ours.send_rtcp(b"b", PEER_RTCP)
    await asyncio.sleep(1)
    peer.send_rtcp(b"c", OURS_RTCP)
    await asyncio.sleep(1)
    ours.close()
    assert told == [
        TracedPacket(0.0, True, OURS, PEER, b"a"),
        TracedPacket(0.0, True, OURS_RTCP, PEER_RTCP, b"b"),
        TracedPacket(0.0, False, OURS, PEER, b"aa"),
        TracedPacket(1.0, False, OURS_RTCP, PEER_RTCP, b"c"),
    ]
    assert heard == [b"aa", b"c"]
    assert wire.ports.keys() == {PEER, PEER_RTCP}
