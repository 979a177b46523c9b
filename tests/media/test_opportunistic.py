"""Opportunistic SRTP (RFC 8643): keys beside plain RTP, for a peer that can."""

from __future__ import annotations

import pytest

from tests.media.calls import rtp_of
from tests.media.secured import (
    ALICE,
    BOB,
    SHA1_80,
    Security,
    both_hear,
    is_heard,
    keys_of,
    protocol_of,
    secured,
    session,
)
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("theirs", ["opportunistic", "sdes", ("none", "sdes"), ("sdes", "none")])
async def test_keys_beside_plain_rtp_are_taken_by_who_can(theirs: Security) -> None:
    wire = Wire()
    async with secured(wire, "opportunistic", theirs) as call:
        offer, answer = await call.describe()
        assert protocol_of(offer) == protocol_of(answer) == "RTP/AVP"
        assert len(keys_of(answer)) == 1
        assert call.alice.security == call.bob.security == f"SDES-SRTP {SHA1_80}"
        assert await both_hear(call)
        call.alice, call.bob = call.bob, call.alice
        offer, answer = await call.describe()
        assert protocol_of(offer) == protocol_of(answer) == "RTP/AVP"
        assert await both_hear(call)
        assert call.alice.audio.statistics.packets_unproved == 0


async def test_who_cannot_gets_plain_rtp() -> None:
    wire = Wire()
    async with secured(wire, "opportunistic", "none") as call:
        _, answer = await call.describe()
        assert keys_of(answer) == []
        assert call.alice.security is None
        assert await both_hear(call)
        assert {packet.payload_type for packet in rtp_of(wire, ALICE)} == {0}


async def test_who_is_opportunistic_takes_every_offer() -> None:
    for theirs, protected in (("none", False), ("sdes", True)):
        async with secured(Wire(), theirs, "opportunistic") as call:
            assert (call.bob.security is not None) is protected
            assert await both_hear(call)


async def test_opportunistic_tells_no_key_over_unprotected_signalling() -> None:
    async with secured(Wire(), "opportunistic", "opportunistic", secure=False) as call:
        offer, _ = await call.describe()
        assert (keys_of(offer), call.alice.security) == ([], None)
        assert await both_hear(call)


async def test_plain_rtp_becomes_secured_and_plain_again() -> None:
    """One peer after the other, as in a transfer by re-INVITE; what Bob says follows."""
    wire = Wire()
    bob = session(wire, BOB, 2, ("none", "sdes"))
    for number, security in enumerate(("none", "sdes", "none", "sdes"), 3):
        peer = session(wire, f"192.0.2.{number}", number, security)
        await peer.answered(await bob.answer(await peer.offer()))
        bob.confirmed()
        assert (bob.security is not None) is (security == "sdes")
        assert await is_heard(peer, bob)
        assert await is_heard(bob, peer)
        await peer.close()
    await bob.close()
    assert len({packet.ssrc for packet in rtp_of(wire, BOB)}) == 3  # the first, and one for each key
