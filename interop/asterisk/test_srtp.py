"""SRTP with keys in SDP (SDES, RFC 4568), over TLS: the sound itself, both directions, hold, new keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import numpy as np
import pytest

from interop.asterisk.configuration import HOLD_TONE
from interop.asterisk.listening import answering, eventually, hear, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import RATE, Samples, speech_like_noise, tone, write_wav
from interop.asterisk.wires import Wire
from sipstack import AudioSession, Call, CallRejected, NegotiationError, Tls, TracedMessage, UserAgent

SHA1_80 = "SDES-SRTP AES_CM_128_HMAC_SHA1_80"
SHA1_32 = "SDES-SRTP AES_CM_128_HMAC_SHA1_32"
TLS, UDP = Wire("tls4"), Wire("udp4")
OUR_TONE, THEIR_TONE = 440, 620  # Hz
pytestmark = pytest.mark.usefixtures("agent")  # nothing is left afterwards


@attrs.frozen
class Phone:
    """A user agent with the account of an endpoint of etc/pjsip_srtp.conf, and the media of its calls."""

    agent: UserAgent
    media: list[AudioSession]
    trace: list[TracedMessage]

    def offered(self) -> list[str]:
        """The m-lines of the descriptions that came from the other side."""
        lines = (line for message in self.trace if not message.sent for line in message.data.split(b"\r\n"))
        return [line.decode() for line in lines if line.startswith(b"m=audio")]


def phone(asterisk: Asterisk, name: str, security: str | Sequence[str] = "sdes", wire: Wire = TLS) -> Phone:
    media: list[AudioSession] = []
    trace: list[TracedMessage] = []

    def make(host: str) -> AudioSession:
        media.append(AudioSession(host, security=security))
        return media[-1]

    agent = UserAgent(
        f"sip:{name}@{wire.host}:{wire.port(asterisk)}",
        password="secret",
        registrar=wire.uri(asterisk),
        listen=f"udp:{wire.host}:0",
        tls=Tls(authority=asterisk.authority),
        media=make,
        trace=trace.append,
    )
    return Phone(agent, media, trace)


@asynccontextmanager
async def connected(
    asterisk: Asterisk, here: Phone, there: Phone, name: str, folder: Path
) -> AsyncIterator[tuple[Call, Call]]:
    """Two of ours connected through Asterisk, each sends a tone."""
    ours = write_wav(folder / "ours.wav", tone(OUR_TONE, 1.0))
    theirs = write_wav(folder / "theirs.wav", tone(THEIR_TONE, 1.0))
    async with (
        there.agent,
        there.agent.register(),
        answering(there.agent) as calls,
        here.agent,
        here.agent.call(TLS.uri(asterisk, f"dial-{name}")) as our_call,
    ):
        their_call = await next_call(calls)
        async with our_call.playing(ours, loop=True), their_call.playing(theirs, loop=True):
            await hear_tone(our_call.audio, THEIR_TONE)
            await hear_tone(their_call.audio, OUR_TONE)
            yield our_call, their_call


def signal_to_noise(sent: Samples, heard: Samples) -> float:
    """In dB, over the second in the middle of what was sent, found in what was heard."""
    part = sent[RATE : 2 * RATE]
    size = len(heard) + len(part)
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size))
    at = int(np.argmax(np.fft.irfft(product, size)[: len(heard) - len(part)]))
    noise = heard[at : at + len(part)] - part
    return float(10 * np.log10(np.sum(part**2) / np.sum(noise**2)))


def nothing_was_refused(call: Call) -> bool:
    statistics = call.statistics
    return (statistics.packets_unproved, statistics.packets_replayed, statistics.packets_invalid) == (0, 0, 0)


async def test_the_echo_is_as_clean_as_the_codec(asterisk: Asterisk, tmp_path: Path) -> None:
    sent = speech_like_noise(3.0)
    path = write_wav(tmp_path / "sent.wav", sent)
    ours = phone(asterisk, "srtp")
    async with ours.agent as ua, ua.call(TLS.uri(asterisk, "echo")) as call:
        assert (call.codec, call.security) == ("PCMU", SHA1_80)
        async with call.playing(path):
            heard = await hear(call.audio, 3.5)
        assert signal_to_noise(sent, heard) >= 36.0
        assert nothing_was_refused(call)
        assert call.statistics.packets_lost == 0
    assert ours.offered()[0].split()[2] == "RTP/SAVP"


async def test_the_suite_with_short_tags_is_taken_where_the_peer_wants_it(asterisk: Asterisk) -> None:
    """Its offers have that suite alone."""
    ours = phone(asterisk, "srtp32")
    async with ours.agent as ua, ua.register(), answering(ua) as calls:
        (contact,) = await asterisk.contacts("srtp32")
        await asterisk.originate("srtp32", "milliwatt", contact)
        call = await next_call(calls)
        assert call.security == SHA1_32
        await hear_tone(call.audio, 1004)
        assert nothing_was_refused(call)
        await call.hang_up()


async def test_asterisk_calls_us(asterisk: Asterisk) -> None:
    ours = phone(asterisk, "srtp")
    async with ours.agent as ua, ua.register(), answering(ua) as calls:
        (contact,) = await asterisk.contacts("srtp")
        await asterisk.originate("srtp", "milliwatt", contact)
        call = await next_call(calls)
        assert call.security == SHA1_80
        await hear_tone(call.audio, 1004)
        assert nothing_was_refused(call)
        await call.hang_up()


async def test_two_of_ours_with_hold_and_resume(asterisk: Asterisk, tmp_path: Path) -> None:
    """Asterisk decrypts the one leg and encrypts the other, with keys of each leg's own."""
    alice, bob = phone(asterisk, "srtp"), phone(asterisk, "srtp-far")
    async with connected(asterisk, alice, bob, "srtp-far", tmp_path) as (ours, theirs):
        assert (ours.security, theirs.security) == (SHA1_80, SHA1_80)
        await ours.hold()
        await ours.resume()
        await hear_tone(theirs.audio, OUR_TONE)
        await hear_tone(ours.audio, THEIR_TONE)
        await theirs.hold()
        await hear_tone(ours.audio, HOLD_TONE)
        await theirs.resume()
        await hear_tone(ours.audio, THEIR_TONE)
        assert nothing_was_refused(ours)
        assert nothing_was_refused(theirs)


