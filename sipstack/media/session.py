"""The media of a call as RTP/AVP over UDP: offers, answers, and one audio stream that follows them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence

from sipstack.errors import CallEnded, LocalProtocolError, MediaError, NegotiationError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.clock import MediaClock
from sipstack.media.codecs import CODECS, AudioCodec
from sipstack.media.latch import Address
from sipstack.media.stream import AudioStream
from sipstack.media.transport import RtpTransport, UdpTransport
from sipstack.sdp import (
    STATIC_CODECS,
    Agreement,
    Capabilities,
    Codec,
    Connection,
    Direction,
    Origin,
    SessionDescription,
    agreed,
    make_answer,
    make_offer,
)

Bind = Callable[[str, tuple[int, int], Callable[[float, float], float]], RtpTransport]
"""Opens a transport: the local address, the ports to choose from, and a source of numbers to choose with."""


class AudioSession:
    """A MediaPort for plain RTP. ``host`` is the local IP address, which the peer is told too.

    ``ports`` is the first and the last port to use; (0, 0) lets the system choose. ``random`` gives SSRC,
    numbers and session id. ``clock`` is the event loop's shared one when not given. Ports are opened with the
    first offer or answer, and stay the same for the whole call.
    """

    def __init__(
        self,
        host: str,
        *,
        codecs: Sequence[str] = ("PCMU", "PCMA"),
        ports: tuple[int, int] = (0, 0),
        clock: MediaClock | None = None,
        random: Identifiers | None = None,
        bind: Bind = UdpTransport.bind,
    ) -> None:
        self.audio = Audio(self._statistics)
        self._host = host
        self._ports = ports
        self._clock = clock
        self._random = random or Identifiers()
        self._bind = bind
        self._capabilities = _capabilities(codecs)
        self._origin = Origin("-", self._random.session_id(), 1, host.partition("%")[0])
        self._sent: SessionDescription | None = None  # the last one, whatever became of it
        self._offer: SessionDescription | None = None  # ours, if that was the last
        self._transport: RtpTransport | None = None
        self._stream: AudioStream | None = None
        self._closed = False

    def __repr__(self) -> str:
        port = self._transport.port if self._transport else None
        return f"<AudioSession {self._host} port={port} codec={self.audio.codec}>"

    @property
    def error(self) -> MediaError | None:
        """The last thing that went wrong with a recording."""
        return self.audio.error

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        transport, stream = self._open()
        offer = make_offer(
            self._capabilities,
            origin=self._origin,
            address=self._origin.address,
            port=transport.port,
            rtcp_port=transport.rtcp_port,
            direction=direction,
            previous=self._sent,
        )
        self._capabilities = self._capabilities.keeping(offer)
        self._sent = self._offer = offer
        stream.expect(self._receivable())
        return offer

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        transport, stream = self._open()
        capabilities = self._capabilities.keeping(offer)
        answer = make_answer(
            offer,
            capabilities,
            origin=self._origin,
            address=self._origin.address,
            port=transport.port,
            rtcp_port=transport.rtcp_port,
            direction=direction,
            previous=self._sent,
        )
        agreements = agreed(answer, offer)
        if agreements:
            await self._apply(stream, agreements[0])
        else:
            stream.disconnect()
        self._capabilities, self._sent, self._offer = capabilities, answer, None
        return answer

    async def answered(self, answer: SessionDescription) -> None:
        if self._offer is None or self._closed:
            raise LocalProtocolError("there is no offer of ours to be answered")
        _, stream = self._open()
        agreements = agreed(self._offer, answer)
        if not agreements:
            raise NegotiationError("the peer refused our audio")
        await self._apply(stream, agreements[0])
        self._capabilities = self._capabilities.keeping(answer)

    async def close(self) -> None:
        self._closed = True
        if self._clock is not None and self._stream is not None:
            self._clock.leave(self._stream.tick)
            self._stream.close(asyncio.get_running_loop().time())
        if self._transport is not None:
            self._transport.close()
        self.audio.end(CallEnded("local", "the media session is closed"))

    def _open(self) -> tuple[RtpTransport, AudioStream]:
        if self._closed:
            raise LocalProtocolError("the media session is closed")
        if self._transport is None or self._stream is None:
            self._transport = self._bind(self._host, self._ports, self._random.uniform)
            self._clock = self._clock or MediaClock.shared()
            now = asyncio.get_running_loop().time()
            self._stream = AudioStream(self.audio, self._transport, self._random, now)
            self._transport.start(self._stream.receive_rtp, self._stream.receive_rtcp)
            self._clock.join(self._stream.tick)
        return self._transport, self._stream

    async def _apply(self, stream: AudioStream, agreement: Agreement) -> None:
        rtp = await self._resolve(agreement.address, agreement.port)
        rtcp = await self._resolve(agreement.rtcp_address, agreement.rtcp_port)
        if self._closed:
            raise LocalProtocolError("the media session was closed meanwhile")
        codec = CODECS[agreement.codec.name.upper()]
        stream.expect(self._receivable() | _playable(agreement.receive.values()))
        stream.connect(rtp, rtcp)
        stream.speak(codec, agreement.codec.payload_type, sends=agreement.direction.sends)
        self.audio.codec = codec.name

    async def _resolve(self, host: str, port: int) -> Address | None:
        """The address to send to; None for those that mean "send me nothing"."""
        if not port or Connection(host).nowhere:
            return None
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            if ":" in host or host.replace(".", "").isdigit():  # an IP address: no need of the loop's threads
                found = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
            else:
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
        except (OSError, ValueError) as error:
            raise NegotiationError(f"no way to send media to {host!r}: {error}") from error
        return found[0][4]

    def _receivable(self) -> dict[int, AudioCodec]:
        """What we take under our own numbers: the peer may use any codec that was offered."""
        return _playable(self._capabilities.numbered())

    def _statistics(self) -> MediaStatistics:
        return self._stream.statistics() if self._stream else MediaStatistics()


def _capabilities(names: Sequence[str]) -> Capabilities:
    """Our codecs, by name, under their static payload types."""
    known = {codec.name: codec for codec in STATIC_CODECS.values() if codec.name in CODECS}
    unknown = [name for name in names if name.upper() not in known]
    if unknown:
        raise MediaError(f"no such codec: {', '.join(unknown)} (there are {', '.join(known)})")
    return Capabilities(tuple(known[name.upper()] for name in names))


def _playable(codecs: Iterable[Codec]) -> dict[int, AudioCodec]:
    found = {codec.payload_type: CODECS.get(codec.name.upper()) for codec in codecs}
    return {payload_type: codec for payload_type, codec in found.items() if codec is not None}
