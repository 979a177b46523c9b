"""Calls over DTLS-SRTP (RFC 5763), by ICE (RFC 8445) and without."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sipstack import sdp
from sipstack.media.ice_settings import Ice
from sipstack.media.tones import sine
from sipstack.sdp import Direction
from tests.media.calls import Call
from tests.media.hearing import Ear, purity
from tests.media.webrtc.calls import (
    ALICE,
    BOB,
    connected,
    credentials,
    heard,
    is_secured,
    listening,
    medium,
    secured,
    session,
    until,
)
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time


async def test_both_are_heard_and_know_what_protects_them() -> None:
    async with secured(Wire()) as call:
        assert call.alice.security == "DTLS-SRTP"  # agreed upon, and without keys yet
        await connected(call)
        assert call.alice.security == call.bob.security == "DTLS-SRTP AEAD_AES_256_GCM"
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_nothing_of_the_audio_goes_out_unprotected() -> None:
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        await heard(call.alice, call.bob, 440)
    packets = [data for _, _, _, data in wire.sent if data[0] >> 6 == 2 and not 192 <= data[1] < 224]
    assert len(packets) > 50
    assert not any(bytes([0xFF]) * 16 in data for data in packets)  # silence
    assert {len(data) for data in packets} == {12 + 160 + 16}  # the tag of GCM


async def test_what_is_played_waits_for_the_way() -> None:
    """A greeting keeps its first word: nothing is said as long as nobody can hear it."""
    async with secured(Wire(delay=0.2)) as call:
        ear = Ear()
        async with call.bob.audio.recording(ear):
            assert not is_secured(call.alice)
            await call.alice.audio.play(sine(440, 0.5))
            assert is_secured(call.alice)
            await asyncio.sleep(0.5)
    assert sum(purity(frame, 440) > 0.9 for frame in ear.frames) >= 24


async def test_the_offer_of_a_browser() -> None:
    """What it says of DTLS and ICE, and what our answer says."""
    async with secured(Wire()) as call:
        offer, answer = await call.describe()
        assert medium(offer).protocol == medium(answer).protocol == "UDP/TLS/RTP/SAVPF"
        assert medium(offer).attribute("setup") == "actpass"
        assert medium(answer).attribute("setup") == "active"
        assert medium(answer).rtcp_mux
        assert (medium(offer).attribute("fingerprint") or "").startswith("sha-256 ")
        assert sdp.parse(answer).attribute_values("group") == ("BUNDLE 0",)
        assert medium(answer).attribute("candidate") is not None


async def test_a_session_that_offers_plain_rtp_takes_it_too() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2, security=("none", "dtls"))  # type: ignore[arg-type]
    async with Call(alice, bob) as call:
        await connected(call)
        assert await heard(alice, bob, 440) > 0.99


async def test_rtcp_goes_over_the_same_port() -> None:
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        await asyncio.sleep(15)
        assert call.alice.audio.statistics.round_trip is not None
        assert call.bob.audio.statistics.round_trip is not None
        assert {destination[1] % 2 for _, _, destination, _ in wire.sent} == {0}


# Without ICE


@pytest.mark.parametrize("mux", [True, False])
async def test_without_ice_both_are_at_the_addresses_of_their_descriptions(mux: bool) -> None:
    wire = Wire()
    async with _plain(wire, mux=mux) as call:
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99
        await asyncio.sleep(15)
        assert call.alice.audio.statistics.round_trip is not None
        assert call.bob.audio.statistics.round_trip is not None


def _plain(wire: Wire, *, mux: bool = True) -> Call:
    class Described(Call):
        async def describe(self, direction: Direction = Direction.SENDRECV) -> tuple[str, str]:
            offer = str(await self.alice.offer(direction))
            if not mux:  # as Asterisk, which does not know of it unless it is told
                offer = offer.replace("a=rtcp-mux\r\n", "")
            answer = str(await self.bob.answer(sdp.parse(offer)))
            await self.alice.answered(sdp.parse(answer))
            self.bob.confirmed()
            return offer, answer

    return Described(session(wire, ALICE, 1, ice=None), session(wire, BOB, 2))


async def test_an_offer_without_ice_says_nothing_of_it_and_gets_no_more() -> None:
    async with _plain(Wire()) as call:
        offer, answer = await call.describe()
        assert medium(offer).protocol == "UDP/TLS/RTP/SAVP"
        for description in (offer, answer):
            assert medium(description).attribute("candidate") is None
            assert medium(description).attribute("ice-ufrag") is None
            assert sdp.parse(description).attribute("group") is None


async def test_who_offers_ice_and_is_answered_without_goes_to_the_address_of_the_answer() -> None:
    wire = Wire()
    async with secured(wire, bob={"ice": None}) as call:
        _, answer = await call.describe()
        assert medium(answer).attribute("ice-ufrag") is None
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


# Addresses


async def test_a_host_with_two_addresses_is_found_at_the_one_that_can_be_reached() -> None:
    wire = Wire()
    async with secured(wire, alice={"ice": Ice(hosts=("198.51.100.1", ALICE))}) as call:
        offer, _ = await call.describe()
        addresses = [value.split()[4] for value in medium(offer).attribute_values("candidate")]
        assert addresses == [ALICE, "198.51.100.1"]
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99


async def test_the_address_that_a_nat_gives_us_is_a_candidate_too() -> None:
    wire = Wire()
    async with secured(wire, alice={"advertised": "203.0.113.5"}) as call:
        offer, _ = await call.describe()
        candidates = [value for value in medium(offer).attribute_values("candidate") if "srflx" in value]
        assert [value.split()[4] for value in candidates] == ["203.0.113.5"]
        assert f"raddr {ALICE}" in candidates[0]


async def test_a_peer_that_only_answers_checks_is_checked_by_us() -> None:
    """RFC 8445 §6.1.1: who is full controls, whoever has offered."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)

    class Lite(Call):
        async def describe(self, direction: Direction = Direction.SENDRECV) -> tuple[str, str]:
            offer = str(await self.alice.offer(direction)).replace("a=group", "a=ice-lite\r\na=group")
            answer = str(await self.bob.answer(sdp.parse(offer)))
            await self.alice.answered(sdp.parse(answer))
            self.bob.confirmed()
            return offer, answer

    async with Lite(alice, bob) as call:
        await connected(call)
        assert await heard(bob, alice, 440) > 0.99


