"""DTLS-SRTP (RFC 5763): with ICE as browsers have it (``webrtc=yes``) over UDP and secure WebSocket, and
without; both directions, hold, and who begins the handshake."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interop.asterisk import phones
from interop.asterisk.configuration import HOLD_TONE
from interop.asterisk.listening import answering, eventually, hear, hear_tone, next_call
from interop.asterisk.phones import OUR_TONE, THEIR_TONE, Phone, connected
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import RATE, signal_to_noise, speech_like_noise, tone, write_wav
from interop.asterisk.wires import Wire
from interop.ports import addresses
from sipstack import Call, Ice

UDP, WSS = Wire("udp4"), Wire("wss4")
pytestmark = [
    pytest.mark.usefixtures("agent"),  # nothing is left afterwards
    pytest.mark.skipif(not addresses(), reason="Asterisk's ICE needs an address beside that of the loopback"),
]


def phone(asterisk: Asterisk, name: str, wire: Wire = UDP, *, ice: Ice | None = Ice()) -> Phone:  # noqa: B008
    return phones.phone(asterisk, name, wire, security="dtls", ice=ice)


def protected(call: Call) -> bool:
    return (call.security or "").startswith("DTLS-SRTP A")


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
    async with connected(here.agent, there.agent, wire.uri(asterisk, "dial-webrtc-far"), tmp_path) as (
        our_call,
        their_call,
    ):
        assert protected(our_call)
        assert protected(their_call)
    offer = there.described(sent=False)[0]
    answer = there.described(sent=True)[0]
    assert offer.attribute("setup") == "actpass"
    assert answer.attribute("setup") == "active"
    assert answer.attribute("mid") == offer.attribute("mid")


async def test_opus_and_digits(asterisk: Asterisk, tmp_path: Path) -> None:
    """As of a browser: over secure WebSocket, the digits at the clock of Opus."""
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    ours = phones.phone(asterisk, "webrtc", WSS, security="dtls", codecs=("opus",), sample_rate=RATE)
    async with ours.agent as ua:
        async with ua.call(WSS.uri(asterisk, "echo")) as call, call.playing(beep, loop=True):
            await hear_tone(call.audio, OUR_TONE)
            assert (call.codec, protected(call)) == ("opus", True)
        async with asyncio.timeout(30), ua.call(WSS.uri(asterisk, "digits")) as call:
            await asyncio.sleep(0.5)
            await call.dtmf.send("1590", way="rtp")
            digits = [digit async for digit in call.dtmf]
    assert ("".join(digits), {digit.way for digit in digits}) == ("1590", {"rtp"})
    (answer, _) = ours.described(sent=False)
    assert "telephone-event/48000" in str(answer)


async def test_hold_and_resume(asterisk: Asterisk, tmp_path: Path) -> None:
    """By a re-INVITE each, that keeps certificate, credentials and roles. Who is held hears music."""
    here, there = phone(asterisk, "webrtc"), phone(asterisk, "webrtc-far")
    async with connected(here.agent, there.agent, UDP.uri(asterisk, "dial-webrtc-far"), tmp_path) as (
        our_call,
        their_call,
    ):
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
