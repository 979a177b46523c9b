"""A call that is refused for what it offers is tried again with the next kind, where the caller allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from sipstack import Call, CallEnded, CallRejected, Invitation, UserAgent, message, sdp
from sipstack.errors import TransportError
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.message import Request, Response
from sipstack.sdp import Direction, SessionDescription
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.media.hearing import Ear, purity

pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
pytestmark = pytest.mark.virtual_time

SDES = "SDES-SRTP AES_CM_128_HMAC_SHA1_80, its keys sent in the clear"
BOTH = ("sdes", "none")


def phone(
    world: World, name: str, security: str | Sequence[str] | None, *, insecure_keys: bool = True
) -> UserAgent:
    def media(host: str) -> AudioSession:
        return world.audio_session(host, security=security, insecure_keys=insecure_keys)

    return world.user_agent(name, media=media)


class Answering:
    """Takes calls and plays a tone."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            self.calls.append(call)
            async with call.playing(sine(500.0, 60.0)):
                await call.ended()


async def hears(call: Call, frequency: float) -> bool:
    ear = Ear()
    async with call.recording(ear):
        await asyncio.sleep(1)
    return purity(b"".join(ear.frames[10:]), frequency) > 0.95


def offered_last(world: World) -> str:
    """The protocol of the last INVITE."""
    invites = [each.data for each in world.sent if each.data.startswith(b"INVITE")]
    return protocol(message.parse(invites[-1]))  # type: ignore[arg-type]


def protocol(invite: Request) -> str:
    return sdp.parse(invite.body).media[0].protocol


@pytest.mark.parametrize(
    ("security", "peer", "told"),
    [(BOTH, "none", None), (("none", "sdes"), "sdes", SDES), (("dtls", "sdes", "none"), "none", None)],
    ids=["down", "up", "in two steps"],
)
async def test_the_next_kind_is_offered_and_the_call_says_what_came_out(
    security: Sequence[str], peer: str, told: str | None
) -> None:
    if "dtls" in security:
        pytest.importorskip("aiortc", reason="DTLS-SRTP needs aiortc")
    world, bobs = World(audio=True), Answering()
    async with phone(world, "alice", security) as alice, phone(world, "bob", peer) as bob:
        async with bob.serving(bobs), alice.call(bob.contact) as call:
            assert (call.security, bobs.calls[0].security) == (told, told)
            assert await hears(call, 500.0)
            async with call.playing(sine(1000.0, 9.0)):
                await asyncio.sleep(0.5)
                assert await hears(bobs.calls[0], 1000.0)
            await call.hold()
            await call.resume()
            assert call.security == told
            assert offered_last(world) == ("RTP/SAVP" if told else "RTP/AVP")
            assert await hears(call, 500.0)
        await asyncio.sleep(1)
    assert world.leftovers == []


async def test_it_is_the_same_call_with_the_next_cseq() -> None:
    """RFC 3261 §8.1.3.5."""
    world = World(audio=True)
    async with phone(world, "alice", BOTH) as alice, phone(world, "bob", "none") as bob:
        async with bob.serving(Answering()), alice.call("sip:bob.test"):
            assert world.ladder() == ladder("""
                alice -> bob INVITE sip:bob.test [1]
                bob -> alice 488 Not Acceptable Here [1 INVITE]
                alice -> bob ACK sip:bob.test [1]
                alice -> bob INVITE sip:bob.test [2]
                bob -> alice 200 OK [2 INVITE]
                alice -> bob ACK sip:bob@10.0.0.2:5060 [2]
            """)
    assert world.leftovers == []


@pytest.mark.parametrize("security", ["sdes", ("sdes",), "none", None], ids=str)
async def test_without_a_choice_the_refusal_is_told(security: str | Sequence[str] | None) -> None:
    """Never to less than the caller allows, nor to what nobody has asked for."""
    world = World(audio=True)
    peer = "none" if security in ("sdes", ("sdes",)) else "sdes"
    async with phone(world, "alice", security) as alice, phone(world, "bob", peer) as bob:
        async with bob.serving(Answering()):
            with pytest.raises(CallRejected, match="488"):
                async with alice.call(bob.contact):
                    pass
    assert sum("INVITE sip" in line for line in world.ladder()) == 1
    assert world.leftovers == []


async def test_keys_that_must_not_be_told_are_not_offered_next() -> None:
    world = World(audio=True)
    async with phone(world, "alice", ("none", "sdes"), insecure_keys=False) as alice:
        async with phone(world, "bob", "sdes") as bob, bob.serving(Answering()):
            with pytest.raises(CallRejected, match="488"):
                async with alice.call(bob.contact):
                    pass
    assert not any(b"a=crypto" in each.data for each in world.sent)
    assert world.leftovers == []


# --- peers of every kind ---