# Further offers


async def test_hold_and_resume_keep_ice_and_keys() -> None:
    wire = Wire()
    async with secured(wire) as call:
        before = await call.describe()
        await connected(call)
        handshake = [data for _, _, _, data in wire.sent if 20 <= data[0] < 64]
        held = await call.describe(Direction.SENDONLY)
        await asyncio.sleep(0.5)
        assert is_secured(call.alice)
        resumed = await call.describe()
        for one, other, third in zip(before, held, resumed, strict=True):
            assert credentials(one) == credentials(other) == credentials(third)
            assert medium(one).attribute("fingerprint") == medium(other).attribute("fingerprint")
        assert [medium(answer).attribute("setup") for answer in (before[1], held[1], resumed[1])] == [
            "active"
        ] * 3
        assert [data for _, _, _, data in wire.sent if 20 <= data[0] < 64] == handshake
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_the_other_side_offers_next_and_the_roles_stay() -> None:
    async with secured(Wire()) as call:
        await connected(call)
        offer = str(await call.bob.offer())
        answer = str(await call.alice.answer(sdp.parse(offer)))
        await call.bob.answered(sdp.parse(answer))
        assert medium(offer).attribute("setup") == "actpass"
        assert medium(answer).attribute("setup") == "passive"
        assert await heard(call.alice, call.bob, 440) > 0.99


async def test_the_roles_stay_when_the_peer_names_its_own_again() -> None:
    """Some re-offer with the role that they have instead of actpass (RFC 8842 §5.5)."""
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        handshake = [data for _, _, _, data in wire.sent if 20 <= data[0] < 64]
        offer = str(await call.bob.offer()).replace("setup:actpass", "setup:active")
        answer = str(await call.alice.answer(sdp.parse(offer)))
        await call.bob.answered(sdp.parse(answer))
        assert medium(answer).attribute("setup") == "passive"
        await asyncio.sleep(1)
        assert [data for _, _, _, data in wire.sent if 20 <= data[0] < 64] == handshake
        assert await heard(call.alice, call.bob, 440) > 0.99


async def test_secrets_are_not_written_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with secured(Wire()) as call:
            offer, answer = await call.describe()
            await connected(call)
            shown = caplog.text + repr(call.alice) + repr(call.bob)
            for description in (offer, answer):
                assert credentials(description)[1] not in shown


async def test_who_leaves_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with secured(Wire()) as call:
        await connected(call)
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before


async def test_leaving_in_the_middle_of_the_search_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with secured(Wire(delay=0.5)) as call:
        await asyncio.sleep(0.7)
        assert not is_secured(call.alice)
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before


async def test_a_peer_that_closes_its_association_is_told_when_no_bye_comes() -> None:
    async with secured(Wire()) as call:
        await connected(call)
        events = listening(call.bob)
        await call.alice.close()
        await asyncio.sleep(1)
        assert events == []
        await asyncio.sleep(2)
        assert ["closed its media" in str(getattr(event, "error", "")) for event in events] == [True]


async def test_checks_that_are_here_before_the_answer_do_not_confuse_the_roles() -> None:
    """RFC 8445 §6.1.1: who offers controls, from its offer on. Media may be faster than signalling."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = str(await alice.offer())
    answer = str(await bob.answer(sdp.parse(offer)))
    await asyncio.sleep(1)
    checks = [data for _, source, _, data in wire.sent if source[0] == BOB and data[:2] == b"\x00\x01"]
    conflicts = [data for _, source, _, data in wire.sent if source[0] == ALICE and data[:2] == b"\x01\x11"]
    assert checks
    assert not conflicts
    await alice.answered(sdp.parse(answer))
    await until(lambda: is_secured(alice) and is_secured(bob))
    assert await heard(alice, bob, 440) > 0.99
    await alice.close()
    await bob.close()
