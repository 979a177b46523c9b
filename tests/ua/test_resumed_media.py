"""The media of a call that goes on in another user agent: at the same port, or by a new offer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import Call
from sipstack.media.tones import sine
from sipstack.rtp.packet import RtpPacket
from sipstack.sdp import SessionDescription, parse
from sipstack.testing.killing import kill
from sipstack.testing.network import Departure
from sipstack.testing.world import World
from tests.media.hearing import Ear, loudness, purity
from tests.ua.resumption import Resumption

pytestmark = pytest.mark.virtual_time

SDES: dict[str, Any] = {"security": "sdes", "insecure_keys": True}


async def talks(speaker: Call, listener: Call) -> float:
    """How much of what ``speaker`` says is heard."""
    ear = Ear()
    async with listener.recording(ear), speaker.playing(sine(1000.0, 3.0)):
        await asyncio.sleep(1.5)
    pcm = b"".join(ear.frames[-25:])
    return purity(pcm, 1000.0) if loudness(pcm) > 1000 else 0.0


async def both_hear(one: Call, other: Call) -> None:
    assert await talks(one, other) > 0.95
    assert await talks(other, one) > 0.95


def described(call: Call) -> tuple[SessionDescription, SessionDescription]:
    """Our description and the peer's."""
    exchange = call._session.exchange
    assert exchange.local is not None
    assert exchange.remote is not None
    return parse(exchange.local), parse(exchange.remote)


def invites(world: World) -> list[str]:
    return [line for line in world.ladder() if " INVITE " in line]


async def test_plain_audio_comes_back_at_the_same_port_without_a_word() -> None:
    stage = Resumption(audio={})
    async with stage.again(on_resume=stage.take) as (call, _):
        before = described(call)
        killed_at = stage.world.now
        await asyncio.sleep(0.5)
        (resumed,) = stage.resumed
        await both_hear(call, resumed)
        assert described(call) == before
        assert invites(stage.world) == []
        port = before[1].media[0].port
        heard = [each for each in rtp(stage.world, port) if each.time >= killed_at]
        assert heard[0].time - killed_at < 0.2


def rtp(world: World, port: int) -> list[Departure]:
    """What was sent from this port of Bob's."""
    return [each for each in world.sent if each.source == ("10.0.0.2", port)]


async def test_it_comes_back_as_another_source() -> None:
    """Nobody knows how far the sequence numbers had come."""
    stage = Resumption(audio={})
    async with stage.again(on_resume=stage.take) as (call, _):
        await asyncio.sleep(0.5)
        port = described(call)[1].media[0].port
        sources = {
            RtpPacket.parse(each.data).ssrc for each in rtp(stage.world, port) if len(each.data) == 172
        }
        assert len(sources) == 2


async def test_without_a_handler_the_peer_hears_silence_and_is_heard() -> None:
    stage = Resumption(audio={})
    async with stage.again() as (call, bob):
        await asyncio.sleep(60)  # Alice would have given up who is silent for 30 s
        assert not call._is_over
        (resumed,) = bob.calls
        assert await talks(call, resumed) > 0.95


async def test_a_port_that_somebody_else_has_is_told_by_a_reinvite() -> None:
    stage = Resumption(audio={})
    async with stage.killed(on_resume=stage.take) as (call, bob):
        old = described(call)[1]
        port = old.media[0].port
        thief = stage.world.simulated.listen("10.0.0.2", port, lambda *_: None, lambda *_: None)
        async with bob:
            await asyncio.sleep(1)
            (resumed,) = stage.resumed
            new = described(call)[1]
            assert new.media[0].port != port
            assert new.origin.session_id == old.origin.session_id
            assert new.origin.session_version == old.origin.session_version + 1
            assert len(invites(stage.world)) == 1
            await both_hear(call, resumed)
        thief.close()


