"""A proxy that asks for credentials within the call as well (RFC 3261 §22.3)."""

from __future__ import annotations

import pytest

from interop.asterisk.listening import answering, eventually, next_call
from interop.kamailio.agents import AgentFactory, uri
from interop.kamailio.traces import requests, responses
from sipstack import TracedMessage


@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_a_re_invite_a_digit_and_a_bye_answer_its_challenges(
    agent: AgentFactory, transport: str
) -> None:
    trace: list[TracedMessage] = []
    async with agent("bob", transport) as bob, bob.register(), answering(bob) as calls:
        async with agent("asked", transport, trace=trace.append) as asked, asked.call(uri("bob")) as call:
            other = await next_call(calls)
            await call.hold()
            await eventually(lambda: other.remote_held)
            await call.resume()
            await call.dtmf.send("5", way="info")
            await call.hang_up()
            assert (await other.ended()).by == "remote"
    statuses = {
        method: [each.status for each in responses(trace, method) if each.status >= 200]
        for method in ("INVITE", "INFO", "BYE")
    }
    # what it has taken at a Request-URI it is given there unasked from then on
    assert statuses["INVITE"][:4] == [407, 200, 407, 200]
    assert statuses["INVITE"][-1] == 200
    assert statuses["BYE"][-1] == 200
    assert statuses["INFO"][-1] == 200
    for method in ("INVITE", "INFO", "BYE"):
        last = requests(trace, method, sent=True)[-1]
        assert "Proxy-Authorization" in last.headers
