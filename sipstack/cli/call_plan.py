"""The plan of a call, placed or answered: play, record, echo, hang up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs

import sipstack
from sipstack import errors
from sipstack.cli.actions import Actions
from sipstack.cli.call_audio import Device, Handset, connected
from sipstack.cli.holding import hold_beside
from sipstack.cli.report import Event, Reporting
from sipstack.cli.run import cannot_write
from sipstack.cli.transfer import report_transfer

END_TIMEOUT = 0.1  # seconds that we wait for the end of a call, after hanging up
CHECK_INTERVAL = 0.2  # seconds between checks of a recording, which does not raise when it fails


Talk = Callable[[sipstack.Call], Awaitable[None]]
Partner = Callable[[], AbstractAsyncContextManager[Talk]]


@attrs.frozen
class CallPlan:
    """The actions of a call, and its ``duration`` in seconds.

    Without a ``duration`` the call ends with the file that is played, unless there is ``audio``, or when the
    peer hangs up; one that is to be transferred is so as soon as the rest is done.
    """

    play: Path | sipstack.AudioSource | None = None
    record: Path | None = None
    echo: bool = False
    duration: float | None = None
    audio: Handset | None = None
    actions: Actions = Actions()
    partner: Partner | None = None
    """Who talks in our place, made ready before the call is placed or answered."""
    talk: Talk | None = None
    """The partner, once it is ready: the call ends when it returns."""
    begun: bool = False
    """The handset and the recording are there since before the answer."""
    played: Callable[[], Awaitable[None]] | None = None
    """Waits for the end of the file, where it plays since before the answer."""

    @property
    def transfers_at_once(self) -> bool:
        """Nothing but what is to be done first delays the transfer."""
        return self.actions.transfer is not None and self.duration is None


@contextlib.asynccontextmanager
async def prepared(plan: CallPlan) -> AsyncIterator[CallPlan]:
    """The plan with its partner ready, for one call. Raises what the partner raises."""
    if plan.partner is None:
        yield plan
        return
    async with plan.partner() as talk:
        yield attrs.evolve(plan, talk=talk)


def numbered(plan: CallPlan, number: int) -> CallPlan:
    """The plan of call ``number``: from the second call on, the number is part of the recording's name."""
    if plan.record is None or number == 1:
        return plan
    return attrs.evolve(plan, record=plan.record.with_stem(f"{plan.record.stem}-{number}"))


def check_writable(path: Path | None) -> None:
    """Raise ``MediaError`` unless ``path`` can be written. A file that was not there is not left there."""
    if path is None:
        return
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise cannot_write(path, error) from error
    if not existed:
        path.unlink()


async def carry_out(
    run: Reporting, call: sipstack.Call, plan: CallPlan, number: int | None = None
) -> errors.CallEnded:
    """Do what ``plan`` says, hang up, and report how the call ended. The peer gets a BYE in any case."""
    try:
        with run.report.waiting("in a call"):
            async with _digits_shown(run, call, plan, number):
                await _record_and_talk(run, call, plan, number)
        if plan.actions.transfer is not None:
            await _transfer(run, call, plan.actions.transfer)
    finally:
        ended = await _hang_up(call)
        run.report(ended_event(call, ended, number))
    return ended


@contextlib.asynccontextmanager
async def _digits_shown(
    run: Reporting, call: sipstack.Call, plan: CallPlan, number: int | None
) -> AsyncIterator[None]:
    """Report what the peer presses meanwhile, unless a partner takes it."""
    if plan.talk is not None:
        yield
        return
    task = asyncio.ensure_future(_show_digits(run, call, number))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _show_digits(run: Reporting, call: sipstack.Call, number: int | None) -> None:
    async for digit in call.dtmf:
        run.report(Event("digit", call_id=call.id, number=number, text=digit.value))


async def _transfer(run: Reporting, call: sipstack.Call, target: str) -> None:
    try:
        await report_transfer(run, str(call.local), call.transferring(target))
    except errors.CallEnded as ended:
        raise errors.CallEnded(ended.by, "before it was transferred") from ended


async def _hang_up(call: sipstack.Call) -> errors.CallEnded:
    """End the call. We do not wait longer for a peer that does not answer our BYE."""
    await call.hang_up()
    try:
        async with asyncio.timeout(END_TIMEOUT):
            return await call.ended()
    except TimeoutError:
        return errors.CallEnded("local", "no answer to our BYE")


def answered_event(call: sipstack.Call, seconds: float, number: int | None = None) -> Event:
    """The event ``answered``; ``seconds`` is the time since the INVITE."""
    return Event(
        "answered",
        call_id=call.id,
        number=number,
        local=str(call.local),
        remote=str(call.remote),
        answered_after=round(seconds, 4),
        codec=call.codec,
        security=call.security,
    )


def ended_event(call: sipstack.Call, ended: errors.CallEnded, number: int | None = None) -> Event:
    """The event ``ended``, with the statistics of the media."""
    statistics = call.statistics
    return Event(
        "ended",
        call_id=call.id,
        number=number,
        local=str(call.local),
        remote=str(call.remote),
        reason=ended.reason or None,
        by=ended.by,
        duration=round(call.duration, 3),
        codec=call.codec,
        packets_sent=statistics.packets_sent,
        packets_received=statistics.packets_received,
        packets_lost=statistics.packets_lost,
        jitter_ms=round(statistics.jitter * 1000, 3),
    )


async def _record_and_talk(run: Reporting, call: sipstack.Call, plan: CallPlan, number: int | None) -> None:
    with contextlib.suppress(errors.CallEnded):
        async with contextlib.AsyncExitStack() as stack:
            if not plan.begun:
                await stack.enter_async_context(connected(call, plan.audio))
                if plan.record is not None:
                    await stack.enter_async_context(call.recording(plan.record))
            if plan.record is None and not isinstance(plan.audio, Device):
                await _talk(run, call, plan, number)
            else:
                await _unless_recording_fails(call, _talk(run, call, plan, number))


async def _unless_recording_fails(call: sipstack.Call, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` until it ends or the recording fails. Leaving ``call.recording`` raises the failure."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done() and call.audio.error is None:
            await asyncio.wait([task], timeout=CHECK_INTERVAL)
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _talk(run: Reporting, call: sipstack.Call, plan: CallPlan, number: int | None) -> None:
    after = plan.actions.hold_after
    try:
        async with asyncio.timeout(plan.duration) as limit:
            if after is None:
                await _send_audio(call, plan)
            else:
                to_come = plan.transfers_at_once
                await hold_beside(run, call, after, _send_audio(call, plan), number, to_come=to_come)
    except TimeoutError:
        if not limit.expired():
            raise


async def _send_audio(call: sipstack.Call, plan: CallPlan) -> None:
    if plan.actions.dtmf:
        await call.dtmf.send(plan.actions.dtmf, way=plan.actions.dtmf_way)
    if plan.talk is not None:
        await plan.talk(call)
        return
    if plan.echo:
        await echo(call)
    if plan.play is not None:
        await (call.play(plan.play) if plan.played is None else plan.played())
        if plan.duration is None and plan.audio is None:
            return
    if not plan.transfers_at_once:
        await call.ended()


async def echo(call: sipstack.Call) -> None:
    """Send back what is heard, until the call is over."""
    async for frame in call.audio:
        await call.audio.send(frame)