class Callee(ScriptedPeer):
    """Refuses the first INVITEs with these statuses, and rings at the one after them."""

    def __init__(self, world: World, *statuses: int) -> None:
        super().__init__(world, "callee", on_request=self._respond)
        self._statuses = list(statuses)

    def _respond(self, request: Request) -> Iterator[Response]:
        match request.method:
            case "INVITE" if self._statuses:
                yield request.response(self._statuses.pop(0), to_tag="callee")
            case "INVITE":
                yield request.response(180, to_tag="callee", headers=[("Contact", f"<{self.uri}>")])
            case "CANCEL":
                yield request.response(200, to_tag="callee")
                yield self.invite.response(487, to_tag="callee")

    @property
    def invites(self) -> list[Request]:
        return [each for each in self.requests if each.method == "INVITE"]


@pytest.mark.parametrize("status", [415, 488, 606])
async def test_what_a_peer_says_of_an_offer(status: int) -> None:
    world = World(audio=True)
    async with Callee(world, status) as callee, phone(world, "alice", BOTH) as alice:
        async with alice.invite("sip:callee.test") as outgoing:
            assert (await anext(outgoing.provisionals())).status == 180
            one, two = callee.invites
            assert [protocol(each) for each in (one, two)] == ["RTP/SAVP", "RTP/AVP"]
            assert b"crypto" not in two.body
            assert (one.call_id, one.from_.tag) == (two.call_id, two.from_.tag)
            assert two.to.tag is None
            assert sdp.parse(two.body).media[0].port != 0
    assert callee.methods == ["INVITE", "ACK", "INVITE", "CANCEL", "ACK"]
    assert world.leftovers == []


@pytest.mark.parametrize("status", [302, 400, 403, 404, 480, 486, 487, 500, 603])
async def test_other_refusals_are_told_at_once(status: int) -> None:
    world = World(audio=True)
    async with Callee(world, status) as callee, phone(world, "alice", BOTH) as alice:
        with pytest.raises(CallRejected, match=str(status)):
            async with alice.call("sip:callee.test"):
                pass
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK"]
    assert world.leftovers == []


async def test_a_peer_that_refuses_all_of_them() -> None:
    world = World(audio=True)
    async with Callee(world, 488, 606, 488) as callee, phone(world, "alice", BOTH) as alice:
        with pytest.raises(CallRejected, match="606"):
            async with alice.call("sip:callee.test"):
                pass
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK", "INVITE", "ACK"]
    assert world.leftovers == []


async def test_without_an_offer_of_ours_there_is_none_to_change() -> None:
    world = World(audio=True)
    async with Callee(world, 488) as callee, phone(world, "alice", BOTH) as alice:
        async with alice.invite("sip:callee.test", offer=False) as outgoing:
            with pytest.raises(CallRejected, match="488"):
                await outgoing.answered()
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK"]
    assert world.leftovers == []


# --- while the other offer is made ---


def slow(world: World, seconds: float, error: Exception | None = None) -> UserAgent:
    """A phone whose second offer takes its time, and may come to nothing."""

    class Slow(AudioSession):
        offers = 0

        async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
            self.offers += 1
            if self.offers == 2:
                await asyncio.sleep(seconds)
                if error is not None:
                    raise error
            return await super().offer(direction)

    def media(host: str) -> AudioSession:
        return Slow(host, bind=world._rtp.bind, security=BOTH, insecure_keys=True, is_ours=lambda _: True)

    return world.user_agent("alice", media=media)


async def test_the_caller_gives_up_meanwhile() -> None:
    world = World(audio=True)
    async with Callee(world, 488) as callee, slow(world, 2) as alice:
        async with alice.invite("sip:callee.test") as outgoing:
            await asyncio.sleep(1)
            await outgoing.cancel()
            with pytest.raises(CallEnded):
                await outgoing.answered()
        await asyncio.sleep(5)
        assert callee.methods == ["INVITE", "ACK"]
    assert world.leftovers == []


async def test_the_user_agent_is_left_meanwhile() -> None:
    world = World(audio=True)
    async with Callee(world, 488) as callee:
        async with slow(world, 2) as alice:
            calling = asyncio.create_task(alice.call("sip:callee.test").__aenter__())
            await asyncio.sleep(1)
        with pytest.raises(CallEnded):
            await calling
        await asyncio.sleep(5)
        assert callee.methods == ["INVITE", "ACK"]
    assert world.leftovers == []


async def test_an_offer_that_cannot_be_made_leaves_the_refusal() -> None:
    world = World(audio=True)
    async with Callee(world, 488) as callee, slow(world, 0, TransportError("no port")) as alice:
        with pytest.raises(CallRejected, match="488"):
            async with alice.call("sip:callee.test"):
                pass
        assert callee.methods == ["INVITE", "ACK"]
    assert world.leftovers == []
