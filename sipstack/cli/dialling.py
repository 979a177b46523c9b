"""Placing a call: ring, wait for the answer, carry a plan out, hang up."""

from __future__ import annotations

import asyncio

import sipstack
from sipstack.cli.conversation import Plan, answer_of, converse
from sipstack.cli.report import Event
from sipstack.cli.session import Session
from sipstack.cli.status import NoAnswer


async def dial(
    session: Session, agent: sipstack.UserAgent, target: str, plan: Plan, ring_timeout: float | None = None
) -> None:
    """Call ``target`` and carry ``plan`` out.

    Raises ``NoAnswer`` when nobody picks up in ``ring_timeout`` seconds, and ``CallEnded`` when neither side
    hung up and the call ended all the same.
    """
    session.report(Event("calling", local=str(agent.aor), remote=target))
    clock = asyncio.get_running_loop().time
    began = clock()
    async with agent.invite(target) as outgoing:
        with session.report.waiting("ringing"):
            call = await _answered(session, outgoing, ring_timeout)
        session.report(answer_of(call, round(clock() - began, 4)))
        ended = await converse(session, call, plan)
    if ended.by not in ("local", "remote"):
        raise ended


async def _answered(
    session: Session, outgoing: sipstack.OutgoingInvite, ring_timeout: float | None
) -> sipstack.Call:
    try:
        async with asyncio.timeout(ring_timeout) as limit:
            async for response in outgoing.provisionals():
                session.report(_progress(response))
            return await outgoing.answered()
    except TimeoutError:
        if limit.expired():
            raise NoAnswer(f"no answer in {ring_timeout:g} s") from None
        raise


def _progress(response: sipstack.Response) -> Event:
    return Event("progress", call_id=response.call_id, status=response.status, reason=response.reason)
