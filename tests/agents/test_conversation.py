"""Agents in calls, in virtual time: their end of the channel is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from sipstack import Call, CallRejected, Invitation, Referral
from sipstack.agents.conversation import STUCK, conversation
from sipstack.errors import ParseError, TransportError
from sipstack.media.tones import sine
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.media.hearing import Ear, everything, loudness, purity
from tests.ua.handlers import CLEARED

pytestmark = pytest.mark.virtual_time

TONE = b"".join(everything(sine(1000.0, 1.0, sample_rate=16000)))


class Bot:
    """An agent, and the channel to it."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.refusals = refusals
        """How often it is not there yet."""
        self.heard = bytearray()
        self.told: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed = False
        self._says: asyncio.Queue[bytes | str | Exception | None] = asyncio.Queue()

    def say(self, pcm: bytes) -> None:
        self._says.put_nowait(pcm)

    def command(self, name: str, **members: Any) -> None:
        self._says.put_nowait(json.dumps({"command": name} | members))

    def break_down(self, error: Exception | None = None) -> None:
        self._says.put_nowait(error)

    @property
    def events(self) -> list[str]:
        return [each["event"] for each in self.told]

    async def connect(self) -> Bot:
        if self.refusals:
            self.refusals -= 1
            raise TransportError("no agent at bot.test")
        return self

    async def send_audio(self, pcm: bytes) -> None:
        await self.reads.wait()
        self.heard += pcm

    async def send_control(self, text: str) -> None:
        await self.reads.wait()
        self.told.append(json.loads(text))

    async def receive(self) -> bytes | str | None:
        message = await self._says.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def close(self) -> None:
        self.closed = True


@attrs.define
class Answered:
    """How the handler of the call came out."""

    error: Exception | None = None


@contextlib.asynccontextmanager
async def called(bot: Bot, rate: int = 16000) -> AsyncIterator[tuple[Call, Ear, Answered]]:
    """A call to the bot: the caller's side of it, and what is heard there."""
    world, ear, outcome = World(Link(delay=0.02), audio=True), Ear(), Answered()

    async def answer(invitation: Invitation) -> None:
        try:
            async with conversation(bot, rate) as talk, invitation.accept() as call:
                await talk(call)
        except (TransportError, ParseError) as error:
            outcome.error = error

    async with world.user_agent("alice") as alice, world.user_agent("bot") as agent, agent.serving(answer):
        async with alice.call("sip:bot@bot.test") as call, call.recording(ear):
            yield call, ear, outcome
        await asyncio.sleep(1)
    assert bot.closed
    assert world.leftovers == []


def seconds_of(ear: Ear, frequency: float) -> float:
    heard = [pcm for pcm in ear.frames if loudness(pcm) > 500 and purity(pcm, frequency) > 0.8]
    return len(heard) * 0.02


# -- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (None, "the agent has closed the connection"),
        (TransportError("the connection to the agent is lost"), "is lost"),
        (ParseError("the agent wrote b'Hel' where a frame begins"), "where a frame begins"),
    ],
)
async def test_the_call_of_an_agent_that_dies_is_ended(failure: Exception | None, words: str) -> None:
    bot = Bot()
    async with called(bot) as (call, _, outcome):
        await asyncio.sleep(1)
        bot.break_down(failure)
        assert (await call.ended()).by == "remote"
    assert words in str(outcome.error)


async def test_an_agent_that_reads_nothing_is_taken_for_dead() -> None:
    bot = Bot()
    async with called(bot) as (call, _, outcome):
        await asyncio.sleep(1)
        bot.reads.clear()
        began = asyncio.get_running_loop().time()
        await call.ended()
        assert asyncio.get_running_loop().time() - began == pytest.approx(STUCK, abs=1.5)
        bot.reads.set()
    assert "read nothing for 10 s" in str(outcome.error)


async def test_an_agent_that_is_slow_for_a_while_misses_audio_and_no_more() -> None:
    bot = Bot()
    async with called(bot) as (call, _, outcome):
        await asyncio.sleep(1)
        bot.reads.clear()
        await asyncio.sleep(5)
        bot.reads.set()
        await asyncio.sleep(1)
    assert outcome.error is None
    assert len(bot.heard) / 32000 == pytest.approx(2.5, abs=0.2), "half a second of the five is kept"


