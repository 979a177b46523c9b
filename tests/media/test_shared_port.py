"""RTP and RTCP on one port (RFC 5761), and what else may come there (RFC 7983); how packets are marked."""

from __future__ import annotations

import asyncio
import errno
import random
import socket

import pytest

from sipstack import sdp
from sipstack.errors import TransportError
from sipstack.media.peer_address import Address
from sipstack.media.session import AudioSession
from sipstack.media.traced import TracedPacket, traced_rtp
from sipstack.media.transport import UdpTransport
from sipstack.media.udp_port import EXPEDITED
from sipstack.rtp import rtcp
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sorting import is_dtls, is_rtcp, is_stun
from sipstack.sdp import SessionDescription
from tests.media.bench import PEER, STRANGER, TONE, Bench
from tests.media.calls import Call
from tests.media.test_transport import Received, never

HOST = "127.0.0.1"
RTP = bytes(RtpPacket(0, 1, 160, 1, b"sound"))
MARKED = bytes(RtpPacket(0, 1, 160, 1, b"sound", marker=True))
REPORT = rtcp.write([rtcp.ReceiverReport(1)])
STUN = bytes.fromhex("000100002112a442") + bytes(12)
DTLS = bytes([22, 254, 253]) + bytes(40)
NEITHER = [b"", b"\0", bytes(20), b"\x80", b"\xff" * 20, STUN[:7]]

pytestmark = pytest.mark.virtual_time
uniform = random.Random(1).uniform


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (RTP, ""),
        (MARKED, ""),
        (REPORT, "RTCP"),
        (STUN, "STUN"),
        (DTLS, "DTLS"),
        *((data, "") for data in NEITHER),
    ],
)
def test_the_first_octets_tell_what_it_is(data: bytes, kind: str) -> None:
    assert (is_rtcp(data), is_stun(data), is_dtls(data)) == (kind == "RTCP", kind == "STUN", kind == "DTLS")


@pytest.mark.parametrize("payload_type", range(64))
def test_no_payload_type_that_we_give_out_looks_like_rtcp(payload_type: int) -> None:
    """RFC 5761 §4: 64 to 95 with the marker would."""
    assert not is_rtcp(bytes(RtpPacket(payload_type, 1, 1, 1, marker=True)))
    assert not is_rtcp(bytes(RtpPacket(payload_type % 32 + 96, 1, 1, 1, marker=True)))


async def test_rtcp_that_comes_to_the_rtp_port_gets_to_its_own_receiver() -> None:
    shared = UdpTransport.bind(HOST, (0, 0), uniform)
    sound, reports = Received(), Received()
    shared.start(sound, reports, never)
    shared.share_port(True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST, 0))
        for data in (RTP, REPORT, MARKED):
            peer.sendto(data, (HOST, shared.port))
        shared.send_rtcp(REPORT, peer.getsockname())
        await asyncio.sleep(0.05)
        _, source = peer.recvfrom(100)
        assert source == (HOST, shared.port)
        shared.share_port(False)
        peer.sendto(REPORT, (HOST, shared.port))
        shared.send_rtcp(REPORT, peer.getsockname())
        await asyncio.sleep(0.05)
        _, source = peer.recvfrom(100)
        assert source == (HOST, shared.rtcp_port)
    shared.close()
    assert (sound.data, reports.data) == ([RTP, MARKED, REPORT], [REPORT])


async def test_who_is_closed_shares_nothing() -> None:
    transport = UdpTransport.bind(HOST, (0, 0), uniform)
    transport.start(Received(), Received(), never)
    transport.close()
    transport.share_port(True)
    transport.send_rtcp(REPORT, (HOST, 9))
    assert transport.send_errors == 1


class Tapped:
    """Two sessions over loopback, and what the one that calls sends and gets."""

    def __init__(self, *, ours: bool, theirs: bool) -> None:
        self.packets: list[TracedPacket] = []
        self.alice = AudioSession(HOST, rtcp_mux=ours, bind=traced_rtp(self.packets.append))
        self.bob = AudioSession(HOST, rtcp_mux=theirs)

    def ports_of_reports(self) -> set[tuple[bool, int, int]]:
        """Whether sent, our port and theirs."""
        return {
            (packet.sent, packet.local[1], packet.remote[1])
            for packet in self.packets
            if is_rtcp(packet.data)
        }


