"""``python -m tests.fuzz.media --seconds 20``: bad RTP, RTCP, STUN and DTLS at a call that is going on.

Two sessions talk over a wire in memory, in virtual time; whatever else comes to one of them, from its peer's
address, from its peer's host or from a stranger, ends nothing, raises nothing and stays nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import struct
import sys
import time
from typing import Any

from sipstack import sdp
from sipstack.identifiers import Identifiers
from sipstack.media.events import MediaEvent, SourceLeft
from sipstack.media.io import PcmSource
from sipstack.media.peer_address import Address
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.rtp import rtcp
from sipstack.rtp.extended_report import Block, ExtendedReport, VoipMetrics
from sipstack.rtp.packet import Extension, RtpPacket
from sipstack.testing.loop import run
from tests.media.hearing import purity
from tests.media.wire import Wire

ALICE, BOB, STRANGER = "192.0.2.1", "192.0.2.2", "203.0.113.66"
ROUND = 50
"""Datagrams for each 20 ms of audio, while it lasts."""
AFTER = 2.0
"""Seconds after the last of them, in which the peer has to be heard again."""
VALUES = (0, 1, 0x7F, 0x80, 0xC8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def corpus(theirs: int = 7, ours: int = 8) -> list[bytes]:
    """Good packets of every kind that may come to a port for media; the SSRCs are those of the call."""
    block = rtcp.ReportBlock(ours, 1, 2, 3, 4, 5, 6)
    metrics = VoipMetrics(ours, 1, 2, 3, 4, 5, 6, 7, 8, mos_cq=40)
    reports: list[list[rtcp.RtcpPacket]] = [
        [rtcp.ReceiverReport(7)],
        [rtcp.ReceiverReport(7, (block,) * 3), rtcp.Bye((theirs,), "over")],
        [rtcp.ReceiverReport(7, (block,)), ExtendedReport(7, (Block(4, 0, bytes(8)), metrics, Block(7, 0)))],
        [ExtendedReport(7, (metrics,) * 9)],
        [rtcp.SenderReport(7, 1 << 63, 160, 1, 160, (block,))],
        [rtcp.ReceiverReport(7), rtcp.SourceDescription((rtcp.Chunk(7, ((rtcp.CNAME, "x"),)),))],
    ]
    sound = bytes(160)
    packets = [
        RtpPacket(0, 1, 160, 7, sound),
        RtpPacket(8, 2, 320, 7, sound, marker=True),
        RtpPacket(0, 3, 480, 7, b""),
        RtpPacket(0, 4, 640, 7, sound * 9),
        RtpPacket(0, 5, 800, 7, sound, csrc=(1, 2), extension=Extension(0xBEDE, bytes(8)), padding=4),
        RtpPacket(13, 6, 960, 7, b"\x40"),
        RtpPacket(13, 7, 1120, theirs, b"\x20\x90\x70\x80"),
        RtpPacket(13, 8, 1120, theirs, b""),
        RtpPacket(101, 7, 960, 7, bytes((5, 0x8A, 0, 160))),
        RtpPacket(127, 8, 960, 7, sound),
    ]
    stun = bytes.fromhex("000100142112a442") + bytes(12) + bytes.fromhex("00060004") + b"a:b\0"
    dtls = bytes.fromhex("16feff0000000000000000002e010000220000000000000022fefd") + bytes(32)
    return [*map(bytes, packets), *map(rtcp.write, reports), stun, dtls, b""]


def spoiled(seeds: list[bytes], source: random.Random) -> bytes:
    """A packet with up to four changes: cut, longer, other octets, other numbers where numbers stand."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(0, 4)):
        match source.randrange(5):
            case 0:
                del data[source.randint(0, len(data)) :]
            case 1:
                data += source.randbytes(source.choice((1, 4, 40, 1500)))
            case 2 if data:
                data[source.randrange(len(data))] = source.randrange(256)
            case 3 if len(data) >= 12:
                struct.pack_into("!H", data, 2, source.choice(VALUES) & 0xFFFF)
                struct.pack_into("!I", data, 4, source.choice(VALUES))
            case 4:
                start = source.randint(0, len(data))
                data[start:start] = source.choice(seeds)
    return bytes(data)


