"""RTP and RTCP as they go over the wire, for capture files: a transport around another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from sipstack.media.peer_address import Address
from sipstack.media.transport import Bind, Failed, PortSharing, Receive, RtpTransport, UdpTransport
from sipstack.media.wrapped import WrappedTransport


@attrs.frozen
class TracedPacket:
    """One RTP or RTCP packet sent or received. ``time`` is the event loop's, in seconds."""

    time: float
    sent: bool
    local: Address
    remote: Address
    data: bytes


Trace = Callable[[TracedPacket], None]


def traced_rtp(trace: Trace, bind: Bind = UdpTransport.bind) -> Bind:
    """A ``bind`` for ``AudioSession`` whose packets ``trace`` is called with; it must not raise.

    ``UserAgent(media=lambda host: AudioSession(host, bind=traced_rtp(capture.packet)))``
    """

    def bind_traced(
        host: str, ports: tuple[int, int], uniform: Callable[[float, float], float]
    ) -> TracedTransport:
        return TracedTransport(bind(host, ports, uniform), host, trace)

    return bind_traced


class TracedTransport(WrappedTransport):
    """Hands everything on, and tells of it."""

    def __init__(self, transport: RtpTransport, host: str, trace: Trace) -> None:
        super().__init__(transport)
        self._trace = trace
        self._time = asyncio.get_running_loop().time
        self._rtp: Address = (host, transport.port)
        self._rtcp: Address = (host, transport.rtcp_port)

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        def rtp_received(data: bytes, source: Address, now: float) -> None:
            self._trace(TracedPacket(now, False, self._rtp, source, data))
            rtp(data, source, now)

        def rtcp_received(data: bytes, source: Address, now: float) -> None:
            self._trace(TracedPacket(now, False, self._rtcp, source, data))
            rtcp(data, source, now)

        self._transport.start(rtp_received, rtcp_received, failed)

    def share_port(self, shared: bool) -> None:
        super().share_port(shared)
        if isinstance(self._transport, PortSharing):
            port = self._transport.port if shared else self._transport.rtcp_port
            self._rtcp = self._rtp[0], port

    def send_rtp(self, data: bytes, destination: Address) -> None:
        self._trace(TracedPacket(self._time(), True, self._rtp, destination, data))
        self._transport.send_rtp(data, destination)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        self._trace(TracedPacket(self._time(), True, self._rtcp, destination, data))
        self._transport.send_rtcp(data, destination)