async def test_an_agent_that_is_not_there_yet_is_tried_again() -> None:
    bot = Bot(refusals=3)
    async with called(bot) as (call, _, _):
        await asyncio.sleep(0.5)
        await call.hang_up()
    assert bot.events == ["start", "end"]


async def test_an_agent_that_is_nowhere_answers_no_call() -> None:
    bot, world = Bot(refusals=1000), World(audio=True)

    async def answer(invitation: Invitation) -> None:
        try:
            async with conversation(bot):
                raise AssertionError("it is there after all")
        except TransportError as error:
            assert str(error) == "no agent at bot.test"  # noqa: PT017 - in a handler
            await invitation.reject(503)

    async with world.user_agent("alice") as alice, world.user_agent("bot") as agent, agent.serving(answer):
        with pytest.raises(CallRejected) as rejected:
            async with alice.call("sip:bot@bot.test"):
                pass
    assert rejected.value.status == 503


@pytest.mark.parametrize(
    ("name", "members", "words"),
    [
        ("dance", {}, "there is no such command"),
        ("transfer", {"target": "sip:carol@c.test"}, "the transfer was refused: 405"),
        ("transfer", {"target": "carol"}, "cannot be called"),
        ("send_digits", {"digits": "none"}, "digits are 1 to 64"),
    ],
)
async def test_what_cannot_be_done_is_said_and_the_call_goes_on(
    name: str, members: dict[str, Any], words: str
) -> None:
    bot = Bot()
    async with called(bot) as (call, ear, _):
        bot.command(name, **members)
        await asyncio.sleep(0.5)
        assert (bot.events, bot.told[1]["command"]) == (["start", "error"], name)
        assert words in bot.told[1]["reason"]
        bot.say(b"\1\0\1")
        await asyncio.sleep(0.1)
        assert "whole samples" in bot.told[2]["reason"]
        bot.say(TONE)
        await asyncio.sleep(1.5)
        assert seconds_of(ear, 1000.0) == pytest.approx(1.0, abs=0.06)
        await call.hang_up()


# -- both directions -----------------------------------------------------------------------------------------


