"""Calls whose keys stand in the descriptions (RFC 4568)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sipstack import sdp
from sipstack.errors import LocalProtocolError, NegotiationError
from sipstack.media.events import MediaChanged, MediaEvent
from sipstack.media.peer_address import Address
from sipstack.media.tones import sine
from sipstack.rtp.packet import RtpPacket
from sipstack.sdp import Direction, SessionDescription
from sipstack.sdp.crypto import SUITES, Crypto
from tests.media.calls import Call, rtp_of
from tests.media.secured import (
    ALICE,
    BOB,
    SHA1_32,
    SHA1_80,
    both_hear,
    is_heard,
    keys_of,
    protocol_of,
    secured,
    session,
)
from tests.media.wire import Wire
from tests.sdp import endpoints

pytestmark = pytest.mark.virtual_time


# -- the first offer and its answer --------------------------------------------------------------------------


async def test_a_secured_call() -> None:
    wire = Wire()
    async with secured(wire) as call:
        assert await both_hear(call)
        assert call.alice.security == call.bob.security == f"SDES-SRTP {SHA1_80}"
        for host in (ALICE, BOB):
            assert {len(data) for _, source, _, data in wire.sent if source[0] == host} == {12 + 160 + 10}
        statistics = call.bob.audio.statistics
        assert (statistics.packets_unproved, statistics.packets_replayed, statistics.packets_invalid) == (
            0,
            0,
            0,
        )
    assert call.alice.security is None


async def test_each_suite_is_offered_with_a_key_of_its_own_and_the_first_is_taken() -> None:
    async with secured(Wire()) as call:
        offer, answer = await call.describe()
        assert protocol_of(offer) == protocol_of(answer) == "RTP/SAVP"
        assert [(line.tag, line.suite) for line in keys_of(offer)] == list(enumerate(SUITES, 1))
        (chosen,) = keys_of(answer)
        assert (chosen.tag, chosen.suite) == (1, SHA1_80)
        assert len({line.key for line in [*keys_of(offer), chosen]}) == 5


@pytest.mark.parametrize("suite", SUITES)
async def test_a_peer_may_take_any_suite(suite: str) -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = await alice.offer()
    (line,) = [line for line in offer.media[0].attribute_values("crypto") if suite in line]
    only = offer.with_medium(
        0, offer.media[0].with_attribute("crypto", "1 F8_128_HMAC_SHA1_80 inline:x", line)
    )
    await alice.answered(await bob.answer(only))
    bob.confirmed()
    assert alice.security == bob.security == f"SDES-SRTP {suite}"
    assert await is_heard(alice, bob)
    assert await is_heard(bob, alice)
    again = await alice.offer()
    assert keys_of(again)[0] == Crypto.parse(line)
    assert [sorted(line.suite for line in keys_of(again)), len({line.tag for line in keys_of(again)})] == [
        sorted(SUITES),
        4,
    ]
    await alice.close()
    await bob.close()


async def test_rtcp_is_protected_too() -> None:
    wire = Wire()
    seen: list[bytes] = []
    async with secured(wire) as call:
        deliver = wire.ports[BOB, 4005]

        def listen_in(data: bytes, source: Address, now: float) -> None:
            seen.append(data)
            deliver(data, source, now)

        wire.ports[BOB, 4005] = listen_in
        await asyncio.sleep(20.0)
        assert call.alice.audio.statistics.round_trip is not None
    assert seen
    assert all(len(data) % 4 == 2 for data in seen)  # the tag of 80 bits
    assert call.bob.audio.statistics.packets_invalid == 0


async def test_feedback_profiles_are_answered_in_kind() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = str(await alice.offer()).replace("RTP/SAVP ", "RTP/SAVPF ")
    answer = str(await bob.answer(sdp.parse(offer)))
    assert protocol_of(answer) == "RTP/SAVPF"
    assert protocol_of(str(await bob.offer())) == "RTP/SAVPF"
    await alice.close()
    await bob.close()


async def test_a_late_offer_is_secured_likewise() -> None:
    """INVITE without an offer: it comes in the 200, the answer in the ACK."""
    wire = Wire()
    call = secured(wire)
    call.alice, call.bob = call.bob, call.alice
    async with call:
        assert await both_hear(call)


# -- signalling that nothing protects ------------------------------------------------------------------------


async def test_no_key_is_told_over_unprotected_signalling() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1, secure=False), session(wire, BOB, 2, secure=False)
    with pytest.raises(NegotiationError, match="over TLS or WSS"):
        await alice.offer()
    elsewhere = session(Wire(), ALICE, 3)
    with pytest.raises(NegotiationError, match="over TLS or WSS"):
        await bob.answer(await elsewhere.offer())
    assert wire.ports == {}
    for each in (alice, bob, elsewhere):
        await each.close()


async def test_unless_it_is_allowed() -> None:
    wire = Wire()
    alice = session(wire, ALICE, 1, secure=False, insecure=True)
    bob = session(wire, BOB, 2, secure=False, insecure=True)
    async with Call(alice, bob) as call:
        assert await both_hear(call)
        assert call.alice.security == f"SDES-SRTP {SHA1_80}, its keys sent in the clear"


async def test_an_offer_of_both_is_taken_plain_over_unprotected_signalling() -> None:
    """A desk phone with SAVP in its first m-line and AVP in the second."""
    offer = sdp.parse(
        endpoints.DESK_PHONE.replace("|2^20|1:4", "|2^31").replace("2001:db8::77", BOB).replace("IP6", "IP4")
    )
    taken = []
    for secure in (True, False):
        alice = session(Wire(), ALICE, 1, ("none", "sdes"), secure=secure)
        answer = await alice.answer(offer)
        taken.append(next(medium.protocol for medium in answer.media if medium.port))
        await alice.close()
    assert taken == ["RTP/SAVP", "RTP/AVP"]


# -- what a peer may do wrong --------------------------------------------------------------------------------


def with_keys(description: SessionDescription, *lines: str) -> SessionDescription:
    medium = description.media[0].without_attribute("crypto")
    return description.with_medium(0, medium.with_attribute("crypto", *lines) if lines else medium)


def line(tag: int, suite: str = SHA1_80, key: bytes = b"k" * 30) -> str:
    return str(Crypto(tag, suite, key).attribute()).partition(":")[2]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "no key"),
        ((line(5),), "fits none"),
        ((line(2),), "fits none"),
        ((line(1, SHA1_32),), "fits none"),
        ((line(1) + " UNENCRYPTED_SRTP",), "fits none"),
        ((line(1) + "|2^20|1:4",), "fits none"),
        (("1 AES_CM_128_HMAC_SHA1_80 inline:short",), "fits none"),
    ],
)
async def test_an_answer_without_a_key_that_fits_is_refused(lines: tuple[str, ...], words: str) -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    answer = await bob.answer(await alice.offer())
    with pytest.raises(NegotiationError, match=words):
        await alice.answered(with_keys(answer, *lines))
    await asyncio.sleep(1.0)
    assert (rtp_of(wire, ALICE), alice.security) == ([], None)
    await alice.answered(answer)
    assert alice.security == f"SDES-SRTP {SHA1_80}"
    await alice.close()
    await bob.close()


@pytest.mark.parametrize("lines", [(), (line(1) + "|2^20|1:4", line(2) + " UNENCRYPTED_SRTP")])
async def test_an_offer_of_srtp_without_a_key_that_we_can_use_is_refused(lines: tuple[str, ...]) -> None:
    alice, bob = session(Wire(), ALICE, 1), session(Wire(), BOB, 2, ("none", "sdes"))
    with pytest.raises(NegotiationError):
        await bob.answer(with_keys(await alice.offer(), *lines))
    await alice.close()
    await bob.close()


async def test_a_line_with_an_mki_is_passed_over_for_the_next() -> None:
    wire = Wire()
    bob = session(wire, BOB, 2)
    alice = session(wire, ALICE, 1)
    offer = with_keys(await alice.offer(), line(1) + "|2^20|1:4", line(7, SHA1_32))
    (taken,) = keys_of(await bob.answer(offer))
    assert (taken.tag, taken.suite) == (7, SHA1_32)
    await alice.close()
    await bob.close()


async def test_our_own_key_sent_back_is_refused() -> None:
    """Both directions under one key would give both away."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = await alice.offer()
    answer = await bob.answer(offer)
    with pytest.raises(NegotiationError, match="sent back"):
        await alice.answered(with_keys(answer, offer.media[0].attribute_values("crypto")[0]))
    await alice.close()
    await bob.close()


