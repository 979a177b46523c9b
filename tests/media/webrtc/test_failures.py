"""Media that cannot be had is told in words, and ends the call (``MediaFailed``); what comes from strangers
does no harm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import generate_certificate
from cryptography.hazmat.primitives.asymmetric import rsa

from sipstack import sdp
from sipstack.errors import NegotiationError
from sipstack.media.events import MediaFailed
from sipstack.media.session import AudioSession
from sipstack.media.webrtc import path
from sipstack.media.webrtc.dtls import Certificate
from sipstack.media.webrtc.ice import PATIENCE
from sipstack.sdp import Direction
from tests.media.calls import Call
from tests.media.webrtc.calls import (
    ALICE,
    BOB,
    connected,
    heard,
    is_secured,
    listening,
    medium,
    port,
    secured,
    session,
    until,
)
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time

OTHER = "sha-256 " + ":".join(["AB"] * 32)


def reason(events: Sequence[object]) -> str:
    """Of the one failure that was told."""
    (event,) = events
    assert isinstance(event, MediaFailed)
    return str(event.error)


async def described(alice: AudioSession, bob: AudioSession, *changes: tuple[str, str]) -> str:
    """Alice offers and Bob answers; the text of his answer is changed on its way."""
    offer = str(await alice.offer())
    answer = str(await bob.answer(sdp.parse(offer)))
    for old, new in changes:
        assert old in answer
        answer = answer.replace(old, new)
    await alice.answered(sdp.parse(answer))
    bob.confirmed()
    return answer


class Nameless(Call):
    """Alice's offer names no address. Bob's answer takes five seconds, and Alice begins to check then."""

    async def describe(self, direction: Direction = Direction.SENDRECV) -> tuple[str, str]:
        offer = str(await self.alice.offer(direction))
        kept = [line for line in offer.splitlines() if not line.startswith("a=candidate")]
        answer = str(await self.bob.answer(sdp.parse("".join(f"{line}\r\n" for line in kept))))
        await asyncio.sleep(5)
        await self.alice.answered(sdp.parse(answer))
        self.bob.confirmed()
        return offer, answer


async def test_a_peer_whose_addresses_are_of_no_use_is_met_when_it_checks_ours() -> None:
    """RFC 8863: what became of our own checks says nothing about those that are still to come."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    events = listening(bob)
    async with Nameless(alice, bob) as call:
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert not [event for event in events if isinstance(event, MediaFailed)]


async def test_a_peer_that_nobody_can_reach() -> None:
    wire = Wire(loss=1.0)
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    events = listening(alice)
    await described(alice, bob)
    await asyncio.sleep(PATIENCE + 1)
    assert "no way to the peer's media (ICE)" in reason(list(events))
    assert f"{BOB}:{port(bob)}" in reason(list(events))
    await alice.close()
    await bob.close()


async def test_a_peer_with_ice_at_two_ports() -> None:
    """It is checked at the first; when that fails, what it lacks is told."""
    wire = Wire(loss=1.0)
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    events = listening(alice)
    second = "a=candidate:1 2 udp 1 192.0.2.2 9 typ host\r\n"
    await described(
        alice, bob, ("a=rtcp-mux\r\n", ""), ("a=end-of-candidates", f"{second}a=end-of-candidates")
    )
    await asyncio.sleep(PATIENCE + 1)
    assert "none of its addresses answers" in reason(events)
    assert "it needs RTCP at the port of RTP (rtcp-mux)" in reason(events)
    await alice.close()
    await bob.close()


