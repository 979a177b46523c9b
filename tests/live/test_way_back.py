"""Where the requests of the other side reach us, on the loopback interface."""

from __future__ import annotations

import asyncio

from sipstack import Call, Invitation, TracedMessage, UserAgent


async def test_a_call_that_went_over_tcp_for_its_size_tells_where_we_listen() -> None:
    """Alice listens for datagrams alone, and so she is reached when the connection is gone."""
    trace: list[TracedMessage] = []
    calls: asyncio.Queue[Call] = asyncio.Queue()

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            calls.put_nowait(call)
            await call.ended()

    bob = UserAgent("sip:bob@127.0.0.1", listen="udp:127.0.0.1:0")
    async with bob:
        port = bob.contact.rpartition(":")[2]
    bob = UserAgent("sip:bob@127.0.0.1", listen=[f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"])
    alice = UserAgent("sip:alice@127.0.0.1", listen="udp:127.0.0.1:0", tcp_above=1, trace=trace.append)
    async with bob, bob.serving(answer), alice, alice.call(f"sip:bob@127.0.0.1:{port}") as call:
        theirs = await calls.get()
        await call.hold()
        await theirs.hang_up()
        assert (await call.ended()).by == "remote"
    sent = [each.data for each in trace if each.sent and each.data.startswith(b"INVITE ")]
    assert [b"SIP/2.0/TCP" in data and b";transport=tcp>" not in data for data in sent] == [True, True]
