"""Sealed sessions through Kamailio: the user part of our Contact comes back as it was."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import answering, next_call
from interop.kamailio.agents import AgentFactory, uri
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import TracedMessage


@pytest.mark.parametrize("transport", ["udp", "tls"])
@pytest.mark.parametrize("length", [length for length in LENGTHS if length <= 1000])
async def test_a_bye_comes_to_the_contact_that_we_told_last(
    agent: AgentFactory, transport: str, length: int
) -> None:
    trace: list[TracedMessage] = []
    async with (
        agent("bob", transport) as bob,
        bob.register(),
        answering(bob) as calls,
        agent("alice", transport, trace=trace.append, sessions=Letters(length)) as alice,
        alice.call(uri("bob")) as call,
    ):
        theirs = await next_call(calls)
        await asyncio.sleep(1)
        await theirs.hang_up()
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)