async def test_a_peer_whose_certificate_is_another_one() -> None:
    """Somebody is in between: nothing is said to him."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    events = listening(alice)
    offer = str(await alice.offer())
    answer = str(await bob.answer(sdp.parse(offer)))
    fingerprint = medium(answer).attribute("fingerprint")
    assert fingerprint is not None
    await alice.answered(sdp.parse(answer.replace(fingerprint, OTHER)))
    await asyncio.sleep(5)
    assert "its certificate is not the one of its description" in reason(list(events))
    assert not is_secured(alice)
    assert alice.audio.statistics.packets_sent == 0
    await alice.close()
    await bob.close()


async def test_a_peer_that_is_silent_after_ice() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    events = listening(alice)
    await described(alice, bob)
    bob_path = bob._path
    assert isinstance(bob_path, path.DtlsPath)
    assert bob_path._search is not None
    bob_path._search.cancel()  # it answers checks yet
    await asyncio.sleep(15)
    assert "does not answer the DTLS handshake" in reason(list(events))
    await alice.close()
    await bob.close()


async def test_a_failure_before_anybody_listens_is_told_to_who_comes() -> None:
    wire = Wire(loss=1.0)
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    await described(alice, bob)
    await asyncio.sleep(PATIENCE + 1)
    events = listening(alice)
    assert events == []  # never from within attach
    await asyncio.sleep(0)
    assert "no way to the peer's media" in reason(list(events))
    await alice.close()
    await bob.close()


async def test_consent_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7675: who does not answer checks for half a minute gets no more packets."""
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        events = listening(call.alice)
        monkeypatch.setattr(wire, "_loss", 1.0)
        call.alice._watch.close()  # the time-out of RTP would come first
        await asyncio.sleep(60)
        assert "answers no more at the address of its media (ICE)" in reason(list(events))
        sent = len(wire.sent)
        await asyncio.sleep(5)
        assert not [data for when, source, _, data in wire.sent[sent:] if source[0] == ALICE]


# Descriptions


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("a=fingerprint", "a=fingerprint-of-old"), "names no certificate"),
        (("fingerprint:sha-256 ", "fingerprint:sha-256 XX:"), "no a=fingerprint that can be read"),
        (("setup:active", "setup:holdconn"), "holdconn"),
        (("setup:active", "setup:whoever"), "no such role"),
        (("a=ice-pwd:", "a=ice-pwd:-"), "a=ice-ufrag and a=ice-pwd"),
    ],
)
async def test_an_answer_that_cannot_be_followed(change: tuple[str, str], words: str) -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    with pytest.raises(NegotiationError, match=words):
        await described(alice, bob, change)
    # What was in force stays so: the same offer may be answered better
    await alice.answered(await bob.answer(await alice.offer()))
    await until(lambda: is_secured(alice))
    await alice.close()
    await bob.close()


async def test_a_fingerprint_by_a_function_that_nobody_should_trust_any_more() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = str(await alice.offer())
    old = medium(offer).attribute("fingerprint")
    assert old is not None
    weak = offer.replace(old, "md5 " + ":".join(["AB"] * 16))
    with pytest.raises(NegotiationError):
        await bob.answer(sdp.parse(weak))
    both = offer.replace(
        f"a=fingerprint:{old}", f"a=fingerprint:md5 {':'.join(['AB'] * 16)}\r\na=fingerprint:{old}"
    )
    await alice.answered(await bob.answer(sdp.parse(both)))
    await until(lambda: is_secured(bob))
    await alice.close()
    await bob.close()


async def test_an_offer_of_dtls_where_only_plain_rtp_is_wanted() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2, security="none")
    with pytest.raises(NegotiationError):
        await bob.answer(await alice.offer())
    await alice.close()
    await bob.close()


async def test_an_offer_of_plain_rtp_where_dtls_is_wanted() -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1, security="none"), session(wire, BOB, 2)
    with pytest.raises(NegotiationError):
        await bob.answer(await alice.offer())
    await alice.close()
    await bob.close()


# Strangers


