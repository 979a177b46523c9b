"""Sealed sessions with linphone: the user part of our Contact comes back as it was."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import answering, next_call
from interop.linphone.conftest import Start
from interop.linphone.phone import own_address
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import AudioSession, TracedMessage, UserAgent


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


async def test_of_a_call_that_we_placed_it_takes_the_contact_of_a_reinvite_and_not_that_of_an_update(
    linphone: Start,
) -> None:
    """Another node can answer its BYE in any case; all the rest only after a re-INVITE of ours."""
    phone, trace = linphone("first"), list[TracedMessage]()
    async with agent(256, trace) as ua, ua.call(phone.uri) as call:
        await asyncio.sleep(1)
        await call.hold()
        await call.resume()
        phone.tell("terminate")
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, 256, "INVITE")