async def test_a_peer_with_another_key_than_it_told_is_counted_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    answer = await bob.answer(await alice.offer())
    bob.confirmed()
    with caplog.at_level(logging.WARNING, "sipstack.media"):
        await alice.answered(with_keys(answer, line(1)))
        await asyncio.sleep(2.0)
    statistics = alice.audio.statistics
    assert (statistics.packets_received, statistics.packets_unproved) == (0, 100)
    assert [record.getMessage() for record in caplog.records] == [
        "packets from 192.0.2.2:4004 are refused: they are not protected with the key that was agreed on"
    ]
    await alice.close()
    await bob.close()


async def test_duplicates_are_counted_as_replayed_and_played_once() -> None:
    wire = Wire(duplicates=0.5)
    async with secured(wire) as call:
        assert await is_heard(call.alice, call.bob)
        statistics = call.bob.audio.statistics
        assert statistics.packets_replayed > 10
        assert statistics.packets_unproved == statistics.packets_lost == 0
    assert call.bob.audio.statistics.packets_replayed >= statistics.packets_replayed


# -- further descriptions ------------------------------------------------------------------------------------


async def test_keys_stay_and_roll_over_counters_run_on_through_session_refreshes() -> None:
    """The sequence numbers wrap in between: a counter that began anew would make what follows unreadable."""
    wire = Wire()
    async with secured(wire) as call:
        first = await call.describe()
        for each in (call.alice, call.bob):
            assert each._stream is not None
            each._stream.speaking.sender.sequence_number = 0xFFF0
        await asyncio.sleep(2.0)
        assert await call.describe() == first
        call.alice, call.bob = call.bob, call.alice  # and refreshed by the other side
        theirs = await call.describe()
        assert keys_of(theirs[0])[0].key == keys_of(first[1])[0].key
        assert keys_of(theirs[1])[0].key == keys_of(first[0])[0].key
        assert await both_hear(call)
        assert call.alice.audio.statistics.packets_unproved == call.bob.audio.statistics.packets_unproved == 0
        for host in (ALICE, BOB):
            assert len({packet.ssrc for packet in rtp_of(wire, host)}) == 1
            assert {0xFFFF, 0} <= {packet.sequence_number for packet in rtp_of(wire, host)}


