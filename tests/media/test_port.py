"""The port: media of any kind behind it, and the news that it has for the call."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from sipstack.errors import LocalProtocolError, TransportError
from sipstack.media.events import MediaChanged, MediaEvent, MediaFailed, PeerLost
from sipstack.media.port import MediaPort, audio_of
from sipstack.media.session import AudioSession
from sipstack.media.transport import Failed, Receive
from sipstack.sdp import Direction
from sipstack.testing.loop import run
from sipstack.testing.media import SilentMedia
from tests.media.calls import numbers, wired
from tests.media.test_two_streams import TwoStreams
from tests.media.wire import Wire, WireTransport

BROKEN = TransportError("the network is down")


class Fragile(WireTransport):
    """A transport that a test can break."""

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        super().start(rtp, rtcp, failed)
        self.failed = failed


def fragile(transports: list[Fragile]) -> AudioSession:
    wire = Wire()

    def bind(host: str, *_: object) -> Fragile:
        transports.append(Fragile(wire, host, 4000))
        return transports[-1]

    return AudioSession("192.0.2.1", bind=bind, random=numbers(1))


# Without audio


def test_what_needs_audio_is_told_that_there_is_none() -> None:
    port: MediaPort = TwoStreams("10.0.0.1", ("video",))
    assert port.audio is None
    with pytest.raises(LocalProtocolError, match="no audio"):
        audio_of(port)


def test_the_audio_of_a_port() -> None:
    ports: list[MediaPort] = [SilentMedia("10.0.0.1"), AudioSession("127.0.0.1")]
    assert [audio_of(port) for port in ports] == [port.audio for port in ports]


# News


def test_a_transport_that_breaks_is_news() -> None:
    async def main() -> None:
        transports: list[Fragile] = []
        media = fragile(transports)
        heard: list[MediaEvent] = []
        media.attach(heard.append)
        await media.offer()
        assert heard == []
        transports[0].failed(BROKEN)
        assert heard == [MediaFailed(BROKEN)]
        await media.close()

    run(main())


def test_nobody_need_listen() -> None:
    async def main() -> None:
        transports: list[Fragile] = []
        media = fragile(transports)
        await media.offer()
        transports[0].failed(BROKEN)
        assert await media.offer(Direction.SENDONLY)
        await media.close()

    run(main())


def test_after_the_end_there_is_no_news() -> None:
    async def main() -> None:
        transports: list[Fragile] = []
        media, silent = fragile(transports), SilentMedia("10.0.0.1")
        heard: list[MediaEvent] = []
        for port in (media, silent):
            port.attach(heard.append)
        await media.offer()
        for port in (media, silent):
            await port.close()
            port.attach(heard.append)
        transports[0].failed(BROKEN)
        silent.report(MediaChanged())
        assert heard == []

    run(main())


def test_the_last_listener_gets_the_news() -> None:
    silent = SilentMedia("10.0.0.1")
    silent.report(MediaChanged())
    first: list[MediaEvent] = []
    second: list[MediaEvent] = []
    silent.attach(first.append)
    silent.report(MediaChanged())
    silent.attach(second.append)
    silent.report(PeerLost(30.0))
    silent.report(MediaFailed(BROKEN))
    assert (first, second) == ([MediaChanged()], [PeerLost(30.0), MediaFailed(BROKEN)])


def test_closed_media_lets_go_of_its_listener() -> None:
    class Listener:
        def __call__(self, event: MediaEvent) -> None:
            """It is only there."""

    async def main() -> None:
        listener = Listener()
        gone = weakref.ref(listener)
        async with wired(Wire()) as call:
            call.alice.attach(listener)
            del listener
            await call.alice.close()
            assert gone() is None
            await asyncio.sleep(0)

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


# The address that is advertised


def test_the_peer_is_told_another_address_than_the_one_that_is_bound() -> None:
    async def main() -> None:
        wire = Wire()
        hosts = []

        def bind(host: str, *rest: object) -> WireTransport:
            hosts.append(host)
            return WireTransport(wire, host, 4000)

        media = AudioSession("10.0.0.1", advertised="198.51.100.7", bind=bind)
        offer = await media.offer()
        assert hosts == ["10.0.0.1"]
        assert offer.origin.address == "198.51.100.7"
        assert offer.values("c") == ("IN IP4 198.51.100.7",)
        await media.close()

    run(main())


def test_a_scope_is_for_us_alone() -> None:
    async def main() -> None:
        media = AudioSession("fe80::1%eth0", bind=Wire().bind)
        assert (await media.offer()).values("c") == ("IN IP6 fe80::1",)
        await media.close()

    run(main())
