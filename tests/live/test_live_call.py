"""A call under attack goes on: forged requests at the SIP port, forged packets at the media ports."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import Sequence
from typing import Any

from scapy.contrib.rtcp import RTCP
from scapy.layers.rtp import RTP, RTPExtension
from scapy.packet import Packet, fuzz
from scapy.volatile import RandBin, RandNum

from sipstack.rtp.sorting import is_dtls, is_stun
from tests.live.attack import Attack, attack
from tests.live.attacker import Attacker, open_socket
from tests.live.sip import SipRequest, values

LOUD = b"\x00\x80" * 80
"""20 ms of loud PCMU."""
SSRC = 0x51515151


async def test_requests_with_a_wrong_tag_or_call_id_do_not_reach_the_call() -> None:
    async with attack() as attacked:
        caller, stranger = attacked.peer(), attacked.peer("127.0.0.1")
        invite = await caller.call()
        for forger in (caller, stranger):
            for method in ("BYE", "INVITE", "UPDATE", "OPTIONS", "CANCEL"):
                for forged in forgeries(caller, forger, invite, method):
                    assert await forger.ask(forged) == 481
        assert [call.id for call in attacked.agent.calls] == values(invite, "Call-ID")
        assert await caller.ask(caller.in_dialog("BYE", invite)) == 200
        assert attacked.agent.calls == []


def forgeries(caller: Attacker, forger: Attacker, invite: SipRequest, method: str) -> list[SipRequest]:
    """Requests that differ from one in the call's dialog in one part of the dialog's identifier."""
    true = caller.in_dialog(method, invite)
    parts = {name: values(true, name)[0] for name in ("From", "To", "Call-ID", "CSeq")}
    changes = [
        {"From": parts["From"] + "x"},
        {"From": parts["From"].partition(";tag=")[0]},
        {"To": parts["To"] + "x"},
        {"To": parts["To"].upper()},
        {"Call-ID": parts["Call-ID"] + "x"},
        {"From": parts["To"], "To": parts["From"]},
    ]
    merged = [{name.replace("-", "_"): text for name, text in (parts | change).items()} for change in changes]
    return [forger.request(method, **part) for part in merged]


class Speaker:
    """The caller's RTP: sends loud frames, and other packets between them."""

    def __init__(self, attacked: Attack) -> None:
        self.peer = attacked.peer()
        self.socket = open_socket(self.peer.host)
        self.port: int = self.socket.getsockname()[1]
        self.heard: list[bytes] = []
        self._number = 1

    async def call(self) -> tuple[SipRequest, tuple[str, int]]:
        """Place a call; returns its INVITE and the address of the other side's RTP."""
        invite = await self.peer.call(self.port)
        body = next(r.body for r in self.peer.responses(invite) if r.status == b"200")
        port = re.search(rb"m=audio ([0-9]+) ", body)
        assert port is not None
        return invite, (self.peer.target[0], int(port[1]))

    async def speak(
        self, target: tuple[str, int], between: Sequence[tuple[socket.socket, bytes, int]]
    ) -> None:
        """One frame, then the next of ``between`` (socket, octets, port), and so on, a frame each 20 ms."""
        for via, data, port in between:
            frame = RTP(sequence=self._number, timestamp=160 * self._number, sourcesync=SSRC)
            self._number += 1
            self.socket.sendto(bytes(frame / LOUD), target)
            via.sendto(data, (target[0], port))
            await asyncio.sleep(0.02)
            self._listen()

    def _listen(self) -> None:
        while True:
            try:
                self.heard.append(self.socket.recv(2048))
            except BlockingIOError:
                return

    @property
    def echoes(self) -> int:
        """The number of our loud frames that came back."""
        return sum(RTP(packet).payload.load == LOUD for packet in self.heard)


def bad_rtp() -> list[bytes]:
    """Packets of the right source that break a rule of RFC 3550, one each."""
    good: dict[str, Any] = {"sequence": 1000, "timestamp": 160, "sourcesync": SSRC}
    packets: list[Packet] = [RTP(version=version, **good) / LOUD for version in (0, 1, 3)]
    packets += [RTP(payload_type=number, **good) / LOUD for number in (3, 72, 76, 96, 127)]
    packets += [RTP(numsync=15, **good), RTP(padding=1, **good) / b"\x00", RTP(padding=1, **good) / b"\xff"]
    packets += [RTP(extension=1, **good), RTP(extension=1, **good) / RTPExtension(header_len=9999)]
    packets += [RTP(**(good | {"sequence": 40_000})) / LOUD, RTP(**(good | {"sourcesync": 1})) / LOUD]
    whole = bytes(RTP(**good))
    return [*map(bytes, packets), *(whole[:length] for length in (1, 4, 11))]


def bad_rtcp() -> list[bytes]:
    """Compounds that break a rule of RFC 3550, one each."""
    report = bytes(RTCP(packet_type=201, sourcesync=SSRC))
    first, kind, length = report[0], report[1], report[2:4]
    return [
        *(report[:end] for end in (1, 3, 7)),
        bytes([first & 0x3F]) + report[1:],
        bytes([first | 31]) + report[1:],
        bytes([first | 0x20]) + report[1:-1] + b"\xff",
        bytes([first, kind]) + b"\xff\xff" + report[4:],
        bytes([0x9F, 202]) + length + report[4:],
        bytes([0x9F, 203]) + length + report[4:],
        bytes([0x81, 200]) + length + report[4:],
        report + b"\x80",
    ]


async def test_bad_rtp_and_rtcp_are_counted_and_the_audio_goes_on() -> None:
    random.seed(11)
    async with attack() as attacked:
        speaker = Speaker(attacked)
        invite, target = await speaker.call()
        with open_socket("127.0.0.1") as stranger, speaker.socket as own:
            forged = bytes(RTP(sequence=1, timestamp=160, sourcesync=SSRC) / LOUD)
            fuzzed = [bytes(fuzz(RTP()) / bytes(RandBin(RandNum(0, 300)))) for _ in range(10)]
            fuzzed_rtcp = [bytes(fuzz(RTCP())) + bytes(RandBin(5)) for _ in range(5)]
            attempts = [(own, data, target[1]) for data in (*bad_rtp(), *fuzzed)]
            attempts += [(own, data, target[1] + 1) for data in (*bad_rtcp(), *fuzzed_rtcp)]
            attempts += [
                (stranger, forged, target[1]),
                (stranger, bytes(RTCP(packet_type=203)), target[1] + 1),
            ]
            await speaker.speak(target, attempts)
        (call,) = attacked.agent.calls
        media = [data for _, data, _ in attempts if not (is_stun(data) or is_dtls(data))]
        assert call.statistics.packets_invalid == len(media) > 40
        assert call.statistics.packets_received == len(attempts)
        assert speaker.echoes >= len(attempts) - 15  # what the playout buffer holds, and a late start
        assert await speaker.peer.ask(speaker.peer.in_dialog("BYE", invite)) == 200
