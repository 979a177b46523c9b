"""SRTP and SRTCP (RFC 3711, RFC 7714): what gets through, what does not, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.media.peer_address import Address
from sipstack.media.srtp import SOURCES, SUSPECT, Receiving, Sending, Srtp, SrtpTransport
from sipstack.media.transport import UdpTransport
from sipstack.rtp import rtcp
from sipstack.rtp.sorting import is_dtls, is_stun
from sipstack.sdp.crypto import SUITES
from tests.media.stepped import Notebook

SUITE = "AES_CM_128_HMAC_SHA1_80"
PEER = ("192.0.2.2", 4000)
SSRC = 0x01020304


def key_of(suite: str = SUITE, fill: int = 1) -> bytes:
    return bytes([fill]) * SUITES[suite]


def rtp(number: int, ssrc: int = SSRC, payload: bytes = b"\xd5" * 160) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, ssrc) + payload


class Side:
    """One side of a stream, which counts what it refuses. It hears what the key ``theirs`` protects."""

    def __init__(self, ours: int, theirs: int, suite: str = SUITE) -> None:
        self.refused: list[str] = []
        self.srtp = Srtp(lambda repeated: self.refused.append("replayed" if repeated else "unproved"))
        self.srtp.use(Sending(suite, key_of(suite, ours)), Receiving(suite, key_of(suite, theirs)))

    def out(self, packet: bytes) -> bytes:
        protected = self.srtp.protected(packet, rtcp=False)
        assert protected is not None
        return protected

    def hears(self, packet: bytes) -> bytes | None:
        return self.srtp.opened(packet, PEER, rtcp=False)


@pytest.fixture(params=SUITES)
def sides(request: pytest.FixtureRequest) -> tuple[Side, Side]:
    return Side(1, 2, request.param), Side(2, 1, request.param)


def test_the_master_key_of_rfc_3711_appendix_b_3_protects_as_libsrtp_s_own_vector_says() -> None:
    key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139" + "0EC675AD498AFEEBB6960B3AABE6")
    packet = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    protected = Sending(SUITE, key).rtp(packet)
    assert protected.hex() == (
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402" + "b78d6acc99ea179b8dbb"
    )


def test_rtp_and_rtcp_go_through_in_both_directions(sides: tuple[Side, Side]) -> None:
    alice, bob = sides
    report = rtcp.write([rtcp.ReceiverReport(SSRC)])
    for here, there in ((alice, bob), (bob, alice)):
        protected = here.out(rtp(1))
        assert protected[:12] == rtp(1)[:12]
        assert b"\xd5" * 8 not in protected
        assert there.hears(protected) == rtp(1)
        hidden = here.srtp.protected(report, rtcp=True)
        assert hidden is not None
        assert hidden[8:] != report[8:]
        assert there.srtp.opened(hidden, PEER, rtcp=True) == report
    assert alice.refused == bob.refused == []


def test_a_changed_packet_is_refused_whatever_octet_was_changed(sides: tuple[Side, Side]) -> None:
    alice, bob = sides
    protected = alice.out(rtp(1))
    for at in range(1, len(protected)):
        spoiled = bytearray(protected)
        spoiled[at] ^= 1
        assert bob.hears(bytes(spoiled)) is None
    assert set(bob.refused) <= {"unproved", "replayed"}
    assert bob.hears(protected) == rtp(1)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 8, 11, 12, 20, 1500, 1501, 2048])
def test_what_is_no_srtp_is_refused_and_ends_nothing(length: int) -> None:
    alice, bob = Side(1, 2), Side(2, 1)
    for first in (b"\x80", b"\x00", b"\x9f", b"\xff"):
        datagram = (first * length)[:length]
        for is_rtcp in (False, True):
            assert bob.srtp.opened(datagram, PEER, rtcp=is_rtcp) in ((b"",) if not length else (None,))
    assert bob.refused == ["unproved"] * (8 if length else 0)
    assert bob.hears(alice.out(rtp(1))) == rtp(1)


@given(st.binary(max_size=1600), st.booleans())
def test_no_octets_are_let_in_or_raise(datagram: bytes, is_rtcp: bool) -> None:
    bob = Side(2, 1)
    packet = bob.srtp.opened(datagram, PEER, rtcp=is_rtcp)
    assert packet is None or not packet or is_stun(packet) or is_dtls(packet)
    assert len(bob.refused) == (packet is None)


def test_stun_and_dtls_are_handed_on_for_who_wants_them() -> None:
    bob = Side(2, 1)
    stun = bytes.fromhex("000100002112a442") + bytes(12)
    dtls = b"\x16\xfe\xfd" + bytes(20)
    assert [bob.hears(stun), bob.hears(dtls), bob.refused] == [stun, dtls, []]


def test_a_repeated_packet_is_counted_and_not_heard(sides: tuple[Side, Side]) -> None:
    alice, bob = sides
    first, second = alice.out(rtp(1)), alice.out(rtp(2))
    assert [bob.hears(packet) for packet in (second, first, second, first)] == [rtp(2), rtp(1), None, None]
    assert bob.refused == ["replayed", "replayed"]


def test_a_packet_behind_the_window_counts_as_repeated() -> None:
    alice, bob = Side(1, 2), Side(2, 1)
    late, *others = (alice.out(rtp(number)) for number in range(200))
    assert all(bob.hears(packet) for packet in others)
    assert bob.hears(late) is None
    assert bob.refused == ["replayed"]


def test_nothing_is_sent_twice_under_one_number() -> None:
    """The same key stream for two packets would give both away."""
    notebook, alice = Notebook(), Side(1, 2)
    transport = SrtpTransport(notebook, alice.srtp)
    transport.send_rtp(rtp(1, payload=b"one"), PEER)
    transport.send_rtp(rtp(1, payload=b"two"), PEER)
    assert (len(notebook.rtp), transport.send_errors) == (1, 1)


def test_the_roll_over_counter_runs_on_across_wraps_and_losses(sides: tuple[Side, Side]) -> None:
    alice, bob = sides
    heard = 0
    for number in range(0x7FFF, 3 * 0x10000, 50):
        protected = alice.out(rtp(number))
        if number % 3:
            assert bob.hears(protected) == rtp(number)
            heard += 1
    assert heard > 2000
    assert bob.refused == []


def test_another_source_with_the_same_key_is_let_in() -> None:
    """The peer may start over under another SSRC, with any sequence number."""
    alice, bob = Side(1, 2), Side(2, 1)
    for ssrc, number in ((1, 60_000), (2, 10), (1, 60_001), (3, 65_535), (3, 65_536)):
        assert bob.hears(alice.out(rtp(number, ssrc))) == rtp(number, ssrc)


def test_sources_without_end_are_refused() -> None:
    """Whoever has the key can make libsrtp remember one after the other."""
    alice, bob = Side(1, 2), Side(2, 1)
    heard = [bob.hears(alice.out(rtp(1, ssrc))) for ssrc in range(1, SOURCES + 11)]
    assert [packet is not None for packet in heard] == [True] * SOURCES + [False] * 10
    assert bob.hears(alice.out(rtp(2, 1))) == rtp(2, 1)
    assert bob.refused == ["unproved"] * 10


def test_a_wrong_key_is_told_once_and_in_words(caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = Side(1, 2), Side(2, 3)
    with caplog.at_level(logging.WARNING, "sipstack.media"):
        for number in range(50):
            assert bob.hears(alice.out(rtp(number))) is None
            assert bool(caplog.records) is (number >= SUSPECT - 1)
    assert bob.refused == ["unproved"] * 50
    (record,) = caplog.records
    assert "192.0.2.2:4000" in record.getMessage()
    assert "not protected with the key that was agreed on" in record.getMessage()


def test_plain_rtp_is_refused_where_srtp_was_agreed_on() -> None:
    bob = Side(2, 1)
    assert bob.hears(rtp(1)) is None
    assert bob.refused == ["unproved"]


def test_before_there_are_keys_nothing_goes_in_or_out_but_keep_alives() -> None:
    refused: list[bool] = []
    notebook, srtp = Notebook(), Srtp(refused.append)
    transport = SrtpTransport(notebook, srtp)
    transport.send_rtp(rtp(1), PEER)
    transport.send_rtcp(rtcp.write([rtcp.ReceiverReport(SSRC)]), PEER)
    transport.send_rtp(b"", PEER)
    assert (notebook.rtp, notebook.rtcp) == ([(b"", PEER)], [])
    assert srtp.opened(rtp(1), PEER, rtcp=False) is None
    assert (refused, srtp.suite) == ([], None)


def test_plain_is_plain() -> None:
    refused: list[bool] = []
    notebook, srtp = Notebook(), Srtp(refused.append)
    srtp.go_plain()
    SrtpTransport(notebook, srtp).send_rtp(rtp(1), PEER)
    assert notebook.rtp == [(rtp(1), PEER)]
    assert (srtp.opened(rtp(2), PEER, rtcp=False), refused) == (rtp(2), [])


def test_what_is_on_the_way_with_the_old_key_is_heard_until_the_new_one_is_used() -> None:
    alice, bob = Side(1, 2), Side(2, 1)
    old = [alice.out(rtp(number)) for number in range(4)]
    assert bob.hears(old[0])
    assert alice.srtp.receiving is not None
    alice.srtp.use(Sending(SUITE, key_of(fill=5)), alice.srtp.receiving)
    new = [alice.out(rtp(number, 99)) for number in range(3)]
    assert bob.srtp.sending is not None
    bob.srtp.use(bob.srtp.sending, Receiving(SUITE, key_of(fill=5)))
    assert [bob.hears(packet) is not None for packet in (old[1], old[2], new[0], old[3], new[1])] == [
        *(True, True, True),
        *(False, True),
    ]
    assert bob.refused == ["unproved"]


def test_a_lifetime_that_is_over_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    sending, receiving = Sending(SUITE, key_of()), Receiving(SUITE, key_of(), lifetime=3)
    with caplog.at_level(logging.WARNING, "sipstack.media"):
        for number in range(3):
            assert receiving.rtp(sending.rtp(rtp(number))) == rtp(number)
            assert bool(caplog.records) is (number == 2)
        for number in range(3, 9):
            receiving.rtp(sending.rtp(rtp(number)))
    assert ["lifetime" in record.getMessage() for record in caplog.records] == [True]


def test_what_is_too_long_to_protect_is_counted_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    notebook, alice = Notebook(), Side(1, 2)
    transport = SrtpTransport(notebook, alice.srtp)
    with caplog.at_level(logging.WARNING, "sipstack.media"):
        for number in range(3):
            transport.send_rtp(rtp(number, payload=bytes(1400)), PEER)
            transport.send_rtcp(rtcp.write([rtcp.Bye((SSRC,), "x" * 255)]) * 6, PEER)
    assert (notebook.rtp, notebook.rtcp, transport.send_errors) == ([], [], 6)
    assert len(caplog.records) == 1
    assert "too long" in caplog.text


def test_the_transport_protects_and_opens_what_it_hands_on() -> None:
    heard: list[tuple[str, bytes]] = []
    alice, bob = Side(1, 2), Side(2, 1)
    out, inner = Notebook(), _Receiver()
    sending, receiving = SrtpTransport(out, alice.srtp), SrtpTransport(inner, bob.srtp)
    assert (sending.port, sending.rtcp_port, sending.send_errors) == (40000, 40001, 0)
    receiving.start(
        lambda data, source, now: heard.append(("rtp", data)),
        lambda data, source, now: heard.append(("rtcp", data)),
        lambda error: None,
    )
    report = rtcp.write([rtcp.ReceiverReport(SSRC)])
    sending.send_rtp(rtp(1), PEER)
    sending.send_rtcp(report, PEER)
    inner.rtp_in(out.rtp[0][0], PEER, 0.0)
    inner.rtp_in(out.rtp[0][0], PEER, 0.1)
    inner.rtcp_in(out.rtcp[0][0], PEER, 0.2)
    inner.rtcp_in(out.rtcp[0][0], PEER, 0.3)
    receiving.close()
    assert heard == [("rtp", rtp(1)), ("rtcp", report)]
    assert (bob.refused, inner.closed) == (["replayed", "replayed"], True)


async def test_rtp_and_rtcp_share_a_port_where_the_transport_can() -> None:
    """They are told apart by their second octet, which is not encrypted (RFC 5761 §4)."""
    alice, bob = Side(1, 2), Side(2, 1)
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    here, there = (
        SrtpTransport(UdpTransport.bind("127.0.0.1", (0, 0), max), side.srtp) for side in (alice, bob)
    )

    def hear(data: bytes, source: Address, now: float) -> None:
        heard.put_nowait(data)

    for transport in (here, there):
        transport.start(hear, hear, lambda error: None)
        transport.share_port(True)
    report = rtcp.write([rtcp.ReceiverReport(SSRC)])
    here.send_rtp(rtp(1), ("127.0.0.1", there.port))
    here.send_rtcp(report, ("127.0.0.1", there.port))
    async with asyncio.timeout(5):
        assert {await heard.get(), await heard.get()} == {rtp(1), report}
    here.close()
    there.close()
    SrtpTransport(Notebook(), alice.srtp).share_port(True)  # one that cannot goes on as it is
    assert bob.refused == []


def test_no_repr_shows_a_key() -> None:
    key = b"secret key and secret salt 123"
    shown = repr(Sending(SUITE, key)) + repr(Receiving(SUITE, key))
    assert shown == f"<Sending {SUITE}><Receiving {SUITE}>"


class _Receiver(Notebook):
    """A transport into which a test puts what arrives."""

    closed = False
    rtp_in: Callable[[bytes, tuple[str, int], float], None]
    rtcp_in: Callable[[bytes, tuple[str, int], float], None]

    def start(self, rtp: object, rtcp: object, failed: object) -> None:
        assert callable(rtp)
        assert callable(rtcp)
        self.rtp_in, self.rtcp_in = rtp, rtcp

    def close(self) -> None:
        self.closed = True
