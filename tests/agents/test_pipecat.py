"""The transport for Pipecat, with pipelines of their package, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator

import pytest

from sipstack import Call, Invitation
from sipstack.media.tones import sine
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.media.hearing import Ear, everything, loudness, purity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports, not of what we do
    pytest.importorskip("pipecat.workers.runner", reason="pipecat-ai is not installed; .ci/run has it")

from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.frames.frames import Frame as PipelineFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from sipstack.agents.pipecat import SipTransport

pytestmark = [pytest.mark.virtual_time, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

RATE = 16000
TONE = b"".join(everything(sine(1000.0, 1.0, sample_rate=RATE)))


class Brain(FrameProcessor):
    """What stands between ears and mouth: it keeps what is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()
        self.heard = bytearray()

    async def process_frame(self, frame: PipelineFrame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self.started.set()
        if isinstance(frame, InputAudioRawFrame):
            assert (frame.sample_rate, frame.num_channels) == (RATE, 1)
            self.heard += frame.audio
            return
        await self.push_frame(frame, direction)

    async def say(self, pcm: bytes) -> None:
        await self.push_frame(OutputAudioRawFrame(pcm, RATE, 1))


class Bot:
    """A handler of calls with a pipeline of its own for one of them."""

    def __init__(self) -> None:
        self.brain = Brain()
        self.events: list[str] = []
        self.done = asyncio.Event()

    async def __call__(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            transport = SipTransport(call)
            assert transport.get_client_id(call) == call.id
            pipeline = Pipeline([transport.input(), self.brain, transport.output()])
            params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
            self.worker = PipelineWorker(pipeline, params=params, cancel_on_idle_timeout=False)
            transport.add_event_handler("on_client_connected", self._connected)
            transport.add_event_handler("on_client_disconnected", self._disconnected)
            runner = WorkerRunner(handle_sigint=False)
            await runner.add_workers(self.worker)
            await runner.run()
        self.done.set()

    async def _connected(self, transport: SipTransport, call: Call) -> None:
        self.events.append("connected")

    async def _disconnected(self, transport: SipTransport, call: Call) -> None:
        self.events.append("disconnected")
        await self.worker.cancel()


@contextlib.asynccontextmanager
async def called() -> AsyncIterator[tuple[Bot, Call, Ear]]:
    world, bot, ear = World(Link(delay=0.02), audio=True), Bot(), Ear()
    async with world.user_agent("alice") as alice, world.user_agent("bot") as agent, agent.serving(bot):
        async with alice.call("sip:bot@bot.test") as call, call.recording(ear):
            await bot.brain.started.wait()
            await asyncio.sleep(0.2)
            yield bot, call, ear
        await bot.done.wait()
    assert world.leftovers == []


def seconds_of(ear: Ear, frequency: float) -> float:
    return sum(0.02 for pcm in ear.frames if loudness(pcm) > 500 and purity(pcm, frequency) > 0.8)


async def test_what_is_heard_enters_the_pipeline_at_its_rate() -> None:
    async with called() as (bot, call, _):
        await call.play(sine(500.0, 1.0))
        await asyncio.sleep(0.2)
    assert bot.events == ["connected", "disconnected"]
    assert len(bot.brain.heard) / 2 / RATE == pytest.approx(1.4, abs=0.1)
    assert purity(bytes(bot.brain.heard[RATE : 2 * RATE]), 500.0, RATE) > 0.99


async def test_what_the_pipeline_says_is_heard_and_end_hangs_up_behind_it() -> None:
    async with called() as (bot, call, ear):
        await bot.brain.say(TONE * 2)
        await bot.worker.queue_frame(EndFrame())
        assert (await call.ended()).by == "remote"
        assert seconds_of(ear, 1000.0) == pytest.approx(2.0, abs=0.1)
    assert bot.events == ["connected"]


async def test_an_interruption_cuts_what_is_not_said() -> None:
    async with called() as (bot, call, ear):
        await bot.brain.say(TONE * 10)
        await asyncio.sleep(1)
        said = seconds_of(ear, 1000.0)
        await bot.brain.push_frame(InterruptionFrame())
        await asyncio.sleep(2)
        assert 0.8 < said < 1.1
        assert seconds_of(ear, 1000.0) - said < 0.2
        await call.hang_up()


async def test_a_pipeline_that_is_cancelled_hangs_up() -> None:
    async with called() as (bot, call, _):
        await bot.worker.cancel()
        assert (await call.ended()).by == "remote"


async def test_the_other_side_hangs_up_while_the_pipeline_speaks() -> None:
    async with called() as (bot, call, _):
        await bot.brain.say(TONE * 10)
        await asyncio.sleep(0.5)
        await call.hang_up()
    assert bot.events == ["connected", "disconnected"]
