"""What happens in a call, whoever began it: play, record, echo, and hang up in the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import attrs

import sipstack
from sipstack import errors
from sipstack.cli.report import Event
from sipstack.cli.session import Session, unwritable

MOMENT = 0.1  # seconds for the end of a call to arrive, once it is hung up
PATROL = 0.2  # seconds between looks at a recording, which fails in silence


@attrs.frozen
class Plan:
    """What to do in a call, and for how many seconds.

    Without a ``duration`` the call ends with the file that is played, or when the peer hangs up.
    """

    play: Path | sipstack.AudioSource | None = None
    record: Path | None = None
    echo: bool = False
    duration: float | None = None


def check_writable(path: Path | None) -> None:
    """Raise ``MediaError`` unless ``path`` can be written. Nothing is left behind."""
    if path is None:
        return
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise unwritable(path, error) from error
    if not existed:
        path.unlink()


async def converse(session: Session, call: sipstack.Call, plan: Plan) -> errors.CallEnded:
    """Carry ``plan`` out, hang up, and report how the call ended. Whatever happens, the peer gets its BYE."""
    try:
        with session.report.waiting("in a call"):
            await _carry_out(call, plan)
    finally:
        ended = await _hang_up(call)
        session.report(end_of(call, ended))
    return ended


async def _hang_up(call: sipstack.Call) -> errors.CallEnded:
    """End the call. A peer that does not answer our BYE is left behind."""
    await call.hang_up()
    try:
        async with asyncio.timeout(MOMENT):
            return await call.ended()
    except TimeoutError:
        return errors.CallEnded("local", "no answer to our BYE")


def answer_of(call: sipstack.Call, seconds: float | None) -> Event:
    """The event that a call was answered, ``seconds`` after it began."""
    return Event(
        "answered",
        call_id=call.id,
        local=str(call.local),
        remote=str(call.remote),
        duration=seconds,
        codec=call.codec,
    )


def end_of(call: sipstack.Call, ended: errors.CallEnded) -> Event:
    """The event that a call is over, with the figures of its media."""
    figures = call.statistics
    return Event(
        "ended",
        call_id=call.id,
        local=str(call.local),
        remote=str(call.remote),
        reason=ended.reason or None,
        by=ended.by,
        duration=round(call.duration, 3),
        codec=call.codec,
        packets_sent=figures.packets_sent,
        packets_received=figures.packets_received,
        packets_lost=figures.packets_lost,
        jitter_ms=round(figures.jitter * 1000, 3),
    )


async def _carry_out(call: sipstack.Call, plan: Plan) -> None:
    if plan.record is None:
        await _talk(call, plan)
        return
    async with call.recording(plan.record):
        await _unless_recording_fails(call, _talk(call, plan))


async def _unless_recording_fails(call: sipstack.Call, doing: Coroutine[Any, Any, None]) -> None:
    """Wait for ``doing`` while the recording works; leaving the recording's block raises what went wrong."""
    task = asyncio.ensure_future(doing)
    try:
        while not task.done() and call.audio.error is None:
            await asyncio.wait([task], timeout=PATROL)
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _talk(call: sipstack.Call, plan: Plan) -> None:
    with contextlib.suppress(errors.CallEnded):
        try:
            async with asyncio.timeout(plan.duration) as limit:
                await _sound(call, plan)
        except TimeoutError:
            if not limit.expired():
                raise


async def _sound(call: sipstack.Call, plan: Plan) -> None:
    if plan.echo:
        await echo(call)
    if plan.play is not None:
        await call.play(plan.play)
        if plan.duration is None:
            return
    await call.ended()


async def echo(call: sipstack.Call) -> None:
    """Send back what is heard, until the call is over."""
    async for frame in call.audio:
        await call.audio.send(frame)
