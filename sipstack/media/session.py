"""The media of a call as RTP/AVP over UDP: offers, answers, and one audio stream that follows them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from sipstack.errors import CallEnded, LocalProtocolError, MediaError, NegotiationError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import MEDIA
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.clock import MediaClock
from sipstack.media.codecs import CODECS, AudioCodec
from sipstack.media.events import Listener, MediaFailed
from sipstack.media.peer_address import Address
from sipstack.media.stream import AudioStream
from sipstack.media.transport import RtpTransport, UdpTransport
from sipstack.sdp import (
    Agreement,
    Capabilities,
    Codec,
    Connection,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
)

Bind = Callable[[str, tuple[int, int], Callable[[float, float], float]], RtpTransport]
"""Opens a transport: the local address, the ports to choose from, and a source of numbers to choose with."""


class AudioSession:
    """A MediaPort for one audio stream over plain RTP. ``host`` is the local IP address.

    ``advertised`` is the address that the peer is told, where that is another one (NAT, Docker). ``codecs``
    are names, or codecs of your own, in order of preference. ``ports`` is the first and the last port to use;
    (0, 0) lets the system choose. ``random`` gives SSRC, numbers and session id. ``clock`` is the event
    loop's shared one when not given. Ports are opened with the first offer or answer, and stay the same for
    the whole call.
    """

    def __init__(
        self,
        host: str,
        *,
        advertised: str | None = None,
        codecs: Sequence[str | AudioCodec] = ("PCMU", "PCMA"),
        ports: tuple[int, int] = (0, 0),
        clock: MediaClock | None = None,
        random: Identifiers | None = None,
        bind: Bind = UdpTransport.bind,
    ) -> None:
        self._codecs, self._capabilities = _known(tuple(codecs))
        self._receives = self._playable(self._capabilities.codecs)
        sample_rate = next(iter(self._receives.values())).sample_rate
        self.audio = Audio(self._statistics, sample_rate)
        self._host = host
        self._ports = ports
        self._clock = clock
        self._random = random or Identifiers()
        self._bind = bind
        address = advertised or host.partition("%")[0]
        self._negotiation = Negotiation(Origin("-", self._random.session_id(), 1, address), address)
        self._transport: RtpTransport | None = None
        self._stream: AudioStream | None = None
        self._listener: Listener | None = None
        self._closed = False

    def __repr__(self) -> str:
        port = self._transport.port if self._transport else None
        return f"<AudioSession {self._host} port={port} codec={self.audio.codec}>"

    @property
    def error(self) -> MediaError | None:
        """The last thing that went wrong with a recording."""
        return self.audio.error

    def attach(self, listener: Listener) -> None:
        if not self._closed:
            self._listener = listener

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        transport, stream = self._open()
        self._negotiation = self._negotiation.offer(self._streams(transport, direction))
        # The peer may use any codec that was offered, at once.
        payload_types = self._negotiation.payload_types
        self._receives |= self._playable(payload_types.numbered("audio", self._capabilities.codecs))
        stream.expect(self._receives)
        return self._negotiation.local

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        transport, stream = self._open()
        negotiation = self._negotiation.answer(offer, self._streams(transport, direction))
        await self._apply(stream, negotiation)
        return negotiation.local

    async def answered(self, answer: SessionDescription) -> None:
        self._check_open()
        negotiation = self._negotiation.answered(answer)
        _, stream = self._open()
        await self._apply(stream, negotiation)

    async def close(self) -> None:
        if self._transport is not None and not self._closed:
            MEDIA.info("%s is closed", self)
            if self._transport.send_errors:
                MEDIA.warning("%s: %s packets could not be sent", self, self._transport.send_errors)
        self._closed = True
        self._listener = None
        if self._clock is not None and self._stream is not None:
            self._clock.leave(self._stream.tick)
            self._stream.close(asyncio.get_running_loop().time())
        if self._transport is not None:
            self._transport.close()
        self.audio.end(CallEnded("local", "the media session is closed"))

    def _check_open(self) -> None:
        if self._closed:
            raise LocalProtocolError("the media session is closed")

    def _open(self) -> tuple[RtpTransport, AudioStream]:
        self._check_open()
        if self._transport is None or self._stream is None:
            self._transport = self._bind(self._host, self._ports, self._random.uniform)
            self._clock = self._clock or MediaClock.shared()
            now = asyncio.get_running_loop().time()
            self._stream = AudioStream(self.audio, self._transport, self._random, now)
            self._transport.start(self._stream.receive_rtp, self._stream.receive_rtcp, self._fail)
            self._clock.join(self._stream.tick)
            MEDIA.info("%s is open", self)
        return self._transport, self._stream

    def _streams(self, transport: RtpTransport, direction: Direction) -> dict[str, MediaStream]:
        stream = MediaStream("audio", self._capabilities, transport.port, direction, transport.rtcp_port)
        return {"audio": stream}

    async def _apply(self, stream: AudioStream, negotiation: Negotiation) -> None:
        """Follow what was agreed; nothing has changed when this raises."""
        agreement = negotiation.agreements.get("audio")
        if agreement is None:
            stream.disconnect()
        else:
            await self._connect(stream, agreement)
        self._negotiation = negotiation

    async def _connect(self, stream: AudioStream, agreement: Agreement) -> None:
        rtp = await self._resolve(agreement.address, agreement.port)
        rtcp = await self._resolve(agreement.rtcp_address, agreement.rtcp_port)
        if self._closed:
            raise LocalProtocolError("the media session was closed meanwhile")
        codec = self._codecs[agreement.codec.key]
        self._receives |= self._playable(agreement.receive.values())
        stream.expect(self._receives)
        stream.connect(rtp, rtcp)
        stream.speak(codec, agreement.codec.payload_type, sends=agreement.direction.sends)
        self.audio.codec = codec.name
        MEDIA.info("%s is connected to %s, %s", self, rtp or "nobody", agreement.direction.value)

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

    def _fail(self, error: TransportError) -> None:
        if self._listener is not None:
            self._listener(MediaFailed(error))

    def _playable(self, codecs: Iterable[Codec]) -> dict[int, AudioCodec]:
        """Our codecs by the payload type numbers of these."""
        found = {codec.payload_type: self._codecs.get(codec.key) for codec in codecs}
        return {payload_type: codec for payload_type, codec in found.items() if codec is not None}

    def _statistics(self) -> MediaStatistics:
        return self._stream.statistics() if self._stream else MediaStatistics()


Known = tuple[Mapping[tuple[str | int, ...], AudioCodec], Capabilities]


@lru_cache(maxsize=32)  # an application has few sets of codecs, and opens each for many calls
def _known(wanted: tuple[str | AudioCodec, ...]) -> Known:
    """The codecs by the key of their description, and as capabilities. Raises MediaError."""
    codecs = [CODECS.get(each.upper(), each) if isinstance(each, str) else each for each in wanted]
    unknown = [each for each in codecs if isinstance(each, str)]
    if unknown:
        raise MediaError(f"no such codec: {', '.join(unknown)} (there are {', '.join(CODECS)})")
    found = [each for each in codecs if isinstance(each, AudioCodec)]
    by_key = {each.description.key: each for each in found}
    return MappingProxyType(by_key), Capabilities(tuple(each.description for each in found))
