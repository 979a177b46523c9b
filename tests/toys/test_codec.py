"""A codec of an application's own: 16-bit samples with every bit turned over, under a dynamic number."""

from __future__ import annotations

import pytest

from sipstack import sdp
from sipstack.media.codecs import AudioCodec, stateless
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.sdp import Codec
from sipstack.testing.loop import run
from tests.media.calls import Call, numbers, rtp_of
from tests.media.hearing import Ear, purity
from tests.media.wire import Wire

OFFERED = 101


def turned(octets: bytes) -> bytes:
    return bytes(octet ^ 0xFF for octet in octets)


TOY = stateless(
    description=Codec(OFFERED, "X-TOY", 16000),
    sample_rate=8000,
    encode=turned,
    decode=lambda payload: turned(payload[: len(payload) & ~1]),
    duration=len,  # two octets a sample, and two units of the clock
)


def between(wire: Wire, *, callee: tuple[AudioCodec | str, ...]) -> Call:
    return Call(
        AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind, codecs=(TOY, "PCMU")),
        AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind, codecs=callee),
    )


def test_where_the_peer_lacks_it_the_next_codec_serves() -> None:
    async def main() -> str | None:
        async with between(Wire(), callee=("PCMU",)) as call:
            return call.alice.audio.codec

    assert run(main()) == "PCMU"


def test_it_is_offered_answered_and_heard() -> None:
    wire, ear = Wire(), Ear()

    async def main() -> tuple[str, str]:
        async with between(wire, callee=(TOY,)) as call:
            descriptions = await call.describe()
            async with call.bob.audio.recording(ear):
                await call.alice.audio.play(sine(1000.0, 0.5))
            return descriptions

    offer, answer = run(main())
    assert f"a=rtpmap:{OFFERED} X-TOY/16000" in offer.splitlines()
    assert [codec.name for codec in sdp.parse(answer.encode()).media[0].codecs] == [
        "X-TOY",
        "telephone-event",
    ]
    assert {packet.payload_type for packet in rtp_of(wire, "192.0.2.1")} == {OFFERED}
    assert purity(b"".join(ear.frames[10:20]), 1000.0) == pytest.approx(1.0, abs=0.01)
