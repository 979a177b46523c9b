"""Kamailio redirects our calls (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

import pytest

from interop.asterisk.listening import answering, next_call
from interop.kamailio.agents import TRANSPORTS, AgentFactory, uri
from interop.kamailio.traces import requests, responses
from sipstack import CallRejected, TracedMessage


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_call_goes_on_to_the_best_who_is_there(agent: AgentFactory, transport: str) -> None:
    trace: list[TracedMessage] = []
    async with (
        agent("alice", transport, trace=trace.append) as alice,
        agent("bob", transport) as bob,
        bob.register(),
        answering(bob) as calls,
        alice.call(uri("moved-bob"), redirects=5) as call,
    ):
        theirs = await next_call(calls)
        assert call.id == theirs.id
        await call.hold()
        await call.resume()
    final = [each.status for each in responses(trace, "INVITE") if each.status >= 200 and each.status != 407]
    assert final == [302, 404, 200, 200, 200]  # and two re-INVITEs
    invites = [each for each in requests(trace, "INVITE", sent=True) if each.to.tag is None]
    called = dict.fromkeys(str(each.uri).partition("@")[0] for each in invites)  # each is challenged
    assert list(called) == ["sip:moved-bob", "sip:nobody", "sip:bob"]
    assert len({(each.call_id, each.headers.get("From"), each.headers.get("To")) for each in invites}) == 1


async def test_when_nobody_is_there_the_last_refusal_is_told(agent: AgentFactory) -> None:
    async with agent("alice") as alice:
        with pytest.raises(CallRejected) as refused:
            async with alice.call(uri("moved-carol"), redirects=2):
                pass
    assert refused.value.status == 404


async def test_without_a_wish_the_contacts_are_told(agent: AgentFactory) -> None:
    async with agent("alice") as alice:
        with pytest.raises(CallRejected) as refused:
            async with alice.call(uri("moved-bob")):
                pass
    assert refused.value.status == 302
    named = [str(each.uri) for each in refused.value.response.contacts]
    assert [each.partition("@")[0] for each in named] == ["sip:bob", "sip:nobody", "mailto:bob", "sip:other"]
