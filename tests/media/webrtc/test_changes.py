"""What changes in the middle of a call: addresses (ICE restart, RFC 8445 §9), certificates, forks."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCCertificate

from sipstack import sdp
from sipstack.media.events import MediaChanged, SourceLeft
from sipstack.media.session import AudioSession
from sipstack.media.webrtc import path
from sipstack.media.webrtc.dtls import PATIENCE
from tests.media.calls import Call
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

ELSEWHERE = "192.0.2.77"


@pytest.fixture(autouse=True)
def own_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session has one, as if it were a process of its own."""
    monkeypatch.setattr(path, "certificate", RTCCertificate.generateCertificate)


def handshakes(wire: Wire) -> int:
    """Records of DTLS that went over the wire."""
    return sum(20 <= data[0] < 64 for _, _, _, data in wire.sent if data)


def controls(session: AudioSession) -> bool:
    """Whether it chooses the pair of ICE."""
    assert isinstance(used := session._path, path.DtlsPath)
    assert used.way is not None
    assert used.way.agent is not None
    return used.way.agent.controls


async def test_who_moves_begins_ice_anew_and_keeps_the_keys() -> None:
    wire = Wire()
    async with secured(wire) as call:
        before = await call.describe()
        await connected(call)
        records = handshakes(wire)
        call.alice.moved(ELSEWHERE)
        after = await call.describe()
        for one, other in zip(before, after, strict=True):
            assert credentials(one) != credentials(other)  # RFC 8445 §9: both sides have new ones
            assert medium(one).attribute("fingerprint") == medium(other).attribute("fingerprint")
        assert ELSEWHERE in (medium(after[0]).attribute("candidate") or "")
        assert medium(after[1]).attribute("setup") == "active"
        await asyncio.sleep(1)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99
        assert handshakes(wire) == records


async def test_the_old_way_carries_the_packets_until_the_new_one_is_found() -> None:
    wire = Wire(delay=0.05)
    async with secured(wire) as call:
        await connected(call)
        await asyncio.sleep(1)
        # Bob begins ICE anew at the same address, as a browser does it that has found another network
        assert isinstance(bob := call.bob._path, path.DtlsPath)
        bob._sockets = bob._bind(BOB, bob._transport)
        lost = call.alice.audio.statistics.packets_lost
        offer = str(await call.bob.offer())
        answer = str(await call.alice.answer(sdp.parse(offer)))
        await call.bob.answered(sdp.parse(answer))
        assert await heard(call.bob, call.alice, 440) > 0.99
        await asyncio.sleep(2)
        assert await heard(call.alice, call.bob, 620) > 0.99
        assert call.alice.audio.statistics.packets_lost == lost
        assert len(bob._transport.sockets) == 1


async def test_a_move_before_the_way_was_found() -> None:
    wire = Wire(delay=0.1)
    async with secured(wire) as call:
        await asyncio.sleep(0.25)
        assert not is_secured(call.alice)
        call.alice.moved(ELSEWHERE)
        await call.describe()
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99


async def test_another_certificate_is_another_association() -> None:
    """The peer has changed behind its server, by a transfer: Carol speaks where Bob did."""
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        records = handshakes(wire)
        carol = session(wire, "192.0.2.3", 3)
        offer = str(await carol.offer())
        await carol.answered(sdp.parse(str(await call.alice.answer(sdp.parse(offer)))))
        await until(lambda: is_secured(carol))
        await asyncio.sleep(0.5)
        assert handshakes(wire) > records
        assert await heard(call.alice, carol, 440) > 0.99
        assert await heard(carol, call.alice, 620) > 0.99
        await carol.close()


async def test_a_fingerprint_that_nobody_can_compare_makes_no_other_certificate() -> None:
    """RFC 8122 §5: one beside the others, by a hash function of yesterday or tomorrow."""
    wire = Wire()

    class More(Call):
        async def describe(self, direction: sdp.Direction = sdp.Direction.SENDRECV) -> tuple[str, str]:
            offer = str(await self.alice.offer(direction))
            answer = str(await self.bob.answer(sdp.parse(offer)))
            more = "a=fingerprint:sha-1 " + ":".join(["AB"] * 20)
            await self.alice.answered(sdp.parse(answer.replace("a=setup", f"{more}\r\na=setup")))
            self.bob.confirmed()
            return offer, answer

    async with More(session(wire, ALICE, 1), session(wire, BOB, 2)) as call:
        await connected(call)
        events = listening(call.alice)
        await call.describe()
        await asyncio.sleep(PATIENCE + 1)  # no handshake was waited for, and none has failed
        assert events == []
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_without_ice_too() -> None:
    wire = Wire()
    async with secured(wire, alice={"ice": None}, bob={"ice": None}) as call:
        await connected(call)
        carol = session(wire, "192.0.2.3", 3, ice=None)
        offer = str(await carol.offer())
        await carol.answered(sdp.parse(str(await call.alice.answer(sdp.parse(offer)))))
        await until(lambda: is_secured(carol))
        await asyncio.sleep(0.5)
        assert await heard(call.alice, carol, 440) > 0.99
        assert await heard(carol, call.alice, 620) > 0.99
        await carol.close()