class Fuzz:
    """A call, and what is thrown at Bob. ``count`` datagrams so far."""

    def __init__(self, seed: int, security: str) -> None:
        self.source = random.Random(seed)
        self.wire = Wire(seed=seed)
        self.news: list[MediaEvent] = []  # but those of a BYE, which anybody at the peer's host can say
        self.faults: list[dict[str, Any]] = []
        self.count = 0
        self.alice, self.bob = (self._session(host, security) for host in (ALICE, BOB))
        self._seeds: list[bytes] = []

    def _session(self, host: str, security: str) -> AudioSession:
        numbers = Identifiers(random.Random(self.source.random()))
        return AudioSession(
            host, bind=self.wire.bind, random=numbers, security=security, insecure_keys=True, rtcp_mux=True
        )

    async def run(self, seconds: float) -> None:
        """So long by the clock on the wall. Raises AssertionError for a promise that is broken."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.faults.append(context))
        for session in (self.alice, self.bob):
            session.attach(lambda event: None if isinstance(event, SourceLeft) else self.news.append(event))
        await self.alice.answered(sdp.parse(bytes(await self.bob.answer(await self.alice.offer()))))
        self.bob.confirmed()
        self._seeds = corpus(*map(_ssrc, (self.alice, self.bob)))
        tone = sine(400.0, 1.0).read() or b""
        async with self.alice.audio.playing(PcmSource(tone), loop=True), asyncio.TaskGroup() as group:
            heard = group.create_task(self._listen())
            await asyncio.sleep(1.0)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._throw()
                await asyncio.sleep(0.02)
            self._check()
            await asyncio.sleep(AFTER)
            frames = len(self.sound)
            await asyncio.sleep(AFTER)
            self._check()
            assert any(self.sound[frames:]), "the peer is not heard any more"
            heard.cancel()
        for session in (self.alice, self.bob):
            await session.close()

    sound: list[bool]

    async def _listen(self) -> None:
        self.sound = []
        async for frame in self.bob.audio:
            self.sound.append(purity(frame.pcm, 400.0) > 0.9)

    def _throw(self) -> None:
        ports = [address for address in self.wire.ports if address[0] == BOB]
        now = asyncio.get_running_loop().time()
        for _ in range(ROUND):
            address, data = self.source.choice(ports), spoiled(self._seeds, self.source)
            try:
                self.wire.ports[address](data, self._from(), now)
            except Exception as error:
                raise AssertionError(f"{data!r} at {address} raises") from error
            self.count += 1

    def _from(self) -> Address:
        theirs = self.source.choice([address for address in self.wire.ports if address[0] == ALICE])
        return self.source.choice(
            (theirs, (ALICE, self.source.randrange(1024, 1100)), (STRANGER, self.source.randrange(65536)))
        )

    def _check(self) -> None:
        assert self.faults == []
        assert self.news == []
        statistics = self.bob.audio.statistics
        assert 0 <= statistics.packets_invalid <= self.count
        assert 0 <= statistics.packets_received <= self.count + len(self.wire.sent)
        assert statistics.send_errors == 0
        assert statistics.mos is not None
        assert 1.0 <= statistics.mos <= 4.5
        peer = statistics.peer
        assert peer is None or (0 <= peer.loss <= 1 and (peer.mos is None or 1 <= peer.mos <= 5))


def _ssrc(session: AudioSession) -> int:
    assert session.stream is not None
    return session.stream.speaking.sender.ssrc


def search(seconds: float, seed: int = 0, security: str = "none") -> int:
    """Throws spoiled packets for that time; returns their number. A broken promise raises its error."""
    fuzz = Fuzz(seed, security)
    run(fuzz.run(seconds))
    return fuzz.count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--security", default="none", help="none, sdes or opportunistic")
    arguments = parser.parse_args()
    count = search(arguments.seconds, arguments.seed, arguments.security)
    sys.stdout.write(f"{count} packets, the call goes on\n")


if __name__ == "__main__":
    main()
