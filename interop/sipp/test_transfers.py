"""Transfers with sipp: REFER that is refused, NOTIFY before the 202, Replaces of a call that is not there."""

from __future__ import annotations

import pytest

from interop.sipp.process import Launch
from sipstack import Invitation, TransferFailed, UserAgent

ANSWERED = ["< INVITE", "> 200 INVITE", "< ACK"]
HANGS_UP = ["< BYE", "> 200 BYE"]
NOTIFIES = ["> NOTIFY", "< 200 NOTIFY"]


async def test_a_refer_that_is_refused(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_refer_refused", "-nr") as callee:
        async with agent.call(callee.uri) as call:
            with pytest.raises(TransferFailed) as failed:
                await call.transfer("sip:carol@127.0.0.1:9")
        result = await callee.ended()
    assert (failed.value.status, failed.value.refused) == (603, True)
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "< REFER", "> 603 REFER", *HANGS_UP]


async def test_a_notify_before_the_202(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_refer_notify_first", "-nr") as callee:
        async with agent.call(callee.uri) as call:
            async with call.transferring("sip:carol@127.0.0.1:9") as transfer:
                assert [response.status async for response in transfer] == [180]
                assert (await transfer.completed()).status == 200
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "< REFER", *NOTIFIES, "> 202 REFER", *NOTIFIES, *HANGS_UP]


async def test_replaces_of_a_call_that_is_not_there(agent: UserAgent, target: str, sipp: Launch) -> None:
    async def answer(invitation: Invitation) -> None:
        pytest.fail("it came to the handler")

    async with agent.serving(answer):
        with sipp("uac_replaces_unknown", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 481 INVITE", "> ACK"]
