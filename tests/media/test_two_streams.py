"""A toy media of two m-lines, audio and video. It is all in this file: what it needs of the project is
``sdp.Negotiation``, and a port of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack import sdp
from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError
from sipstack.media.audio import Audio
from sipstack.media.events import Listener, MediaChanged
from sipstack.media.port import MediaPort
from sipstack.sdp import (
    STATIC_CODECS,
    Capabilities,
    Codec,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
)
from sipstack.testing.media import SilentMedia

CAPABILITIES = {
    "audio": Capabilities((STATIC_CODECS[0], STATIC_CODECS[8])),
    "video": Capabilities((Codec(97, "VP8", 90000), STATIC_CODECS[34]), ptime=None),
}
PORTS = {"audio": 40000, "video": 40002}
S, O, R = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY  # noqa: E741


class TwoStreams:
    """Audio and video, or one of them; ``turn`` switches a stream on or off, which wants a further offer."""

    def __init__(self, host: str, kinds: tuple[str, ...] = ("audio", "video")) -> None:
        self.audio = Audio() if "audio" in kinds else None
        self.kinds = list(kinds)
        self._negotiation = Negotiation(Origin("-", 1, 1, host), host)
        self._listener: Listener | None = None
        self._closed = False

    @property
    def agreed(self) -> dict[str, tuple[str, int, str, Direction]]:
        """Of each stream: address, port, codec and direction."""
        return {
            name: (agreement.address, agreement.port, agreement.codec.name, agreement.direction)
            for name, agreement in self._negotiation.agreements.items()
        }

    def turn(self, kind: str, *, on: bool) -> None:
        self.kinds.remove(kind) if not on else self.kinds.append(kind)
        if self._listener is not None:
            self._listener(MediaChanged())

    def attach(self, listener: Listener) -> None:
        self._listener = listener

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        return self._take(lambda: self._negotiation.offer(self._streams(direction)))

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        return self._take(lambda: self._negotiation.answer(offer, self._streams(direction)))

    async def answered(self, answer: SessionDescription) -> None:
        self._take(lambda: self._negotiation.answered(answer))

    def confirmed(self) -> None:
        """Nothing waits for it."""

    async def close(self) -> None:
        self._closed = True
        self._listener = None
        if self.audio is not None:
            self.audio.end(CallEnded("local"))

    def _streams(self, direction: Direction) -> dict[str, MediaStream]:
        return {kind: MediaStream(kind, CAPABILITIES[kind], PORTS[kind], direction) for kind in self.kinds}

    def _take(self, step: Callable[[], Negotiation]) -> SessionDescription:
        if self._closed:
            raise LocalProtocolError("the media is closed")
        self._negotiation = step()
        return self._negotiation.local


async def exchange(one: MediaPort, other: MediaPort, direction: Direction = S) -> tuple[list[str], list[str]]:
    """``one`` offers and ``other`` answers, as text; the m-lines of both."""
    offer = sdp.parse(bytes(await one.offer(direction)))
    answer = sdp.parse(bytes(await other.answer(offer)))
    await one.answered(answer)
    return m_lines(offer), m_lines(answer)


def m_lines(description: SessionDescription) -> list[str]:
    return [str(medium.line) for medium in description.media]


AUDIO, VIDEO = "audio 40000 RTP/AVP 0 8", "video 40002 RTP/AVP 97 34"
NO_VIDEO = "video 0 RTP/AVP 97 34"


async def test_media_without_video_cannot_answer_video_alone() -> None:
    offer = await TwoStreams("10.0.0.1", ("video",)).offer()
    with pytest.raises(NegotiationError):
        await SilentMedia("10.0.0.2").answer(offer)


async def test_video_alone_is_media_too() -> None:
    alice, bob = TwoStreams("10.0.0.1", ("video",)), TwoStreams("10.0.0.2")
    assert await exchange(alice, bob) == ([VIDEO], ["video 40002 RTP/AVP 97"])
    assert alice.agreed == {"video": ("10.0.0.2", 40002, "VP8", S)}


async def test_both_streams_with_itself() -> None:
    alice, bob = TwoStreams("10.0.0.1"), TwoStreams("10.0.0.2")
    assert await exchange(alice, bob, O) == (
        [AUDIO, VIDEO],
        ["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 97"],
    )
    assert alice.agreed == {
        "audio": ("10.0.0.2", 40000, "PCMU", O),
        "video": ("10.0.0.2", 40002, "VP8", O),
    }
    assert bob.agreed == {
        "audio": ("10.0.0.1", 40000, "PCMU", R),
        "video": ("10.0.0.1", 40002, "VP8", R),
    }


async def test_silent_media_rejects_the_second() -> None:
    alice, bob = TwoStreams("10.0.0.1"), SilentMedia("10.0.0.2")
    assert await exchange(alice, bob) == ([AUDIO, VIDEO], ["audio 40000 RTP/AVP 0", NO_VIDEO])
    assert alice.agreed == {"audio": ("10.0.0.2", 40000, "PCMU", S)}
    assert (bob.direction, bob.audio.codec) == (S, "PCMU")


async def test_as_the_answerer_it_leaves_out_what_is_not_offered() -> None:
    alice, bob = SilentMedia("10.0.0.1"), TwoStreams("10.0.0.2")
    assert await exchange(alice, bob) == ([AUDIO], ["audio 40000 RTP/AVP 0"])
    assert bob.agreed == {"audio": ("10.0.0.1", 40000, "PCMU", S)}
    # then the video is added, and refused: the audio goes on
    assert await exchange(bob, alice) == ([AUDIO, VIDEO], ["audio 40000 RTP/AVP 0", NO_VIDEO])
    assert bob.agreed == {"audio": ("10.0.0.1", 40000, "PCMU", S)}
    # and the other side's next offer keeps the place of what it refused
    assert await exchange(alice, bob, O) == ([AUDIO, NO_VIDEO], ["audio 40000 RTP/AVP 0", NO_VIDEO])
    assert alice.direction is O


async def test_a_stream_is_taken_out_and_put_back() -> None:
    alice, bob = TwoStreams("10.0.0.1"), TwoStreams("10.0.0.2")
    news: list[object] = []
    alice.attach(news.append)
    await exchange(alice, bob)
    alice.turn("video", on=False)
    assert await exchange(alice, bob) == ([AUDIO, NO_VIDEO], ["audio 40000 RTP/AVP 0", NO_VIDEO])
    assert [list(side.agreed) for side in (alice, bob)] == [["audio"], ["audio"]]
    alice.turn("video", on=True)
    assert await exchange(alice, bob) == (
        [AUDIO, VIDEO],
        ["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 97"],
    )
    assert [list(side.agreed) for side in (alice, bob)] == [["audio", "video"], ["audio", "video"]]
    assert news == [MediaChanged(), MediaChanged()]


async def test_the_audio_is_taken_out_and_the_video_keeps_its_place() -> None:
    alice, bob = TwoStreams("10.0.0.1"), TwoStreams("10.0.0.2")
    await exchange(alice, bob)
    alice.turn("audio", on=False)
    assert await exchange(alice, bob) == (
        ["audio 0 RTP/AVP 0 8", VIDEO],
        ["audio 0 RTP/AVP 0 8", "video 40002 RTP/AVP 97"],
    )
    assert list(alice.agreed) == ["video"]


async def test_closed_media_takes_no_part_any_more() -> None:
    media = TwoStreams("10.0.0.1")
    offer = await media.offer()
    await media.close()
    for use in (media.offer(), media.answer(offer), media.answered(offer)):
        with pytest.raises(LocalProtocolError):
            await use