async def test_keys_are_never_used_again() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Resumption(audio=SDES)
    async with stage.again(on_resume=stage.take) as (call, _):
        assert call.security is not None
        before = described(call)[1]
        await asyncio.sleep(1)
        (resumed,) = stage.resumed
        after = described(call)[1]
        keys = [each.media[0].attribute_values("crypto") for each in (before, after)]
        assert keys[0]
        assert not {key.split("inline:")[1] for key in keys[0]} & {key.split("inline:")[1] for key in keys[1]}
        assert after.origin.session_id == before.origin.session_id
        assert len(invites(stage.world)) == 1
        assert resumed.security is not None
        await both_hear(call, resumed)


async def test_no_key_is_in_the_store() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Resumption(audio=SDES)
    async with stage.killed() as (call, _):
        keys = [each.media[0].attribute_values("crypto")[0] for each in described(call)]
        kept = b"".join(entry.record or b"" for entry in stage.store._entries.values())
        assert b"a=crypto" in kept
        for key in keys:
            assert key.split("inline:")[1].split("|")[0].encode() not in kept


async def test_what_was_secured_does_not_go_on_in_the_clear() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Resumption(audio=SDES)
    plain = {"media": lambda host: stage.world.audio_session(host, security="none")}
    async with stage.again(on_resume=stage.take, **plain) as (call, _):
        assert (await call.ended()).by == "remote"
        assert invites(stage.world) == []
    assert stage.resumed == []


async def test_an_offer_of_the_peer_that_comes_first_makes_ours_needless() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Resumption(audio=SDES)
    async with stage.killed(node="another", on_resume=stage.take) as (call, bob), bob:
        await call.hold()
        await call.resume()
        (resumed,) = stage.resumed
        assert {line.split()[0] for line in invites(stage.world)} == {"alice"}
        await both_hear(call, resumed)


async def test_a_hold_outlives_its_process() -> None:
    stage = Resumption(audio={})
    async with stage.again(on_resume=stage.take) as (call, bob):
        await asyncio.sleep(0.5)
        (first,) = stage.resumed
        await first.hold()
        held = [call.remote_held]
        await kill(bob)
        async with stage.bob(on_resume=stage.take):
            await asyncio.sleep(0.5)
            second = stage.resumed[-1]
            assert second is not first
            assert second.held
            held.append(call.remote_held)
            await second.resume()
            assert [*held, call.remote_held] == [True, True, False]
            await both_hear(call, second)


async def test_a_codec_that_is_not_here_any_more_is_agreed_on_anew() -> None:
    stage = Resumption(audio={})
    other = {"media": lambda host: stage.world.audio_session(host, codecs=["PCMA"])}
    async with stage.again(on_resume=stage.take, **other) as (call, _):
        assert call.codec == "PCMU"
        await asyncio.sleep(1)
        (resumed,) = stage.resumed
        assert (call.codec, resumed.codec) == ("PCMA", "PCMA")
        await both_hear(call, resumed)


async def test_a_peer_that_refuses_the_new_offer_has_no_call_any_more() -> None:
    """It would be one without media, for ever."""
    stage = Resumption(audio={})
    none = {"media": lambda host: stage.world.audio_session(host, codecs=["G722"])}
    async with stage.again(on_resume=stage.take, **none) as (call, _):
        assert (await call.ended()).by == "remote"
    assert stage.resumed == []


async def test_dtls_begins_anew_with_another_ice_session() -> None:
    pytest.importorskip("aiortc", reason="DTLS needs aiortc")
    stage = Resumption(audio={"security": "dtls"})
    async with stage.killed(on_resume=stage.take) as (call, bob):
        before = described(call)[1]
        async with bob:
            await _secured_anew(stage, call, before)


async def _secured_anew(stage: Resumption, call: Call, before: SessionDescription) -> None:
    await asyncio.sleep(5)
    (resumed,) = stage.resumed
    after = described(call)[1]
    for name in ("ice-ufrag", "ice-pwd", "fingerprint"):
        assert before.media[0].attribute_values(name) != after.media[0].attribute_values(name) != ()
    assert after.origin.session_id == before.origin.session_id
    assert (resumed.security or "").startswith("DTLS-SRTP A")
    await both_hear(call, resumed)