async def test_the_agent_is_told_who_calls_hears_it_and_is_told_the_end() -> None:
    bot = Bot()
    async with called(bot) as (call, _, _):
        await call.play(sine(1000.0, 2.0))
        await asyncio.sleep(0.3)
        await call.hang_up()
    start, end = bot.told
    assert start == {
        "event": "start",
        "call": call.id,
        "from": "sip:alice@alice.test",
        "to": "sip:bot@bot.test",
        "rate": 16000,
    }
    assert end == {"event": "end", "by": "remote", "reason": CLEARED}
    assert purity(bytes(bot.heard[16000:48000]), 1000.0, 16000) > 0.99


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
async def test_any_rate_both_ways(rate: int) -> None:
    bot = Bot()
    async with called(bot, rate) as (call, ear, _):
        bot.say(b"".join(everything(sine(1000.0, 1.0, sample_rate=rate))))
        await call.play(sine(500.0, 1.0))
        await asyncio.sleep(0.5)
        await call.hang_up()
    assert bot.told[0]["rate"] == rate
    assert seconds_of(ear, 1000.0) == pytest.approx(1.0, abs=0.06)
    tone = bytes(bot.heard[rate // 4 * 2 : rate // 2 * 2])
    assert purity(tone, 500.0, rate) > 0.99


async def test_what_is_sent_all_at_once_is_said_in_time_and_then_hung_up() -> None:
    bot = Bot()
    async with called(bot) as (call, ear, outcome):
        for _ in range(3):
            bot.say(TONE)
        bot.command("hang_up")
        assert (await call.ended()).by == "remote"
        assert call.duration == pytest.approx(3.1, abs=0.3)
        assert seconds_of(ear, 1000.0) == pytest.approx(3.0, abs=0.06)
    assert outcome.error is None
    assert bot.told[-1]["by"] == "agent"


async def test_barge_in_cuts_what_is_not_said() -> None:
    bot = Bot()
    async with called(bot) as (call, ear, _):
        bot.say(TONE * 10)
        await asyncio.sleep(2)
        bot.command("clear")
        await asyncio.sleep(0.5)
        silent = len(ear.frames)
        (cleared,) = (each for each in bot.told if each["event"] == "cleared")
        assert cleared["unsaid"] == pytest.approx(8.0, abs=0.2)
        bot.say(TONE)
        await asyncio.sleep(2)
        assert 2.8 < seconds_of(ear, 1000.0) < 3.2
        assert not any(loudness(pcm) > 500 for pcm in ear.frames[silent - 10 : silent])
        await call.hang_up()


async def test_an_agent_whose_caller_has_gone_before_the_answer_is_let_go() -> None:
    bot, world = Bot(), World(audio=True)

    async def answer(invitation: Invitation) -> None:
        async with conversation(bot):
            await invitation.progress(180)
            await asyncio.sleep(30)

    async with world.user_agent("alice") as alice, world.user_agent("bot") as agent, agent.serving(answer):
        async with alice.invite("sip:bot@bot.test"):
            await asyncio.sleep(1)
        await asyncio.sleep(1)
    assert (bot.told, bot.closed) == ([], True)


async def test_ctrl_c_tells_the_agent_too() -> None:
    bot, world = Bot(), World(Link(delay=0.02), audio=True)

    async def place() -> None:
        async with conversation(bot) as talk, alice.call("sip:bob@bob.test") as call:
            await talk(call)

    async def listen(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(listen):
        placing = asyncio.create_task(place())
        await asyncio.sleep(1)
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
    assert bot.events == ["start", "end"]
    assert (bot.told[-1]["by"], bot.closed) == ("local", True)


async def test_digits_go_to_the_bot_and_come_from_it() -> None:
    bot = Bot()
    async with called(bot) as (call, _, _):
        await call.dtmf.send("4#")
        await asyncio.sleep(0.5)
        assert [each["digit"] for each in bot.told if each["event"] == "digit"] == ["4", "#"]
        bot.command("send_digits", digits="159")
        assert [await call.dtmf.get() for _ in range(3)] == ["1", "5", "9"]


# -- transfer ------------------------------------------------------------------------------------------------


async def test_the_agent_has_a_person_take_the_call() -> None:
    """It goes on talking until that person answers; then it is out of the call."""
    bot, world, ear = Bot(), World(Link(delay=0.02), audio=True), Ear()
    statuses = iter([486, 200])

    async def answer(invitation: Invitation) -> None:
        async with conversation(bot) as talk, invitation.accept() as call:
            await talk(call)

    async def person(invitation: Invitation) -> None:
        await invitation.progress(180)
        await asyncio.sleep(3)
        if next(statuses) == 486:
            await invitation.reject(486)
            return
        async with invitation.accept() as call:
            await call.ended()

    async def follow(referral: Referral) -> None:
        with contextlib.suppress(CallRejected):
            async with referral.follow() as call:
                await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bot") as agent,
        world.user_agent("carol") as carol,
        agent.serving(answer),
        carol.serving(person),
        alice.serving_referrals(follow),
    ):
        async with alice.call("sip:bot@bot.test") as call, call.recording(ear):
            bot.command("transfer", target="sip:carol@carol.test")
            await asyncio.sleep(1)
            bot.command("transfer", target="sip:dave@dave.test")
            bot.say(TONE)
            await asyncio.sleep(4)
            assert [each["reason"] for each in bot.told[1:]] == [
                "the call is being transferred to sip:carol@carol.test",
                "the transfer came to nothing: 486 Busy Here",
            ]
            assert seconds_of(ear, 1000.0) == pytest.approx(1.0, abs=0.06)
            bot.command("transfer", target="sip:carol@carol.test")
            end = await call.ended()
            assert end.by == "remote"
        assert len(carol.calls) == 1
        await asyncio.sleep(1)
    assert bot.told[-1] == {"event": "end", "by": "agent", "reason": ""}
    assert (bot.closed, world.leftovers) == (True, [])
