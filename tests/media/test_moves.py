"""Where our end of the audio is: in the offer's IP family, and where we are still to be found."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from sipstack import sdp
from sipstack.errors import LocalProtocolError, NegotiationError, TransportError
from sipstack.media.events import MediaChanged, MediaEvent
from sipstack.media.session import AudioSession
from sipstack.media.transport import UdpTransport
from sipstack.rtp.packet import RtpPacket
from sipstack.testing.loop import run
from tests.media.calls import Call, numbers
from tests.media.wire import Wire, WireTransport


def _offer(address: str, *media: str) -> sdp.SessionDescription:
    family = "IP6" if ":" in address else "IP4"
    lines = ["v=0", f"o=- 1 1 IN {family} {address}", "s=-", f"c=IN {family} {address}", "t=0 0", *media]
    return sdp.parse("\n".join(lines))


def test_an_offer_of_the_other_family_is_answered_in_it() -> None:
    """linphone on a dual-stack host offers c=IN IP6, and signals over IPv4."""

    async def main() -> None:
        bob = AudioSession("127.0.0.1", random=numbers(2))
        async with Call(AudioSession("::1", random=numbers(1)), bob) as call:
            _, answer = await call.describe()
            assert "c=IN IP6 ::1\r\n" in answer
            await asyncio.sleep(0.51)
            received = [side.audio.statistics.packets_received for side in (call.alice, call.bob)]
            assert [count >= 24 for count in received] == [True, True]

    run(main())


def test_a_re_offer_of_the_other_family_moves_the_audio_there_and_back() -> None:
    async def main() -> None:
        wire = Wire()
        bob = AudioSession("192.0.2.2", bind=wire.bind, route=lambda _: "2001:db8::2")
        hosts = []
        for number, address in enumerate(("192.0.2.1", "2001:db8::1", "192.0.2.1")):
            answer = await bob.answer(_offer(address, f"m=audio {5000 + 2 * number} RTP/AVP 0"))
            bob.confirmed()
            connection = answer.connection_of(answer.media[0])
            assert connection is not None
            wire.sent.clear()
            await asyncio.sleep(0.1)
            sent = {(source[0], destination[0]) for _, source, destination, data in wire.sent if data}
            hosts.append((connection.address, sent))
            assert len({host for host, _ in wire.ports}) == 1
        assert hosts == [
            ("192.0.2.2", {("192.0.2.2", "192.0.2.1")}),
            ("2001:db8::2", {("2001:db8::2", "2001:db8::1")}),
            ("192.0.2.2", {("192.0.2.2", "192.0.2.1")}),
        ]
        await bob.close()
        assert wire.ports == {}

    run(main())


@pytest.mark.parametrize("codec", ["0", "18"])
def test_an_offer_of_a_family_that_we_do_not_have_changes_nothing(codec: str) -> None:
    async def main() -> None:
        wire = Wire()
        way = None if codec == "0" else "2001:db8::2"
        bob = AudioSession("192.0.2.2", bind=wire.bind, route=lambda _: way)
        await bob.answer(_offer("192.0.2.1", "m=audio 5000 RTP/AVP 0"))
        before = set(wire.ports)
        with pytest.raises(NegotiationError) as caught:
            await bob.answer(_offer("2001:db8::1", f"m=audio 5000 RTP/AVP {codec}"))
        assert caught.value.status == 488
        assert set(wire.ports) == before
        await bob.close()

    run(main())


class Leaving(WireTransport):
    """A transport whose address may go away."""

    gone: set[str] = set()  # noqa: RUF012

    def send_rtp(self, data: bytes, destination: tuple[str, int]) -> None:
        if self._host in self.gone:
            self.send_errors += 1
        else:
            super().send_rtp(data, destination)


@pytest.mark.parametrize("still_ours", [False, True])
def test_audio_follows_when_our_address_changes(still_ours: bool) -> None:
    """Signalling at a wildcard goes on by itself, and carries the new description."""

    async def main() -> None:
        wire, news = Wire(), list[MediaEvent]()
        gone = set[str]()

        class Transport(Leaving):
            pass

        Transport.gone = gone

        def bind(host: str, *_: object) -> Transport:
            transport = wire.bind(host, (0, 0), lambda low, high: low)
            return Transport(wire, host, transport.port)

        alice = AudioSession(
            "192.0.2.1",
            bind=bind,
            route=lambda _: "198.51.100.1",
            is_ours=lambda address: still_ours or address not in gone,
        )
        alice.attach(news.append)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        await alice.answered(await bob.answer(await alice.offer()))
        await asyncio.sleep(1.0)
        gone.add("192.0.2.1")
        await asyncio.sleep(1.0)
        assert news == ([] if still_ours else [MediaChanged()])
        if not still_ours:
            offer = await alice.offer()
            connection = offer.connection_of(offer.media[0])
            assert connection is not None
            assert connection.address == "198.51.100.1"
            await alice.answered(await bob.answer(offer))
            before = alice.audio.statistics, bob.audio.statistics
            await asyncio.sleep(1.01)
            assert alice.audio.statistics.packets_received - before[0].packets_received >= 49
            assert bob.audio.statistics.packets_received - before[1].packets_received >= 49
            assert 24 <= alice.audio.statistics.send_errors <= 26
        await alice.close()
        await bob.close()
        assert wire.ports == {}

    run(main())


# -- told where we are -------------------------------------------------------------------------------------


def test_media_that_is_told_its_address_goes_on_there() -> None:
    async def main() -> None:
        wire = Wire()
        alice = AudioSession("192.0.2.1", bind=wire.bind)
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        await alice.answered(await bob.answer(await alice.offer()))
        alice.moved("198.51.100.1", "203.0.113.9")
        await alice.answered(await bob.answer(offer := await alice.offer()))
        connection = offer.connection_of(offer.media[0])
        assert connection is not None
        assert connection.address == "203.0.113.9"
        wire.sent.clear()
        await asyncio.sleep(1.0)
        assert {source[0] for _, source, _, _ in wire.sent} == {"198.51.100.1", "192.0.2.2"}
        assert "192.0.2.1" not in {host for host, _ in wire.ports}
        await alice.close()
        await bob.close()
        assert wire.ports == {}

    run(main())


def test_what_is_advertised_may_change_alone() -> None:
    """The mapping of a NAT: our ports stay."""

    async def main() -> None:
        wire = Wire()
        alice = AudioSession("192.0.2.1", advertised="203.0.113.1", bind=wire.bind)
        first = await alice.offer()
        before = set(wire.ports)
        alice.moved("192.0.2.1", "203.0.113.9")
        second = await alice.offer()
        addresses = [offer.connection_of(offer.media[0]) for offer in (first, second)]
        assert [each and each.address for each in addresses] == ["203.0.113.1", "203.0.113.9"]
        assert set(wire.ports) == before
        await alice.close()

    run(main())


def test_an_address_of_the_other_family_leaves_the_audio_where_it_is() -> None:
    async def main() -> None:
        wire = Wire()
        alice = AudioSession("192.0.2.1", bind=wire.bind)
        await alice.offer()
        before = set(wire.ports)
        alice.moved("2001:db8::1")
        assert set(wire.ports) == before
        await alice.close()

    run(main())


def test_without_a_port_it_stays() -> None:
    async def main() -> None:
        wire = Wire()

        def bind(host: str, *_: object) -> WireTransport:
            if host != "192.0.2.1":
                raise TransportError("no port")
            return wire.bind(host, (0, 0), lambda low, high: low)

        alice = AudioSession("192.0.2.1", bind=bind)
        await alice.offer()
        with pytest.raises(TransportError):
            alice.moved("198.51.100.1")
        offer = await alice.offer()
        connection = offer.connection_of(offer.media[0])
        assert connection is not None
        assert connection.address == "192.0.2.1"
        await alice.close()
        with pytest.raises(LocalProtocolError):
            alice.moved("192.0.2.1")

    run(main())


def test_a_port_that_refuses_is_heard_of_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """ICMP: anybody can forge it, so it is counted and told once."""
    caplog.set_level(logging.WARNING, "sipstack.media")

    async def main() -> None:
        transport = UdpTransport.bind("127.0.0.1", (0, 0), lambda low, high: low)
        heard: list[bytes] = []
        failed: list[object] = []
        transport.start(lambda data, *_: heard.append(data), lambda *_: None, failed.append)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            closed = probe.getsockname()
        for _ in range(5):
            transport.send_rtp(b"x", closed)
            await asyncio.sleep(0.01)
        assert transport.send_errors == 5
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            transport.send_rtp(b"x", closed)
            transport.send_rtp(bytes(RtpPacket(0, 0, 0, 0)), peer.getsockname())
            assert len(peer.recv(100)) == 12
            peer.sendto(b"still there", ("127.0.0.1", transport.port))
            await asyncio.sleep(0.05)
        assert (heard, failed) == ([b"still there"], [])
        transport.close()

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records if "does not arrive" in record.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("does not arrive: Connection refused")
