"""What a bridge carries: packets or audio, digits, early media; and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest

from sipstack import AudioSession, Call, CallEnded, CallRejected, Invitation, OutgoingInvite, bridge
from sipstack.media.formats import Format
from sipstack.media.telephone_events import TelephoneEvents, describe_events
from sipstack.media.tones import sine
from sipstack.rtp.packet import RtpPacket
from sipstack.testing.world import World
from tests.media.hearing import Ear, loudness, purity

pytestmark = pytest.mark.virtual_time

Options = dict[str, Any]
SDES: Options = {"security": "sdes", "insecure_keys": True}


class Stage:
    """Alice calls the switch, which calls Bob and bridges them. ``sides`` are the options of their media:
    those of the legs of the switch are the same as those of the phone there.
    """

    def __init__(self, alice: Options | None = None, bob: Options | None = None) -> None:
        self.world = world = World(audio=True)
        self._sides = alice or {}, bob or {}
        self.media: dict[str, AudioSession] = {}
        self.alice = world.user_agent("alice", media=self._media("alice", self._sides[0]))
        self.switch = world.user_agent("switch")
        self.bob = world.user_agent("bob", media=self._media("bob", self._sides[1]))
        self._answered: asyncio.Future[Call] | None = None
        self.caller: Call | None = None
        self.callee: Call | None = None

    def _media(self, name: str, options: Options) -> Callable[[str], AudioSession]:
        def make(host: str) -> AudioSession:
            self.media[name] = self.world.audio_session(host, **options)
            return self.media[name]

        return make

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[Call, Call]]:
        """The calls of Alice and of Bob."""
        answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(invitation: Invitation) -> None:
            async with invitation.accept() as call:
                answered.set_result(call)
                await call.ended()

        async with self.alice, self.switch, self.bob:
            async with self.bob.serving(answer), self.switch.serving(self.connect):
                async with self.alice.call(self.switch.contact) as call:
                    other = await answered
                    await asyncio.sleep(0.5)
                    yield call, other
        assert self.world.leftovers == []

    async def connect(self, invitation: Invitation) -> None:
        media = self._media("to bob", self._sides[1])
        async with self.switch.call(self.bob.contact, media=media) as self.callee:
            media = self._media("to alice", self._sides[0])
            async with invitation.accept(media=media) as self.caller:
                await bridge(self.caller, self.callee)

    def decodes(self) -> bool:
        """Whether the switch listens to what it carries."""
        assert self.caller is not None
        assert self.callee is not None
        return self.caller.audio.wanted or self.callee.audio.wanted

    def heard_by_bob(self, since: float) -> list[RtpPacket]:
        """The packets to Bob from then on."""
        stream = self.media["bob"].stream
        assert stream is not None
        port = self.world.names["bob.test"][0]
        sent = [each for each in self.world.sent if each.destination[0] == port and each.time >= since]
        return [RtpPacket.parse(each.data) for each in sent if is_rtp(each.data)]


def is_rtp(data: bytes) -> bool:
    return len(data) > 12 and data[0] >> 6 == 2 and not 200 <= data[1] <= 207


async def hears(speaker: Call | OutgoingInvite, listener: Call | OutgoingInvite, frequency: float) -> float:
    """How purely a tone gets through in a second."""
    ear = Ear()
    async with speaker.playing(sine(frequency, 3.0)):
        await asyncio.sleep(0.5)
        async with listener.recording(ear):
            await asyncio.sleep(0.7)
    return purity(b"".join(ear.frames[10:]), frequency)


async def both_hear(one: Call, other: Call) -> bool:
    return min(await hears(one, other, 1000.0), await hears(other, one, 400.0)) > 0.95


def restrict(session: AudioSession, *codecs: str) -> None:
    """From the next offer on it has these codecs alone."""
    mine = session._capabilities
    kept = [codec for codec in mine.codecs if codec.name in codecs or codec.auxiliary]
    session._capabilities = attrs.evolve(mine, codecs=tuple(kept))


# --- packets ---


@pytest.mark.parametrize("secured", ["alice", "bob", "both"])
async def test_packets_pass_between_rtp_and_srtp_and_are_never_decoded(secured: str) -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Stage(SDES if secured != "bob" else None, SDES if secured != "alice" else None)
    async with stage.connected() as (alice, bob):
        assert await both_hear(alice, bob)
        assert not stage.decodes()
        assert alice.statistics.packets_lost == bob.statistics.packets_lost == 0
        assert alice.statistics.packets_unproved == bob.statistics.packets_unproved == 0
        told = [call.security is not None for call in (alice, stage.caller, stage.callee, bob) if call]
        assert (
            told
            == {
                "alice": [True, True, False, False],
                "bob": [False, False, True, True],
                "both": [True] * 4,
            }[secured]
        )


async def test_other_codecs_are_transcoded() -> None:
    stage = Stage({"codecs": ["PCMA"]}, {"codecs": ["PCMU"]})
    async with stage.connected() as (alice, bob):
        assert (alice.codec, bob.codec) == ("PCMA", "PCMU")
        assert await both_hear(alice, bob)
        assert stage.decodes()


async def test_one_side_changes_its_codec_and_comes_back() -> None:
    stage = Stage(bob={"codecs": ["PCMU"]})
    async with stage.connected() as (alice, bob):
        assert await both_hear(alice, bob)
        assert not stage.decodes()
        restrict(stage.media["alice"], "PCMA")
        await alice.resume()  # a re-INVITE
        assert alice.codec == "PCMA"
        assert await both_hear(alice, bob)
        assert stage.decodes()
        stage.media["alice"]._capabilities = stage.media["bob"]._capabilities
        await alice.resume()
        assert alice.codec == "PCMU"
        assert await both_hear(alice, bob)
        assert not stage.decodes()


async def test_what_is_said_in_between_is_heard_and_then_packets_pass_again() -> None:
    stage = Stage()
    async with stage.connected() as (alice, bob):
        assert stage.callee is not None
        assert await hears(stage.callee, bob, 700.0) > 0.95
        assert await both_hear(alice, bob)
        stage.callee.audio.muted = True
        assert await hears(alice, bob, 1000.0) == 0.0
        stage.callee.audio.muted = False
        await asyncio.sleep(0.5)
        assert await both_hear(alice, bob)
        assert not stage.decodes()


async def test_a_side_that_falls_silent_is_silence_to_the_other_and_no_loss() -> None:
    """Time-outs of the other side count packets: it gets some again after five seconds."""
    stage = Stage()
    async with stage.connected() as (alice, bob):
        assert stage.media["alice"].stream is not None
        stage.media["alice"].stream.speaking.hold()
        await asyncio.sleep(0.5)
        before = bob.statistics.packets_received
        await asyncio.sleep(4)
        assert bob.statistics.packets_received == before
        await asyncio.sleep(5)
        assert bob.statistics.packets_received > before + 100
        stage.media["alice"].stream.speaking.is_sending = True
        assert await both_hear(alice, bob)


async def test_hold_by_one_side_and_its_music() -> None:
    stage = Stage()
    async with stage.connected() as (alice, bob):
        await alice.hold()
        assert stage.caller is not None
        assert stage.caller.remote_held
        assert await hears(alice, bob, 1000.0) > 0.95  # music on hold
        assert await hears(bob, alice, 400.0) == 0.0
        await asyncio.sleep(60)
        await alice.resume()
        assert await both_hear(alice, bob)
        assert stage.switch.calls == [stage.callee, stage.caller]


# --- digits ---


async def digits_of(call: Call, count: int) -> list[tuple[str, str]]:
    async with asyncio.timeout(5):
        digits = [await call.dtmf.get() for _ in range(count)]
    return [(str(digit), digit.way) for digit in digits]


def numbered(number: int) -> Options:
    """Media whose telephone-event has this number."""
    events = Format("telephone-event", lambda rate: describe_events(rate).numbered(number), TelephoneEvents)
    return {"beside": [events]}


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "transcoded"])
async def test_digits_of_rfc_4733_under_another_number(codec: str) -> None:
    stage = Stage(numbered(96) | {"codecs": ["PCMU"]}, numbered(110) | {"codecs": [codec]})
    async with stage.connected() as (alice, bob):
        began = asyncio.get_running_loop().time()
        await alice.dtmf.send("15#", duration=0.12)
        assert await digits_of(bob, 3) == [(key, "rtp") for key in "15#"]
        await bob.dtmf.send("9")
        assert await digits_of(alice, 1) == [("9", "rtp")]
        assert stage.decodes() is (codec != "PCMU")
        await asyncio.sleep(0.5)
        assert not bob.dtmf._digits
        events = [packet for packet in stage.heard_by_bob(began) if packet.payload_type == 110]
        assert len({packet.timestamp for packet in events}) == 3  # a key has one
        assert await both_hear(alice, bob)


async def test_the_application_reads_the_digits_that_pass() -> None:
    stage = Stage()
    async with stage.connected() as (alice, bob):
        await alice.dtmf.send("7")
        assert stage.caller is not None
        assert await digits_of(stage.caller, 1) == await digits_of(bob, 1) == [("7", "rtp")]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "transcoded"])
async def test_info_becomes_rfc_4733(codec: str) -> None:
    stage = Stage({"codecs": ["PCMU"]}, {"codecs": [codec]})
    async with stage.connected() as (alice, bob):
        await alice.dtmf.send("15", way="info")
        assert await digits_of(bob, 2) == [("1", "rtp"), ("5", "rtp")]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "transcoded"])
async def test_tones_of_a_side_without_rfc_4733_become_events(codec: str) -> None:
    stage = Stage({"beside": [], "codecs": ["PCMU"]}, {"codecs": [codec]})
    async with stage.connected() as (alice, bob):
        await asyncio.sleep(0.5)
        await alice.dtmf.send("28", way="inband")
        assert await digits_of(bob, 2) == [("2", "rtp"), ("8", "rtp")]
        await bob.dtmf.send("4")  # and back, where nothing but INFO and tones is left
        assert await digits_of(alice, 1) == [("4", "info")]


async def test_tones_pass_as_they_are_where_neither_has_rfc_4733() -> None:
    stage = Stage({"beside": []}, {"beside": []})
    async with stage.connected() as (alice, bob):
        taking = asyncio.create_task(digits_of(bob, 2))
        await asyncio.sleep(0.1)
        await alice.dtmf.send("37", way="inband")
        assert await taking == [("3", "inband"), ("7", "inband")]
        assert stage.caller is not None
        assert not stage.caller.audio.wanted


async def test_a_digit_during_an_announcement_to_the_other_side_is_not_lost() -> None:
    stage = Stage()
    async with stage.connected() as (alice, bob):
        assert stage.callee is not None
        async with stage.callee.playing(sine(700.0, 9.0)):
            await alice.dtmf.send("6")
            assert await digits_of(bob, 1) == [("6", "rtp")]
        await asyncio.sleep(1)
        assert not bob.dtmf._digits


# --- early media ---


class EarlyStage(Stage):
    """Bob rings for three seconds with a tone of 700 Hz, then answers, or refuses with ``status``."""

    def __init__(self, status: int = 200) -> None:
        super().__init__()
        self._status = status
        self.ended_at = 0.0

    async def ring(self, invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        async with invitation.playing(sine(700.0, 3.0)):
            await asyncio.sleep(3)
        if self._status != 200:
            await invitation.reject(self._status)
            return
        async with invitation.accept() as call:
            await call.play(sine(400.0, 2.0))
            await call.ended()

    async def connect(self, invitation: Invitation) -> None:
        async with self.switch.invite(self.bob.contact) as outgoing:
            provisionals = outgoing.provisionals()
            await anext(provisionals)
            await invitation.progress(183, early_media=True)
            joined = asyncio.create_task(self.join(invitation, outgoing))
            try:
                await outgoing.answered()
                async with invitation.accept() as caller:
                    await caller.ended()
            except CallRejected as error:
                await joined
                await invitation.reject(error.status)
            finally:
                joined.cancel()
                await asyncio.wait([joined])

    async def join(self, invitation: Invitation, outgoing: OutgoingInvite) -> None:
        try:
            await bridge(invitation, outgoing)
        finally:
            self.ended_at = asyncio.get_running_loop().time()

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[OutgoingInvite]:
        async with self.alice, self.switch, self.bob:
            async with self.bob.serving(self.ring), self.switch.serving(self.connect):
                async with self.alice.invite(self.switch.contact) as outgoing:
                    yield outgoing
                await asyncio.sleep(1)
        assert self.world.leftovers == []


async def test_early_media_is_heard_through_the_bridge_which_goes_on_when_both_have_answered() -> None:
    stage, ear = EarlyStage(), Ear()
    async with stage.calling() as outgoing, outgoing.recording(ear):
        await outgoing.answered()
        await asyncio.sleep(2)
    assert purity(b"".join(ear.frames[50:140]), 700.0) > 0.95
    assert purity(b"".join(ear.frames[175:240]), 400.0) > 0.95
    assert loudness(b"".join(ear.frames[175:240])) > 1000


async def test_a_refusal_after_early_media_ends_the_bridge_and_is_told() -> None:
    stage = EarlyStage(486)
    async with stage.calling() as outgoing:
        with pytest.raises(CallRejected, match="486"):
            await outgoing.answered()
    assert stage.ended_at == pytest.approx(3.0, abs=0.1)


async def test_the_caller_gives_up_while_early_media_is_bridged() -> None:
    stage = EarlyStage()
    async with stage.calling():
        await asyncio.sleep(2)
    assert stage.ended_at == pytest.approx(2.0, abs=0.1)


async def test_early_media_that_is_refused_ends_what_plays_into_it() -> None:
    stage = EarlyStage(486)
    async with stage.calling() as outgoing:
        with pytest.raises(CallEnded, match="486"):
            await outgoing.play(sine(1000.0, 60.0))


async def test_a_bridge_may_begin_before_anything_is_described() -> None:
    """A late offer: its packets begin with the answer."""
    stage = Stage()
    calls: list[Call] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            calls.append(call)
            await call.ended()

    async def connect(invitation: Invitation) -> None:
        async with invitation.accept() as caller, stage.switch.invite(stage.bob.contact, offer=False) as out:
            joined = asyncio.create_task(bridge(caller, out))
            stage.caller, stage.callee = caller, await out.answered()
            await joined

    async with stage.alice, stage.switch, stage.bob, stage.bob.serving(answer):
        async with stage.switch.serving(connect), stage.alice.call(stage.switch.contact) as alice:
            await asyncio.sleep(1)
            assert await both_hear(alice, calls[0])
            assert not stage.decodes()
    assert stage.world.leftovers == []


# --- the end ---


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "transcoded"])
@pytest.mark.parametrize("leaver", ["alice", "bob"])
async def test_the_bridge_ends_with_either_side(codec: str, leaver: str) -> None:
    stage = Stage({"codecs": ["PCMU"]}, {"codecs": [codec]})
    async with stage.connected() as (alice, bob):
        leaving, left = (alice, bob) if leaver == "alice" else (bob, alice)
        await leaving.hang_up()
        async with asyncio.timeout(1):
            assert (await left.ended()).by == "remote"


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "transcoded"])
async def test_a_bridge_that_is_cancelled_leaves_nothing_and_can_be_had_again(codec: str) -> None:
    stage = Stage({"codecs": ["PCMU"]}, {"codecs": [codec]})
    again = asyncio.Event()

    async def connect(invitation: Invitation) -> None:
        to_bob, to_alice = (
            stage._media(each, side) for each, side in zip("ba", stage._sides[::-1], strict=True)
        )
        async with stage.switch.call(stage.bob.contact, media=to_bob) as stage.callee:
            async with invitation.accept(media=to_alice) as stage.caller:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await bridge(stage.caller, stage.callee)
                await again.wait()
                await bridge(stage.callee, stage.caller)

    stage.connect = connect  # type: ignore[method-assign]
    async with stage.connected() as (alice, bob):
        await alice.dtmf.send("1", way="info")
        await asyncio.sleep(3)
        assert not stage.decodes()
        for name in "ab":
            stream = stage.media[name].stream
            assert stream is not None
            assert (stream.tap, stream.speaking.relaying) == (None, 0)
        assert await hears(alice, bob, 1000.0) == 0.0
        again.set()
        await asyncio.sleep(0.5)
        assert await both_hear(alice, bob)