async def test_a_peer_behind_a_nat_is_followed_by_what_only_it_can_send() -> None:
    """Without ICE the address of the description may be a private one."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1, ice=None), session(wire, BOB, 2, ice=None)

    class Private(Call):
        async def describe(self, direction: sdp.Direction = sdp.Direction.SENDRECV) -> tuple[str, str]:
            offer = str(await self.alice.offer(direction))
            # Bob cannot send there; but Bob answers active, so let it be passive, and Alice opens the NAT.
            offer = offer.replace(f"c=IN IP4 {ALICE}", "c=IN IP4 10.0.0.1").replace("actpass", "active")
            answer = str(await self.bob.answer(sdp.parse(offer)))
            await self.alice.answered(sdp.parse(answer))
            self.bob.confirmed()
            return offer, answer

    async with Private(alice, bob) as call:
        await connected(call)
        assert await heard(bob, alice, 440) > 0.99
        assert await heard(alice, bob, 620) > 0.99


async def test_another_fork_that_answers_gets_an_offer_of_its_own() -> None:
    wire = Wire()
    alice = session(wire, ALICE, 1)
    forks = [session(wire, "192.0.2.2", 2), session(wire, "192.0.2.3", 3)]
    events = listening(alice)
    offer = str(await alice.offer())
    answers = [str(await fork.answer(sdp.parse(offer))) for fork in forks]
    await alice.answered(sdp.parse(answers[0]))  # early
    await until(lambda: is_secured(alice))
    await forks[0].close()  # it is cancelled
    await alice.answered(sdp.parse(answers[1]))
    assert events == [MediaChanged()]
    again = str(await alice.offer())
    assert credentials(again) != credentials(offer)
    await alice.answered(sdp.parse(str(await forks[1].answer(sdp.parse(again)))))
    await asyncio.sleep(5)
    assert events == [MediaChanged(), SourceLeft("")]  # the first fork has said BYE
    assert await heard(alice, forks[1], 440) > 0.99
    assert await heard(forks[1], alice, 620) > 0.99
    await forks[1].close()
    await alice.close()


async def test_a_candidate_that_comes_late_is_used() -> None:
    """A peer that trickles may offer again with more of them, under the same credentials (RFC 8838)."""
    wire = Wire()
    alice, bob = session(wire, ALICE, 1), session(wire, BOB, 2)
    offer = str(await alice.offer())
    answer = str(await bob.answer(sdp.parse(offer)))
    (candidate,) = [line for line in answer.splitlines() if line.startswith("a=candidate")]
    none_yet = answer.replace(f"{candidate}\r\na=end-of-candidates", "a=ice-options:trickle")
    # Bob hears nothing of Alice either: only her checks can find the way
    bob_path, alice_path = bob._path, alice._path
    assert isinstance(bob_path, path.DtlsPath)
    assert isinstance(alice_path, path.DtlsPath)
    assert bob_path._search is not None
    bob_path._search.cancel()
    await alice.answered(sdp.parse(none_yet))
    await asyncio.sleep(3)
    assert not is_secured(alice)
    await alice.answered(sdp.parse(answer))
    agent = bob_path._described().agent
    assert agent is not None
    agent._remote = None
    bob_path._search = asyncio.get_running_loop().create_task(
        bob_path._find(
            bob_path._described(),
            agent,
            path._Peer.of(sdp.parse(offer), sdp.parse(offer).media[0]),
        )
    )
    await until(lambda: is_secured(alice) and is_secured(bob))
    assert await heard(alice, bob, 440) > 0.99
    await alice.close()
    await bob.close()


async def test_a_restart_leaves_the_roles_of_ice_as_they_were() -> None:
    """Who began the call chooses the pair, whoever begins ICE anew (RFC 8445 §9, other than RFC 5245)."""
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        call.bob.moved(ELSEWHERE)
        offer = str(await call.bob.offer())
        await call.bob.answered(sdp.parse(str(await call.alice.answer(sdp.parse(offer)))))
        await asyncio.sleep(1)
        assert (controls(call.alice), controls(call.bob)) == (True, False)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_another_peer_that_offers_chooses_the_pair() -> None:
    wire = Wire()
    async with secured(wire) as call:
        await connected(call)
        assert controls(call.alice)
        carol = session(wire, "192.0.2.3", 3)
        offer = str(await carol.offer())
        await carol.answered(sdp.parse(str(await call.alice.answer(sdp.parse(offer)))))
        await until(lambda: is_secured(carol))
        assert (controls(call.alice), controls(carol)) == (False, True)
        await carol.close()
