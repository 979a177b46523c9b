"""Sealed sessions with linphone: the user part of our Contact comes back as it was."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import answering, next_call
from interop.kamailio.traces import messages
from interop.linphone.conftest import Start
from interop.linphone.phone import own_address
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import AudioSession, Request, TracedMessage, UserAgent


def agent(length: int, trace: list[TracedMessage]) -> UserAgent:
    host = own_address()
    return UserAgent(
        f"sip:alice@{host}",
        listen=f"udp:{host}:5060",
        sessions=Letters(length),
        trace=trace.append,
        media=lambda host: AudioSession(host, security="none"),
    )


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_bye_of_a_call_that_we_answered_comes_to_our_contact(linphone: Start, length: int) -> None:
    phone, trace = linphone("first"), list[TracedMessage]()
    async with agent(length, trace) as ua, answering(ua) as calls:
        phone.tell(f"call {ua.contact}")
        call = await next_call(calls)
        await asyncio.sleep(1)
        phone.tell("terminate")
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_call_that_we_placed_is_told_by_a_reinvite(linphone: Start, length: int) -> None:
    """Its 200 to our UPDATE has no Contact, and it takes none from it (unlike RFC 3311 §5.1)."""
    phone, trace = linphone("first"), list[TracedMessage]()
    async with agent(length, trace) as ua, ua.call(phone.uri) as call:
        await asyncio.sleep(2)
        phone.tell("terminate")
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length, "INVITE")
    told = {
        each.cseq.number: each.method
        for each in messages(trace, sent=True)
        if isinstance(each, Request) and "Contact" in each.headers
    }
    assert list(told.values()) == ["INVITE", "UPDATE", "INVITE"]
