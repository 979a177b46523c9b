"""aiortc's RTP engine under the load of ``media``: see ``media_seat``.

Its sender and receiver work over plain UDP here, without DTLS, SRTP and ICE: what is measured costs less than
a call of aiortc's really does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from typing import Any

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import RtpPacket, is_rtcp

from interop.bench.media_seat import HOST, destinations, serve

PCMU = RTCRtpCodecParameters(mimeType="audio/PCMU", clockRate=8000, channels=1, payloadType=0)


class PlainTransport(asyncio.DatagramProtocol):
    """What a sender and a receiver need of RTCDtlsTransport, over plain UDP."""

    state = "connected"
    _stats_id = "plain"

    def __init__(self, destination: int) -> None:
        self.heard = 0
        self._to = HOST, destination
        self._receiver: Any = None

    def connection_made(self, transport: Any) -> None:
        self._socket = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: object) -> None:
        if self._receiver is None or is_rtcp(data):
            return
        self.heard += 1
        taking = self._receiver._handle_rtp_packet(RtpPacket.parse(data), int(time.time() * 1000))
        try:
            taking.send(None)  # it never waits for audio: this is cheaper than the task of the true transport
        except StopIteration:
            return

    async def _send_rtp(self, data: bytes) -> None:
        self._socket.sendto(data, self._to)

    def _register_rtp_receiver(self, receiver: RTCRtpReceiver, parameters: object) -> None:
        self._receiver = receiver

    def _register_rtp_sender(self, sender: RTCRtpSender, parameters: object) -> None:
        """It gets no reports."""

    def _unregister_rtp_receiver(self, receiver: RTCRtpReceiver) -> None:
        self._receiver = None

    def _unregister_rtp_sender(self, sender: RTCRtpSender) -> None:
        """It got none."""

    def _get_stats(self) -> dict[str, Any]:
        return {}


async def listen(track: MediaStreamTrack) -> None:
    """Takes all frames."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


async def call(destination: int) -> tuple[PlainTransport, RTCRtpSender, RTCRtpReceiver]:
    """One call: it says silence, at its own pace."""
    loop = asyncio.get_running_loop()
    _, plain = await loop.create_datagram_endpoint(
        lambda: PlainTransport(destination), local_addr=(HOST, 0), family=socket.AF_INET
    )
    transport: Any = plain
    sender, receiver = RTCRtpSender(AudioStreamTrack(), transport), RTCRtpReceiver("audio", transport)
    receiver._track = RemoteStreamTrack(kind="audio")
    rtcp = RTCRtcpParameters(cname="bench")
    await receiver.receive(RTCRtpReceiveParameters(codecs=[PCMU], rtcp=rtcp))
    await sender.send(RTCRtpSendParameters(codecs=[PCMU], rtcp=rtcp))
    return plain, sender, receiver


async def main(arguments: list[str]) -> None:
    """Serves until the standard input ends."""
    calls = [await call(destination) for destination in destinations(arguments)]
    listening = asyncio.gather(*[listen(receiver.track) for _, _, receiver in calls])
    await serve([plain.port for plain, _, _ in calls], lambda: sum(plain.heard for plain, _, _ in calls))
    listening.cancel()
    os._exit(0)  # to stop so many threads in order takes minutes, and they would keep the process


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
