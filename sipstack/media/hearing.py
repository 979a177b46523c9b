"""What we receive on one audio stream: packets at the pace of playing, and what fills the gaps."""

from __future__ import annotations

from sipstack.media.audio import Audio
from sipstack.media.codecs import AudioCodec, Decoder
from sipstack.media.coders import Coders
from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.rtp.concealment import Concealer
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.playout import Gap, PlayoutBuffer

BURST = 50
"""Frames taken from the playout buffer in one tick at most, after a stall."""


_Received = tuple[Decoder, bytes]
"""What decodes it, and the payload."""


class Hearing:
    """The source that we listen to: playout buffer, decoders, concealment."""

    __slots__ = (
        "_ahead",
        "_audio",
        "_codec",
        "_coders",
        "_concealer",
        "_decoder",
        "_decoders",
        "_hears",
        "_is_listening",
        "_octets",
        "_played",
        "_playout",
        "_rest",
        "_units",
    )

    def __init__(self, audio: Audio, coders: Coders) -> None:
        self._audio = audio
        self._coders = coders
        self._octets = frame_octets(audio.sample_rate)
        self._playout: PlayoutBuffer[_Received] = PlayoutBuffer(audio.sample_rate)
        self._concealer = Concealer(audio.sample_rate)
        self._ahead: list[
            tuple[_Received, bytes]
        ] = []  # decoded before their time, to fill the gap before them
        self._decoders: dict[AudioCodec, Decoder] = {}
        self._codec: AudioCodec | None = None  # that of the last packet
        self._decoder: Decoder | None = None  # its own, once it is needed
        self._played: Decoder | None = None  # that of the last packet which was played
        self._units = audio.sample_rate // FRAMES_PER_SECOND  # of its clock, in a frame
        self._hears = True
        self._is_listening = False
        self._rest = b""

    @property
    def late(self) -> int:
        """Packets that came too late, or twice."""
        return self._playout.late

    @property
    def concealed(self) -> int:
        """Pieces made up so far."""
        return self._concealer.concealed

    @property
    def delay(self) -> float:
        """What packets should wait before they are played, in seconds."""
        return self._playout.target

    @property
    def most_delay(self) -> float:
        """What ``delay`` can be."""
        return self._playout.maximum

    def hear(self, hears: bool) -> None:
        """Whether what comes is played."""
        self._hears = hears
        if not hears:
            self._playout.reset()
            self._is_listening = False

    def follow(self, codec: AudioCodec) -> None:
        """From here on the peer sends this codec, whose clock may be another one."""
        self._decoder = self._decoders.get(codec)
        if self._codec is None or codec.clock_rate != self._codec.clock_rate:
            self._playout.use_clock(codec.clock_rate)
        self._codec = codec
        self._units = codec.frame_units

    def put(self, packet: RtpPacket, codec: AudioCodec, *, anew: bool, now: float) -> None:
        """A packet of the codec that was followed last; ``anew``: forget what came before it."""
        if self._hears and self._audio.wanted:
            if anew or not self._is_listening:
                self._listen_anew()
            decoder = self._decoder
            if decoder is None:
                decoder = self._decoder = self._opened(codec)
            payload = packet.payload
            self._playout.put(packet.timestamp, codec.duration(payload), (decoder, payload), now)

    def put_beside(self, packet: RtpPacket, codec: AudioCodec, now: float) -> None:
        """A packet of a codec beside the one that was followed last, and of the same clock."""
        if self._hears and self._audio.wanted:
            if not self._is_listening:
                self._listen_anew()
            payload = packet.payload
            self._playout.put(packet.timestamp, codec.duration(payload), (self._opened(codec), payload), now)

    def finish(self) -> None:
        """The source has said that it sends no more: what is there is heard to its end."""
        self._playout.finish()

    def tick(self, now: float, periods: int) -> None:
        """20 ms have passed, or several times that after a stall: the application hears."""
        audio = self._audio
        if audio.wanted:
            for _ in range(min(periods, BURST)):
                audio.write(self._frame(now))
        else:
            self._is_listening = False

    def close(self) -> None:
        """Nothing is heard any more."""
        for decoder in self._decoders.values():
            self._coders.close(decoder)
        self._decoders.clear()
        self._decoder = self._played = None
        self._hears = False

    def _opened(self, codec: AudioCodec) -> Decoder:
        """Not before somebody listens: a decoder takes memory."""
        decoder = self._decoders.get(codec)
        if decoder is None:
            decoder = self._decoders[codec] = self._coders.decoder(codec, self._audio.sample_rate)
        return decoder

    def _listen_anew(self) -> None:
        self._playout.reset()
        self._ahead.clear()
        self._played = None
        self._rest = b""
        self._is_listening = True

    def _frame(self, now: float) -> bytes:
        """20 ms of what is heard: packets of other lengths are cut or joined."""
        octets, pcm, playout = self._octets, self._rest, self._playout
        while len(pcm) < octets:
            item = playout.get(now)
            if isinstance(item, Gap):
                piece = self._fill(item)
            else:
                self._played, payload = item
                decoded = self._take_ahead(item) if self._ahead else None
                piece = self._concealer.good(self._played.decode(payload) if decoded is None else decoded)
                if playout.excess:
                    piece = self._concealer.shorten(piece, self._pcm_octets(playout.excess))
            pcm = pcm + piece if pcm else piece
        self._rest = pcm[octets:]
        return pcm[:octets]

    def _fill(self, gap: Gap) -> bytes:
        """In place of what is missing."""
        octets = self._pcm_octets(self._playout.missing)
        match gap:
            case Gap.IDLE:
                return self._pause(octets)
            case Gap.SKIPPED:
                self._concealer.skip()
                return b""
            case Gap.LOST:
                return self._conceal(octets)

    def _conceal(self, octets: int) -> bytes:
        playout, decoder = self._playout, self._played
        if self._coders.are_behind:  # it costs as much as many packets: ever more calls would fall behind
            self._concealer.concealed += 1
            return bytes(octets)
        following = playout.following(self._units)
        if decoder is not None:
            is_next = following and playout.until == playout.missing and following[0][0] is decoder
            piece = decoder.conceal(octets // 2, following[0][1] if is_next else None)
            if piece is not None:
                self._concealer.concealed += not decoder.is_silent  # else nothing was lost
                return piece
        until = self._pcm_octets(playout.until)
        return self._concealer.conceal(octets, b"".join(map(self._decode_ahead, following)), until)

    def _pause(self, octets: int) -> bytes:
        """While the peer sends nothing: silence, or its noise where the codec knows of it."""
        decoder = self._played
        if decoder is not None and decoder.is_silent:
            return decoder.conceal(octets // 2, None) or bytes(octets)
        return bytes(octets)

    def _decode_ahead(self, item: _Received) -> bytes:
        for other, pcm in self._ahead:
            if other is item:
                return pcm
        decoder, payload = item
        pcm = decoder.decode(payload)
        self._ahead.append((item, pcm))
        return pcm

    def _take_ahead(self, item: _Received) -> bytes | None:
        """What it was decoded to before its time, if it was."""
        for place, (other, pcm) in enumerate(self._ahead):
            if other is item:
                del self._ahead[: place + 1]
                return pcm
        return None

    def _pcm_octets(self, units: int) -> int:
        """Of whole samples that last as long as these units of the RTP clock."""
        octets = self._octets * units // self._units
        return octets + (octets & 1)