async def test_hold_and_resume_keep_the_keys() -> None:
    async with secured(Wire()) as call:
        first, _ = await call.describe()
        held, _ = await call.describe(Direction.SENDONLY)
        await asyncio.sleep(5.0)
        resumed, _ = await call.describe()
        assert keys_of(first) == keys_of(held) == keys_of(resumed)
        assert await both_hear(call)
        assert call.alice.audio.statistics.packets_unproved == 0


async def test_new_keys_go_with_a_new_ssrc_and_lose_nothing_of_what_is_on_its_way() -> None:
    wire = Wire(delay=0.1)
    news: list[MediaEvent] = []
    async with secured(wire) as call:
        call.alice.attach(news.append)
        first, _ = await call.describe()
        await asyncio.sleep(1.0)
        call.alice.rekey()
        assert news == [MediaChanged()]
        wire.sent.clear()
        offer = await call.alice.offer()
        answer = await call.bob.answer(offer)
        await asyncio.sleep(0.3)  # Alice goes on with the old key until the answer is there
        await call.alice.answered(answer)
        await asyncio.sleep(1.0)
        assert {line.key for line in keys_of(first)}.isdisjoint(line.key for line in keys_of(offer))
        assert keys_of(answer)[0].key != keys_of(offer)[0].key
        assert len({packet.ssrc for packet in rtp_of(wire, ALICE)}) == 2
        assert len({packet.ssrc for packet in rtp_of(wire, BOB)}) == 1
        assert await both_hear(call)
        statistics = call.bob.audio.statistics
        assert (statistics.packets_unproved, statistics.packets_lost) == (0, 0)
        sent = call.alice.audio.statistics
        assert sent.packets_sent > 150
        assert sent.octets_sent == 160 * sent.packets_sent


