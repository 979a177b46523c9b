"""Place a call: wait for the answer, carry out a plan, hang up."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import attrs

import sipstack
from sipstack.cli.call_audio import check_handset
from sipstack.cli.call_plan import CallPlan, answered_event, carry_out, check_writable, prepared
from sipstack.cli.early_media import EarlyMedia
from sipstack.cli.identity import Identity
from sipstack.cli.report import Event, Reporting
from sipstack.cli.response_fields import telling_fields
from sipstack.cli.run import Run
from sipstack.cli.session_options import SessionOptions
from sipstack.cli.sessions import Sessions, going_on
from sipstack.cli.srtp import Security
from sipstack.cli.status import NoAnswer

NOTHING_MORE = SessionOptions()


@attrs.frozen
class PlaceCall:
    """One call to place."""

    identity: Identity
    target: str
    plan: CallPlan
    ring_timeout: float | None
    session: SessionOptions = NOTHING_MORE
    security: Security = Security()
    codecs: tuple[str, ...] = ()
    sessions: Sessions = Sessions()
    records: Path | None = None

    async def __call__(self, run: Run) -> None:
        await self.prepare(run)
        async with self.agent(run) as agent:
            await self.sessions.end_old(run, agent)
            if self.sessions.resumes and await self._resumed(run, agent):
                return
            await place_call(run, agent, self.target, self.plan, self.ring_timeout, self.session)

    async def prepare(self, run: Run) -> None:
        """Raise MediaError where the call could not do what it is to do: then nobody is called."""
        check_writable(self.plan.record)
        await check_handset(self.plan.audio)
        run.security, run.codecs, run.records = self.security, self.codecs, self.records

    def agent(self, run: Run) -> sipstack.UserAgent:
        """The user agent that calls."""
        resume = None if self.sessions.resumes else going_on(run, self.plan, self.sessions)
        kept = self.sessions.arguments(self.identity, resume)
        return run.agent(self.identity, **self.session.agent_arguments, **kept)

    async def _resumed(self, run: Run, agent: sipstack.UserAgent) -> bool:
        """Go on with the call to this target that an earlier run has placed, if there is one."""
        resume = going_on(run, self.plan, self.sessions)
        for kept in await agent.sessions():
            if str(kept.remote) == self.target:
                await resume(await agent.resume(kept))
                return True
        return False


async def place_call(
    run: Reporting,
    agent: sipstack.UserAgent,
    target: str,
    plan: CallPlan,
    ring_timeout: float | None = None,
    session: SessionOptions = NOTHING_MORE,
) -> None:
    """Call ``target`` and carry out ``plan``, whose partner is there before.

    Raises ``NoAnswer`` when nobody answers within ``ring_timeout`` seconds, and ``CallEnded`` when the call
    ended although neither side hung up.
    """
    calling = Event("calling", local=str(agent.aor), remote=target)
    clock = asyncio.get_running_loop().time
    began = clock()
    async with contextlib.AsyncExitStack() as stack:
        plan = await stack.enter_async_context(prepared(plan))
        try:
            outgoing = await stack.enter_async_context(agent.invite(target, headers=session.fields))
        except BaseException:
            run.report(calling)  # no way was found, and no INVITE sent
            raise
        run.call_id = outgoing.id
        run.report(attrs.evolve(calling, call_id=outgoing.id))
        early = None
        if session.early_media:
            early = await stack.enter_async_context(EarlyMedia(outgoing, plan).under_way())
        with run.report.waiting("ringing"):
            call = await _answered(run, outgoing, ring_timeout, early)
        run.report(answered_event(call, clock() - began))
        ended = await carry_out(run, call, plan if early is None else early.rest)
    if ended.by not in ("local", "remote"):
        raise ended


async def _answered(
    run: Reporting, outgoing: sipstack.OutgoingInvite, ring_timeout: float | None, early: EarlyMedia | None
) -> sipstack.Call:
    try:
        async with asyncio.timeout(ring_timeout) as limit:
            async for response in outgoing.provisionals():
                run.report(_progress(response))
                if early is not None:
                    await early.take(response)
            return await outgoing.answered()
    except TimeoutError:
        if limit.expired():
            raise NoAnswer(f"no answer in {ring_timeout:g} s") from None
        raise


def _progress(response: sipstack.Response) -> Event:
    return Event(
        "progress",
        call_id=response.call_id,
        status=response.status,
        reason=response.reason,
        headers=telling_fields(response),
    )