async def test_new_keys_in_mid_call(asterisk: Asterisk, tmp_path: Path) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    ours = phone(asterisk, "srtp")
    async with ours.agent as ua, ua.call(TLS.uri(asterisk, "echo")) as call:
        async with call.playing(beep, loop=True):
            await hear_tone(call.audio, OUR_TONE)
            for number in range(2, 5):
                ours.media[0].rekey()
                await eventually(partial(_has_sent, ours, 4 * number))
                await asyncio.sleep(0.5)  # what was on its way is heard
                await hear_tone(call.audio, OUR_TONE)
        assert call.statistics.packets_unproved == 0


def _has_sent(ours: Phone, number: int) -> bool:
    """Whether we have told so many different keys."""
    lines = (line for message in ours.trace if message.sent for line in message.data.split(b"\r\n"))
    return len({line.split()[2] for line in lines if line.startswith(b"a=crypto:")}) == number


async def test_the_codec_changes_and_the_keys_stay(asterisk: Asterisk, tmp_path: Path) -> None:
    """A re-INVITE of Asterisk's: its roll-over counter and ours run on."""
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    ours = phone(asterisk, "srtp")
    async with ours.agent as ua, ua.call(TLS.uri(asterisk, "reinvite")) as call:
        async with call.playing(beep, loop=True):
            await eventually(lambda: call.codec == "PCMA")
            await hear_tone(call.audio, OUR_TONE)
        assert call.security == SHA1_80
        assert nothing_was_refused(call)


@pytest.mark.parametrize(
    ("security", "told"),
    [("none", None), ("sdes", SHA1_80), ("opportunistic", SHA1_80), (("none", "sdes"), SHA1_80)],
    ids=str,
)
async def test_asterisk_offers_keys_beside_plain_rtp(
    asterisk: Asterisk, security: str | Sequence[str], told: str | None
) -> None:
    ours = phone(asterisk, "optional", security)
    async with ours.agent as ua, ua.register(), answering(ua) as calls:
        (contact,) = await asterisk.contacts("optional")
        await asterisk.originate("optional", "milliwatt", contact)
        call = await next_call(calls)
        assert call.security == told
        assert ours.offered()[0].split()[2] == "RTP/AVP"
        await hear_tone(call.audio, 1004)
        assert nothing_was_refused(call)
        await call.hang_up()


async def test_we_offer_keys_beside_plain_rtp(asterisk: Asterisk, tmp_path: Path) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    told = []
    for name in ("optional", "wire"):
        ours = phone(asterisk, name, "opportunistic")
        async with ours.agent as ua, ua.call(TLS.uri(asterisk, "echo")) as call:
            told.append(call.security)
            async with call.playing(beep, loop=True):
                await hear_tone(call.audio, OUR_TONE)
    assert told == [SHA1_80, None]


async def test_who_wants_srtp_and_who_has_none_do_not_meet(asterisk: Asterisk) -> None:
    for name, security in (("srtp", "none"), ("wire", "sdes")):
        async with phone(asterisk, name, security).agent as ua:
            with pytest.raises(CallRejected) as refusal:
                async with ua.call(TLS.uri(asterisk, "echo")):
                    pass
            assert refusal.value.status == 488


async def test_no_key_goes_over_udp(asterisk: Asterisk) -> None:
    ours = phone(asterisk, "srtp", wire=UDP)
    async with ours.agent as ua:
        with pytest.raises(NegotiationError, match="over TLS or WSS"):
            async with ua.call(UDP.uri(asterisk, "echo")):
                pass
    assert not [message for message in ours.trace if b"inline:" in message.data]