async def test_two_that_can_share_one_port() -> None:
    tapped = Tapped(ours=True, theirs=True)
    async with Call(tapped.alice, tapped.bob) as call:
        offer, answer = await call.describe()
        await asyncio.sleep(12)
    assert "a=rtcp-mux" in offer
    assert "a=rtcp-mux" in answer
    ours, theirs = port_of(offer), port_of(answer)
    assert tapped.ports_of_reports() == {(True, ours, theirs), (False, ours, theirs)}


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True)])
async def test_without_the_other_side_each_has_a_port_of_its_own(ours: bool, theirs: bool) -> None:
    tapped = Tapped(ours=ours, theirs=theirs)
    async with Call(tapped.alice, tapped.bob) as call:
        offer, answer = await call.describe()
        await asyncio.sleep(12)
    assert "a=rtcp-mux" not in answer
    one, two = port_of(offer) + 1, port_of(answer) + 1
    assert tapped.ports_of_reports() == {(True, one, two), (False, one, two)}


async def test_a_peer_that_shares_no_more_gets_reports_at_its_own_port_again() -> None:
    tapped = Tapped(ours=True, theirs=True)
    async with Call(tapped.alice, tapped.bob) as call:
        offer, answer = await call.describe()
        await tapped.alice.offer()
        plain = sdp.parse(answer.replace("a=rtcp-mux\r\n", ""))
        await tapped.alice.answered(plain)
        tapped.packets.clear()
        await asyncio.sleep(7)
        sent = {(local, remote) for sent, local, remote in tapped.ports_of_reports() if sent}
    assert sent == {(port_of(offer) + 1, port_of(answer) + 1)}


def port_of(text: str) -> int:
    description: SessionDescription = sdp.parse(text)
    return description.media[0].port


def test_shared_reports_go_where_rtp_goes_through_a_nat() -> None:
    """Its RTCP would come from there, too, but none has come yet."""
    bench, public = Bench(), ("198.51.100.7", 61000)
    bench.stream.connect(PEER, PEER)
    for number in range(4):
        bench.receive(RtpPacket(0, number, 160 * number, 1, TONE), public)
    bench.ticks(50 * 10)
    assert {destination for _, destination in bench.network.rtcp} == {public}


@pytest.mark.parametrize("data", [STUN, DTLS])
def test_what_is_not_meant_to_be_rtp_is_no_bad_rtp(data: bytes) -> None:
    bench = Bench()
    bench.receive(data)
    assert bench.statistics.packets_invalid == 0
    bench.receive(b"\x80\x00\x00")
    assert bench.statistics.packets_invalid == 1


def test_stun_has_a_receiver_of_its_own() -> None:
    bench = Bench()
    heard: list[tuple[bytes, Address]] = []
    bench.stream.stun = lambda data, source, now: heard.append((data, source))
    for data in (STUN, DTLS, RTP, *NEITHER):
        bench.receive(data, STRANGER)
    assert heard == [(STUN, STRANGER)]


@pytest.mark.parametrize("dscp", [EXPEDITED, 0, 10])
async def test_packets_are_marked_as_voice_unless_told_otherwise(dscp: int) -> None:
    session = AudioSession(HOST, dscp=dscp)
    await session.offer()
    assert {sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) for sock in sockets_of(session)} == {dscp << 2}
    await session.close()


async def test_packets_of_ipv6_are_marked_too() -> None:
    try:
        transport = UdpTransport.bind("::1", (0, 0), uniform)
    except TransportError:
        pytest.skip("no ::1 here")
    port = transport._rtp
    assert port is not None
    assert port.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == EXPEDITED << 2
    transport.close()


async def test_a_system_that_marks_nothing_carries_them_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unmarked(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(socket, "socket", Unmarked)
    transport = UdpTransport.bind(HOST, (0, 0), uniform)
    assert transport.port
    transport.close()


def sockets_of(session: AudioSession) -> list[socket.socket]:
    transport = session._transport
    assert isinstance(transport, UdpTransport)
    ports = transport._rtp, transport._rtcp
    return [port.socket for port in ports if port is not None]
