"""A call as the transport of a Pipecat pipeline (``pip install pipecat-ai``; tested with 1.14).

    async def bot(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            transport = SipTransport(call)
            pipeline = Pipeline([transport.input(), stt, llm, tts, transport.output()])
            worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=16000))

            @transport.event_handler("on_client_disconnected")
            async def gone(transport: SipTransport, call: Call) -> None:
                await worker.cancel()

            runner = WorkerRunner(handle_sigint=False)
            await runner.add_workers(worker)
            await runner.run()

What is heard becomes InputAudioRawFrame, at the pipeline's sample rate; audio of the pipeline is said in its
time; InterruptionFrame drops what is not said yet. EndFrame hangs up when all is said, CancelFrame at once.
The event ``on_client_connected`` comes when audio begins, ``on_client_disconnected`` when the other side has
hung up.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sipstack import Call, CallEnded, Frame, MediaError

try:
    from pipecat.frames.frames import (
        CancelFrame,
        EndFrame,
        InputAudioRawFrame,
        InterruptionFrame,
        OutputAudioRawFrame,
        StartFrame,
    )
    from pipecat.frames.frames import Frame as PipelineFrame
    from pipecat.processors.frame_processor import FrameDirection
    from pipecat.transports.base_input import BaseInputTransport
    from pipecat.transports.base_output import BaseOutputTransport
    from pipecat.transports.base_transport import BaseTransport, TransportParams
except ImportError as error:
    raise MediaError("a transport for Pipecat needs its package: pip install pipecat-ai") from error

TAIL = 0.16
"""Seconds from the last audio to the BYE: what waits to be sent, and is not played yet on the other side."""


class SipTransport(BaseTransport):
    """The transport of one call, which is answered."""

    def __init__(self, call: Call, params: TransportParams | None = None) -> None:
        super().__init__()
        self._call = call
        self._input = SipInput(self, call, params or _telephone())
        self._output = SipOutput(call, params or _telephone())
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_client_disconnected")

    def input(self) -> SipInput:
        """Where what is heard enters the pipeline."""
        return self._input

    def output(self) -> SipOutput:
        """Where what is to be said leaves it."""
        return self._output

    def get_client_id(self, client: Any) -> str:
        """The Call-ID."""
        return self._call.id

    async def tell(self, event: str) -> None:
        """Call the handlers of an event."""
        await self._call_event_handler(event, self._call)


class SipInput(BaseInputTransport):
    """The other side's audio."""

    def __init__(self, transport: SipTransport, call: Call, params: TransportParams) -> None:
        super().__init__(params)
        self._transport = transport
        self._call = call
        self._listening: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        if self._listening is None:
            self._listening = self.create_task(self._listen())

    async def stop(self, frame: EndFrame) -> None:
        await self._end()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._end()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        await self._end()
        await super().cleanup()

    async def _listen(self) -> None:
        await self._transport.tell("on_client_connected")
        async for frame in self._call.audio.frames(sample_rate=self.sample_rate):
            await self.push_audio_frame(InputAudioRawFrame(frame.pcm, frame.sample_rate, 1))
        await self._transport.tell("on_client_disconnected")

    async def _end(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None and listening is not asyncio.current_task():
            await self.cancel_task(listening)


class SipOutput(BaseOutputTransport):
    """Our audio, said in its time: writing waits while 60 ms are yet to be said."""

    def __init__(self, call: Call, params: TransportParams) -> None:
        super().__init__(params)
        self._call = call

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def stop(self, frame: EndFrame) -> None:
        await super().stop(frame)
        await asyncio.sleep(TAIL)
        await self._call.hang_up()

    async def cancel(self, frame: CancelFrame) -> None:
        await super().cancel(frame)
        await self._call.hang_up()

    async def process_frame(self, frame: PipelineFrame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._call.audio.clear()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Say it; False once the call is over."""
        try:
            await self._call.audio.send(Frame(frame.audio, frame.sample_rate))
        except CallEnded:
            return False
        return True


def _telephone() -> TransportParams:
    """Audio both ways, without two seconds of silence before the BYE."""
    return TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0)