async def test_a_peer_s_new_key_is_followed_while_ours_stays() -> None:
    async with secured(Wire()) as call:
        first = await call.describe()
        call.bob.rekey()
        call.alice, call.bob = call.bob, call.alice
        again = await call.describe()
        assert keys_of(again[0])[0].key != keys_of(first[1])[0].key
        assert keys_of(again[1])[0].key == keys_of(first[0])[0].key
        assert await both_hear(call)


async def test_a_refused_rekeying_changes_nothing() -> None:
    async with secured(Wire()) as call:
        call.alice.rekey()
        await call.alice.offer()  # refused with 488: nothing follows
        assert await both_hear(call)
        assert call.bob.audio.statistics.packets_unproved == 0
        await call.describe()
        assert await both_hear(call)


async def test_early_media_of_forks_never_uses_a_key_and_a_number_twice() -> None:
    """One offer, answered by two: the key of the offer protects what goes to either."""
    wire = Wire()
    alice, bob, carol = (session(wire, host, seed) for seed, host in enumerate((ALICE, BOB, "192.0.2.3"), 1))
    offer = await alice.offer()
    bobs, carols = await bob.answer(offer), await carol.answer(offer)
    for answer in (bobs, carols, bobs, carols):
        await alice.answered(answer)
        await asyncio.sleep(1.0)
    seen = [(packet.ssrc, packet.sequence_number) for packet in rtp_of(wire, ALICE)]
    assert len(seen) == len(set(seen)) == 200
    carol.confirmed()
    assert await is_heard(alice, carol)
    assert await is_heard(carol, alice)
    for each in (alice, bob, carol):
        await each.close()


async def test_another_port_has_another_key() -> None:
    """RFC 4568 §7.1.4: who moves makes a new context, and so a new key."""
    wire = Wire()
    async with secured(wire) as call:
        first, _ = await call.describe()
        call.alice.moved("192.0.2.7")
        again, _ = await call.describe()
        assert {line.key for line in keys_of(first)}.isdisjoint(line.key for line in keys_of(again))
        assert await both_hear(call)
        assert call.bob.audio.statistics.packets_unproved == 0


async def test_a_peer_that_sends_new_keys_without_end_is_followed() -> None:
    wire = Wire()
    async with secured(wire) as call:
        for _ in range(20):
            call.alice.rekey()
            await call.describe()
        assert await both_hear(call)


async def test_rekeying_what_has_no_keys_is_refused() -> None:
    async with secured(Wire(), "none", "none") as call:
        with pytest.raises(LocalProtocolError):
            call.alice.rekey()


# -- on a bad network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_loss_jitter_and_duplicates(seed: int) -> None:
    wire = Wire(seed=seed, delay=0.02, jitter=0.02, loss=0.1, duplicates=0.1)
    async with secured(wire) as call, call.alice.audio.playing(sine(1000.0, 1.0), loop=True):
        await asyncio.sleep(30.0)
        statistics = call.bob.audio.statistics
        assert statistics.packets_unproved == 0
        assert 50 < statistics.packets_lost < 250
        assert statistics.packets_received + statistics.packets_lost == pytest.approx(1500, abs=20)


async def test_what_goes_over_the_wire_is_not_what_is_said() -> None:
    wire = Wire()
    async with secured(wire) as call, call.alice.audio.playing(sine(1000.0, 1.0), loop=True):
        await asyncio.sleep(1.0)
        protected = [RtpPacket.parse(data).payload for _, source, _, data in wire.sent if source[0] == ALICE]
    assert len(protected) > 40
    assert len({payload[:8] for payload in protected}) == len(protected)
