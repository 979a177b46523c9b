"""Sealed sessions with Asterisk: the user part of our Contact comes back as it was."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import answering, next_call
from interop.asterisk.server import Asterisk
from interop.kamailio.traces import requests
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import TracedMessage, UserAgent
from sipstack.store.sealed import Sealed


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_bye_comes_to_the_contact_that_we_told_last(
    asterisk: Asterisk, agent: AgentFactory, length: int
) -> None:
    trace: list[TracedMessage] = []
    async with (
        UserAgent(
            "sip:open@127.0.0.1",
            listen=f"udp:{asterisk.host}:0",
            sessions=Letters(length),
            trace=trace.append,
        ) as ua,
        ua.call(asterisk.uri("bye-16")) as call,
    ):
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)


async def test_a_real_seal_is_told_by_update_and_comes_back(asterisk: Asterisk, agent: AgentFactory) -> None:
    trace: list[TracedMessage] = []
    sealed = Sealed([bytes(32)])
    listen = f"udp:{asterisk.host}:0"
    async with (
        UserAgent("sip:open@127.0.0.1", listen=listen, sessions=sealed, trace=trace.append) as ua,
        ua.call(asterisk.uri("bye-16")) as call,
    ):
        await asyncio.wait_for(call.ended(), 10)
    bye = next(each.data for each in trace if not each.sent and each.data.startswith(b"BYE "))
    assert 150 < len(bye.partition(b"@")[0]) < 400
    assert any(each.sent and each.data.startswith(b"UPDATE ") for each in trace)
    assert len({each.cseq for each in requests(trace, "INVITE", sent=True)}) == 1


@pytest.mark.parametrize("length", LENGTHS)
async def test_of_a_call_that_we_answered_a_bye_comes_to_the_contact_of_our_200(
    asterisk: Asterisk, agent: AgentFactory, length: int
) -> None:
    trace: list[TracedMessage] = []
    aor, listen = "sip:open@127.0.0.1", f"udp:{asterisk.host}:0"
    async with (
        UserAgent(aor, listen=listen, tcp_above=None, sessions=Letters(length), trace=trace.append) as ua,
        answering(ua) as calls,
    ):
        await asterisk.originate("open", "milliwatt", ua.contact)
        call = await next_call(calls)
        await asyncio.sleep(0.5)
        await asterisk.cli("channel request hangup all")
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)
