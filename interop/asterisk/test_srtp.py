"""SRTP with keys in SDP (SDES, RFC 4568), over TLS: the sound itself, both directions, hold, new keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from interop.asterisk import phones
from interop.asterisk.configuration import HOLD_TONE
from interop.asterisk.listening import answering, eventually, hear, hear_tone, next_call
from interop.asterisk.phones import OUR_TONE, THEIR_TONE, Phone, connected
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import signal_to_noise, speech_like_noise, tone, write_wav
from interop.asterisk.wires import Wire
from sipstack import Call, CallRejected, NegotiationError

SHA1_80 = "SDES-SRTP AES_CM_128_HMAC_SHA1_80"
SHA1_32 = "SDES-SRTP AES_CM_128_HMAC_SHA1_32"
TLS, UDP = Wire("tls4"), Wire("udp4")
pytestmark = pytest.mark.usefixtures("agent")  # nothing is left afterwards


def phone(asterisk: Asterisk, name: str, security: str | Sequence[str] = "sdes", wire: Wire = TLS) -> Phone:
    return phones.phone(asterisk, name, wire, security=security)


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
    assert ours.described(sent=False)[0].protocol == "RTP/SAVP"


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
    async with connected(alice.agent, bob.agent, TLS.uri(asterisk, "dial-srtp-far"), tmp_path) as (
        ours,
        theirs,
    ):
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
        assert ours.described(sent=False)[0].protocol == "RTP/AVP"
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
