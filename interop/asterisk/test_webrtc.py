"""DTLS-SRTP (RFC 5763): with ICE as browsers have it (``webrtc=yes``) over UDP and secure WebSocket, and
without; both directions, hold, and who begins the handshake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import numpy as np
import pytest

from interop.asterisk.configuration import HOLD_TONE
from interop.asterisk.listening import answering, eventually, hear, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import RATE, Samples, speech_like_noise, tone, write_wav
from interop.asterisk.wires import Wire
from interop.ports import addresses
from sipstack import AudioSession, Call, Ice, Tls, TracedMessage, UserAgent, sdp

UDP, WSS = Wire("udp4"), Wire("wss4")
OUR_TONE, THEIR_TONE = 440, 620  # Hz
pytestmark = [
    pytest.mark.usefixtures("agent"),  # nothing is left afterwards
    pytest.mark.skipif(not addresses(), reason="Asterisk's ICE needs an address beside that of the loopback"),
]


@attrs.frozen
class Phone:
    """A user agent with the account of an endpoint of etc/pjsip_webrtc.conf, and the media of its calls."""

    agent: UserAgent
    trace: list[TracedMessage]

    def described(self, *, sent: bool) -> list[sdp.MediaDescription]:
        """The m-lines of the descriptions that we have sent, or those that came."""
        bodies = [
            message.data.partition(b"\r\n\r\n")[2]
            for message in self.trace
            if message.sent is sent and b"application/sdp" in message.data
        ]
        return [sdp.parse(body).media[0] for body in bodies if body]


def phone(asterisk: Asterisk, name: str, wire: Wire = UDP, *, ice: Ice | None = Ice()) -> Phone:  # noqa: B008
    trace: list[TracedMessage] = []
    agent = UserAgent(
        f"sip:{name}@{wire.host}:{wire.port(asterisk)}",
        password="secret",
        registrar=wire.uri(asterisk),
        proxy=wire.proxy(asterisk),
        listen=f"udp:{wire.host}:0",
        tls=Tls(authority=asterisk.authority),
        media=lambda host: AudioSession(host, security="dtls", ice=ice),
        trace=trace.append,
    )
    return Phone(agent, trace)


def protected(call: Call) -> bool:
    return (call.security or "").startswith("DTLS-SRTP A")


def signal_to_noise(sent: Samples, heard: Samples) -> float:
    """In dB, over the second in the middle of what was sent, found in what was heard."""
    part = sent[RATE : 2 * RATE]
    size = len(heard) + len(part)
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size))
    at = int(np.argmax(np.fft.irfft(product, size)[: len(heard) - len(part)]))
    noise = heard[at : at + len(part)] - part
    return float(10 * np.log10(np.sum(part**2) / np.sum(noise**2)))


@asynccontextmanager
async def connected(
    asterisk: Asterisk, here: Phone, there: Phone, name: str, folder: Path, wire: Wire
) -> AsyncIterator[tuple[Call, Call]]:
    """Two of ours connected through Asterisk, each sends a tone."""
    ours = write_wav(folder / "ours.wav", tone(OUR_TONE, 1.0))
    theirs = write_wav(folder / "theirs.wav", tone(THEIR_TONE, 1.0))
    async with (
        there.agent,
        there.agent.register(),
        answering(there.agent) as calls,
        here.agent,
        here.agent.call(wire.uri(asterisk, f"dial-{name}")) as our_call,
    ):
        their_call = await next_call(calls)
        async with our_call.playing(ours, loop=True), their_call.playing(theirs, loop=True):
            await hear_tone(our_call.audio, THEIR_TONE)
            await hear_tone(their_call.audio, OUR_TONE)
            yield our_call, their_call


@pytest.mark.parametrize("wire", [UDP, WSS], ids=["udp", "wss"])
async def test_the_echo_is_as_clean_as_the_codec(asterisk: Asterisk, tmp_path: Path, wire: Wire) -> None:
    sent = speech_like_noise(3.0)
    path = write_wav(tmp_path / "sent.wav", sent)
    ours = phone(asterisk, "webrtc", wire)
    async with ours.agent as ua, ua.call(wire.uri(asterisk, "echo")) as call:
        async with call.playing(path):
            heard = await hear(call.audio, 3.5)
        assert protected(call)
        assert signal_to_noise(sent, heard) >= 36.0
        assert call.statistics.packets_lost == 0
        assert call.statistics.packets_invalid == 0
    (answer,) = ours.described(sent=False)
    assert answer.protocol == "UDP/TLS/RTP/SAVPF"
    assert answer.attribute("setup") == "active"
    assert answer.rtcp_mux


@pytest.mark.parametrize("wire", [UDP, WSS], ids=["udp", "wss"])
async def test_we_are_called_and_both_are_heard(asterisk: Asterisk, tmp_path: Path, wire: Wire) -> None:
    here, there = phone(asterisk, "webrtc", wire), phone(asterisk, "webrtc-far", wire)
    async with connected(asterisk, here, there, "webrtc-far", tmp_path, wire) as (our_call, their_call):
        assert protected(our_call)
        assert protected(their_call)
    offer = there.described(sent=False)[0]
    answer = there.described(sent=True)[0]
    assert offer.attribute("setup") == "actpass"
    assert answer.attribute("setup") == "active"
    assert answer.attribute("mid") == offer.attribute("mid")


async def test_hold_and_resume(asterisk: Asterisk, tmp_path: Path) -> None:
    """By a re-INVITE each, that keeps certificate, credentials and roles. Who is held hears music."""
    here, there = phone(asterisk, "webrtc"), phone(asterisk, "webrtc-far")
    async with connected(asterisk, here, there, "webrtc-far", tmp_path, UDP) as (our_call, their_call):
        await our_call.hold()
        await hear_tone(their_call.audio, HOLD_TONE)
        await our_call.resume()
        await hear_tone(their_call.audio, OUR_TONE)
        await hear_tone(our_call.audio, THEIR_TONE)
        assert protected(our_call)
    offers = here.described(sent=True)
    assert len(offers) >= 3
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "mid"):
        assert len({offer.attribute(name) for offer in offers}) == 1


async def test_asterisk_hangs_up(asterisk: Asterisk) -> None:
    """Its BYE ends the call, and not the end of the association beside it."""
    ours = phone(asterisk, "webrtc")
    async with ours.agent as ua, ua.call(UDP.uri(asterisk, "bye-16")) as call:
        ending = await call.ended()
        assert ending.by == "remote"


# Without ICE


@pytest.mark.parametrize("name", ["dtls", "dtls-passive"])
async def test_without_ice_we_call(asterisk: Asterisk, tmp_path: Path, name: str) -> None:
    """It has no rtcp-mux: there are two associations."""
    sent = speech_like_noise(3.0)
    path = write_wav(tmp_path / "sent.wav", sent)
    ours = phone(asterisk, name, ice=None)
    async with ours.agent as ua, ua.call(UDP.uri(asterisk, "echo")) as call:
        async with call.playing(path):
            heard = await hear(call.audio, 3.5)
        assert protected(call)
        assert signal_to_noise(sent, heard) >= 36.0
        await eventually(lambda: call.statistics.round_trip is not None)
    (answer,) = ours.described(sent=False)
    assert answer.protocol == "UDP/TLS/RTP/SAVP"
    assert answer.attribute("setup") == ("passive" if name == "dtls-passive" else "active")
    assert answer.attribute("candidate") is None


async def test_without_ice_we_are_called(asterisk: Asterisk, tmp_path: Path) -> None:
    there = phone(asterisk, "dtls", ice=None)
    path = write_wav(tmp_path / "ours.wav", tone(OUR_TONE, 1.0))
    async with there.agent as ua, ua.register(), answering(ua) as calls:
        await asterisk.originate("dtls", "echo")
        call = await next_call(calls)
        async with call.playing(path, loop=True):
            await hear_tone(call.audio, OUR_TONE)
        assert protected(call)
        await call.hang_up()
    assert there.described(sent=False)[0].protocol == "UDP/TLS/RTP/SAVP"
