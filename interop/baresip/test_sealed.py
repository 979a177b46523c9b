"""Sealed sessions with baresip: the user part of our Contact comes back as it was."""

from __future__ import annotations

import asyncio

import pytest

from interop.baresip.conftest import Start
from interop.kamailio.traces import requests
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import TracedMessage, UserAgent


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_bye_comes_to_the_contact_that_we_told_last(baresip: Start, length: int) -> None:
    phone = baresip(("g711",), "")
    trace: list[TracedMessage] = []
    async with (
        UserAgent(
            "sip:alice@127.0.0.1", listen="udp:127.0.0.1:0", sessions=Letters(length), trace=trace.append
        ) as ua,
        ua.call(phone.uri("udp")) as call,
    ):
        await asyncio.sleep(1)
        await phone.tell("hangup")
        assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)
    assert requests(trace, "UPDATE", sent=True) == []  # which it does not know
    assert len({each.cseq for each in requests(trace, "INVITE", sent=True)}) == 2
