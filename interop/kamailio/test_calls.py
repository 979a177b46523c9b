"""Calls between two of ours through a Record-Routing proxy, over every transport and from one to another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interop.asterisk.listening import answering, eventually, hear_tone, next_call
from interop.asterisk.sound import tone, write_wav
from interop.kamailio.agents import PAIRS, TRANSPORTS, AgentFactory, uri
from interop.kamailio.traces import requests, responses, values
from sipstack import Call, CallRejected, Invitation, TracedMessage

pairs = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda each: each)


@asynccontextmanager
async def connected(
    agent: AgentFactory, ours: str, theirs: str, trace: list[TracedMessage]
) -> AsyncIterator[tuple[Call, Call]]:
    """Alice, who is traced, calls Bob; each is registered over a transport of its own."""
    async with (
        agent("alice", ours, trace=trace.append) as alice,
        alice.register(),
        agent("bob", theirs) as bob,
        bob.register(),
        answering(bob) as calls,
        alice.call(uri("bob")) as call,
    ):
        yield call, await next_call(calls)


@pairs
async def test_the_caller_holds_resumes_and_hangs_up(
    agent: AgentFactory, ours: str, theirs: str, tmp_path: Path
) -> None:
    trace: list[TracedMessage] = []
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))
    async with connected(agent, ours, theirs, trace) as (alice, bob):
        async with alice.playing(beep, loop=True):
            await hear_tone(bob.audio, 440)
        await alice.hold()
        await eventually(lambda: bob.remote_held)
        await alice.resume()
        await eventually(lambda: not bob.remote_held)
        await alice.hang_up()
        assert (await bob.ended()).by == "remote"
    answers = [each for each in responses(trace, "INVITE") if each.status > 199]
    assert [each.status for each in answers] == [407, 200, 200, 200]
    routes = values(answers[1], "Record-Route")
    # where the transport changes there are two; Kamailio takes wss: to wss: for such a change too
    assert len(routes) == (1 if ours == theirs != "wss" else 2)
    bye = requests(trace, "BYE", sent=True)[-1]
    assert len(values(bye, "Route")) == len(routes)


@pairs
async def test_the_callee_holds_resumes_and_hangs_up(agent: AgentFactory, ours: str, theirs: str) -> None:
    trace: list[TracedMessage] = []
    async with connected(agent, ours, theirs, trace) as (alice, bob):
        await bob.hold()
        await eventually(lambda: alice.remote_held)
        await bob.resume()
        await eventually(lambda: not alice.remote_held)
        await bob.hang_up()
        assert (await alice.ended()).by == "remote"
    assert len(requests(trace, "INVITE", sent=False)) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_all_phones_ring_and_the_first_to_answer_has_the_call(
    agent: AgentFactory, transport: str
) -> None:
    """The proxy forks; the others get a CANCEL (RFC 3261 §16.7)."""
    rings = asyncio.Event()
    cancelled: list[bool] = []

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        rings.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(invitation.cancelled)

    async def answer_later(invitation: Invitation) -> None:
        await rings.wait()
        async with invitation.accept() as call:
            await call.ended()

    async with (
        agent("alice", transport) as alice,
        agent("bob", transport) as desk,
        desk.register(),
        desk.serving(ring),
        agent("bob", transport) as mobile,
        mobile.register(),
        mobile.serving(answer_later),
    ):
        async with alice.call(uri("bob")) as call:
            await eventually(lambda: bool(cancelled))
            assert str(call.remote) == uri("bob")
    assert cancelled == [True]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_who_gives_up_cancels_all(agent: AgentFactory, transport: str) -> None:
    cancelled = asyncio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        try:
            await asyncio.sleep(60)
        finally:
            if invitation.cancelled:
                cancelled.set()

    async with (
        agent("alice", transport) as alice,
        agent("bob", transport) as bob,
        bob.register(),
        bob.serving(ring),
    ):
        async with alice.invite(uri("bob")) as outgoing:
            async for response in outgoing.provisionals():
                if response.status == 180:
                    await outgoing.cancel()
                    break
        async with asyncio.timeout(5):
            await cancelled.wait()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_callee_that_is_busy(agent: AgentFactory, transport: str) -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(486)

    async with (
        agent("alice", transport) as alice,
        agent("bob", transport) as bob,
        bob.register(),
        bob.serving(refuse),
    ):
        with pytest.raises(CallRejected) as refused:
            async with alice.call(uri("bob")):
                pytest.fail("answered")
    assert refused.value.status == 486
