"""A call that an agent has: audio both ways, its commands obeyed, what happens told to it.

async with conversation(agent_at("ws://127.0.0.1:8765"), 16000) as talk:
    async with invitation.accept() as call:
        await talk(call)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from sipstack import Call, CallEnded, MediaError, RequestFailed, SipError, TransportError
from sipstack.agents.channel import Agent, Channel, connect
from sipstack.agents.speech import Speech
from sipstack.agents.wire import (
    AHEAD,
    Clear,
    Command,
    CommandError,
    HangUp,
    SendDigits,
    Transfer,
    command,
    event,
)
from sipstack.until_first import until_first

STUCK = 10.0
"""Seconds that an agent may read nothing."""
TAIL = 0.1
"""Seconds from the last packet to the BYE: the other side has not played it yet."""
LAST_WORDS = 1.0
"""Seconds that ``end`` may take to be sent, or to be known."""


@contextlib.asynccontextmanager
async def conversation(agent: Agent, sample_rate: int = 16000) -> AsyncIterator[Conversation]:
    """A connection to the agent, for one call that is not answered yet. Raises TransportError when the agent
    is not there.
    """
    channel = await connect(agent)
    talk = Conversation(channel, sample_rate)
    try:
        yield talk
    finally:
        await talk.close()


class Conversation:
    """An agent in one call: ``await talk(call)``."""

    def __init__(self, channel: Channel, sample_rate: int) -> None:
        self._channel = channel
        self._rate = sample_rate
        self._one_sends = asyncio.Lock()
        self._speech = Speech(sample_rate, AHEAD)
        self._call: Call | None = None
        self._hung_up = False
        self._target: str | None = None  # whom the call is being transferred to
        self._wanted = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        """Let the agent talk until it hangs up or the call ends; hanging up is left to the caller.

        Raises TransportError when the agent dies, ParseError when it sends what is no message.
        """
        self._call = call
        await self._tell("start", call=call.id, from_=str(call.remote), to=str(call.local), rate=self._rate)
        with contextlib.suppress(CallEnded):
            async with call.playing(self._speech):
                await until_first(
                    self._hear(call), self._hear_digits(call), self._obey(call), self._transfer(call)
                )

    async def close(self) -> None:
        """Tell the agent how the call ended, and let it go."""
        try:
            if self._call is not None:
                with contextlib.suppress(SipError, TimeoutError):
                    async with asyncio.timeout(LAST_WORDS):
                        ended = await self._call.ended()
                        by = "agent" if self._hung_up and ended.by == "local" else ended.by
                        await self._tell("end", by=by, reason=ended.reason)
        finally:
            await self._channel.close()

    async def _hear(self, call: Call) -> None:
        async for frame in call.audio.frames(sample_rate=self._rate):
            await self._send(self._channel.send_audio(frame.pcm))

    async def _hear_digits(self, call: Call) -> None:
        async for digit in call.dtmf:
            await self._tell("digit", digit=digit)

    async def _obey(self, call: Call) -> None:
        """Take what the agent sends, until it hangs up."""
        while not self._hung_up:
            message = await self._channel.receive()
            if message is None:
                raise TransportError("the agent has closed the connection")
            try:
                if isinstance(message, bytes):
                    await self._speech.put(message)
                else:
                    await self._carry_out(call, command(message))
            except CommandError as error:
                await self._tell("error", command=error.command, reason=str(error))
            except MediaError as error:
                await self._tell("error", command=None, reason=str(error))

    async def _carry_out(self, call: Call, wanted: Command) -> None:
        match wanted:
            case HangUp():
                with contextlib.suppress(TimeoutError):  # the other side may hold us
                    async with asyncio.timeout(self._speech.unsaid + STUCK):
                        await self._speech.said()
                await asyncio.sleep(TAIL)
                self._hung_up = True
            case Clear():
                await self._tell("cleared", unsaid=round(self._speech.clear(), 3))
            case SendDigits(digits):
                try:
                    await call.dtmf.send(digits)
                except (MediaError, RequestFailed) as error:
                    raise CommandError(str(error), "send_digits") from error
            case Transfer(target):
                if self._target is not None:
                    raise CommandError(f"the call is being transferred to {self._target}", "transfer")
                self._target = target
                self._wanted.set()

    async def _transfer(self, call: Call) -> None:
        """Transfer the call when that is asked for, while the agent goes on talking; until it has worked."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            assert self._target is not None
            try:
                await call.transfer(self._target)
            except CallEnded:
                raise
            except SipError as error:
                self._target = None
                await self._tell("error", command="transfer", reason=str(error))
            else:
                self._hung_up = True
                return

    async def _tell(self, name: str, **members: Any) -> None:
        await self._send(self._channel.send_control(event(name, **members)))

    async def _send(self, sending: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(STUCK), self._one_sends:
                await sending
        except TimeoutError:
            raise TransportError(f"the agent has read nothing for {STUCK:g} s") from None
        finally:
            sending.close()  # it has not begun when we could not wait for our turn
