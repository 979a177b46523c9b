"""What happens in a call, whoever began it: play, record, echo, and hang up in the end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import attrs

import sipstack
from sipstack import errors
from sipstack.cli.report import Event
from sipstack.cli.session import Session, unwritable


@attrs.frozen
class Plan:
    """What to do in a call, and for how many seconds.

    Without a ``duration`` the call ends with the file that is played, or when the peer hangs up.
    """

    play: Path | None = None
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
        async with call:
            with session.report.waiting(f"in a call with {call.remote}"):
                await _carry_out(call, plan)
    finally:
        ended = await call.ended()
        session.report(end_of(call, ended))
    return ended


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
    async with contextlib.AsyncExitStack() as stack:
        if plan.record is not None:
            await stack.enter_async_context(call.recording(plan.record))
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
