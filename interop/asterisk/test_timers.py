"""Session timers (RFC 4028) with Asterisk: who refreshes, 422 both ways, and calls of five refreshes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import answering, next_call
from interop.asterisk.server import Asterisk
from interop.kamailio.traces import requests, responses
from sipstack import Call, CallRejected, Request, Response, SessionTimer, TracedMessage

TEST_TIMEOUT = 300.0  # seconds
SHORT = SessionTimer(90)  # the shortest there may be: a refresh each 45 s
REFRESHES = 5
LONG = (REFRESHES + 0.5) * 45.0


def expires(messages: Sequence[Request | Response]) -> list[str | None]:
    return [each.headers.get("Session-Expires") for each in messages]


def refreshes(trace: list[TracedMessage], *, sent: bool) -> list[Request]:
    """The requests inside of the call that refresh it."""
    found = [*requests(trace, "UPDATE", sent=sent), *requests(trace, "INVITE", sent=sent)]
    return [each for each in found if each.to.tag is not None]


async def test_five_refreshes_by_each_side_in_each_direction(
    asterisk: Asterisk, agent: AgentFactory, sealed: bool
) -> None:
    """Four calls at the same time, each for more than four minutes: without its refreshes it would end
    after a minute or two.
    """

    async def stays_up(call: Call) -> None:
        await asyncio.sleep(LONG)
        assert call.duration >= LONG

    async def from_us(timer: SessionTimer, *, ours: bool) -> None:
        trace: list[TracedMessage] = []
        async with (
            agent("timed", trace=trace.append, session_timer=timer) as ua,
            ua.call(asterisk.uri("echo")) as call,
        ):
            await stays_up(call)
        by_us, by_asterisk = (len(refreshes(trace, sent=sent)) for sent in (True, False))
        told = 1 if sealed else 0
        assert (by_us - told, by_asterisk) == ((REFRESHES, 0) if ours else (0, REFRESHES))

    async def to_us(timer: SessionTimer) -> None:
        trace: list[TracedMessage] = []
        async with (
            agent("timed", trace=trace.append, session_timer=timer) as ua,
            answering(ua) as calls,
        ):
            await asterisk.originate("timed", "echo", ua.contact)
            await stays_up(await next_call(calls))
        asked = expires(requests(trace, "INVITE", sent=False))[0] or ""
        assert asked.startswith("90")
        by_us, by_asterisk = (len(refreshes(trace, sent=sent)) for sent in (True, False))
        assert {by_us, by_asterisk} == {0, REFRESHES}

    async with asyncio.TaskGroup() as calls:
        calls.create_task(from_us(SessionTimer(90, refresher="local"), ours=True))
        calls.create_task(from_us(SessionTimer(90, refresher="remote"), ours=False))
        calls.create_task(to_us(SessionTimer(refresher="local")))
        calls.create_task(to_us(SessionTimer(refresher="remote")))


async def test_asterisk_wants_a_longer_session(asterisk: Asterisk, agent: AgentFactory, sealed: bool) -> None:
    trace: list[TracedMessage] = []
    async with agent("slow", trace=trace.append, session_timer=SHORT) as ua, ua.call(asterisk.uri("echo")):
        pass
    assert [each.status for each in responses(trace, "INVITE") if each.status >= 200] == [422, 200]
    first, second = requests(trace, "INVITE", sent=True)
    wish = ";refresher=uas" if sealed else ""
    assert expires([first, second]) == [f"90{wish}", f"300{wish}"]
    assert second.headers.get("Min-SE") == "300"
    granted = expires(responses(trace, "INVITE"))[-1] or ""
    assert granted.startswith("300;refresher=")


async def test_we_want_a_longer_session(asterisk: Asterisk, agent: AgentFactory) -> None:
    trace: list[TracedMessage] = []
    timer = SessionTimer(1800, 300)
    async with agent("timed", trace=trace.append, session_timer=timer) as ua, answering(ua) as calls:
        await asterisk.originate("timed", "echo", ua.contact)
        await (await next_call(calls)).hang_up()
    asked = expires(requests(trace, "INVITE", sent=False))
    assert [(each or "").partition(";")[0] for each in asked] == ["90", "300"]


async def test_a_party_that_insists_does_not_call_one_without(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    async with agent("insisting", session_timer=None) as ua:
        with pytest.raises(CallRejected) as refused:
            async with ua.call(asterisk.uri("echo")):
                pass
        assert refused.value.status == 421


async def test_asterisk_without_timers_is_called_all_the_same(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    trace: list[TracedMessage] = []
    async with agent("untimed", trace=trace.append) as ua, ua.call(asterisk.uri("echo")) as call:
        assert call.response is not None
        assert call.response.headers.get("Session-Expires") is None


async def test_asterisk_without_timers_cannot_call_who_insists(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    trace: list[TracedMessage] = []
    timer = SessionTimer(required=True)
    async with agent("untimed", trace=trace.append, session_timer=timer) as ua, answering(ua) as calls:
        await asterisk.originate("untimed", "echo", ua.contact)
        await asterisk.idle()
        assert calls.empty()
    assert any(each.data.startswith(b"SIP/2.0 421 ") for each in trace)