async def test_rubbish_of_every_kind_does_no_harm() -> None:
    """Datagrams that begin as STUN, DTLS, RTP, a TURN channel, or nothing known, at both ports, before the
    way is found, meanwhile and after."""
    wire = Wire(delay=0.05)
    numbers = random.Random(7)
    firsts = [0, 1, 3, 20, 22, 23, 63, 64, 79, 127, 128, 144, 191, 192, 255]

    def rubbish(call: Call) -> None:
        for host, one in ((ALICE, call.alice), (BOB, call.bob)):
            for first in firsts:
                for size in (0, 1, 2, 11, 12, 20, 60, 1500, 2047):
                    data = bytes([first]) + numbers.randbytes(size)
                    for address in ((host, port(one)), (host, port(one) + 1)):
                        wire.send(("203.0.113.66", 4444), address, data)
            wire.send(("203.0.113.66", 4444), (host, port(one)), b"")

    async with Call(session(wire, ALICE, 1), session(wire, BOB, 2)) as call:
        events = listening(call.alice) + listening(call.bob)
        for _ in range(20):
            rubbish(call)
            await asyncio.sleep(0.05)
        await connected(call)
        rubbish(call)
        await asyncio.sleep(0.5)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99
        assert events == []


async def test_rubbish_from_the_address_of_the_peer_without_ice() -> None:
    wire = Wire()
    numbers = random.Random(8)
    async with secured(wire, alice={"ice": None}, bob={"ice": None}) as call:
        await connected(call)
        events = listening(call.alice)
        for first in (20, 21, 22, 23, 128, 128, 129):
            for _ in range(20):
                data = bytes([first]) + numbers.randbytes(200)
                wire.send((BOB, port(call.bob)), (ALICE, port(call.alice)), data)
        await asyncio.sleep(0.5)
        assert await heard(call.bob, call.alice, 440) > 0.99
        assert events == []


async def test_plain_rtp_among_the_protected_is_not_played() -> None:
    """As if it came from the peer itself."""
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        before = call.alice.audio.statistics.packets_received
        forged = bytes([128, 0, 0, 1]) + bytes(8) + bytes([0x80]) * 160
        for _ in range(50):
            wire.send((BOB, port(call.bob)), (ALICE, port(call.alice)), forged)
        await asyncio.sleep(0.1)
        assert call.alice.audio.statistics.packets_received - before < 10
        assert await heard(call.bob, call.alice, 440) > 0.99


async def test_a_packet_that_comes_twice_is_taken_once() -> None:
    wire = Wire(duplicates=1.0)
    async with secured(wire) as call:
        await connected(call)
        await asyncio.sleep(2)
        statistics = call.alice.audio.statistics
        assert statistics.packets_received <= call.bob.audio.statistics.packets_sent


async def test_the_records_of_an_eager_peer_are_there_before_its_answer() -> None:
    """Without ICE, DTLS may begin before the answer has come: what was sent need not be sent again."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1, ice=None), session(wire, BOB, 2, ice=None)
    offer = str(await alice.offer())
    answer = str(await bob.answer(sdp.parse(offer)))
    await asyncio.sleep(0.05)  # its ClientHello is here
    started = asyncio.get_running_loop().time()
    await alice.answered(sdp.parse(answer))
    await until(lambda: is_secured(alice) and is_secured(bob))
    assert asyncio.get_running_loop().time() - started < 0.2
    await alice.close()
    await bob.close()


@pytest.mark.parametrize("client", [True, False])
async def test_a_certificate_of_rsa(monkeypatch: pytest.MonkeyPatch, client: bool) -> None:
    """Many phones and servers have one, on either side of the handshake; the answer is its client."""
    key: Any = rsa.generate_private_key(65537, 2048)
    rsa_one, other = Certificate(key, generate_certificate(key)), Certificate.generateCertificate()
    made = iter([other, rsa_one] if client else [rsa_one, other])
    monkeypatch.setattr(path, "certificate", lambda: next(made))
    async with secured(Wire()) as call:
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_a_certificate_of_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "certificate", RTCCertificate.generateCertificate)
    async with secured(Wire()) as call:
        offer, answer = await call.describe(Direction.SENDRECV)
        assert medium(offer).attribute("fingerprint") != medium(answer).attribute("fingerprint")
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
