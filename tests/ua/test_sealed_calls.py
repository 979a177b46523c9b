"""Calls whose state the peer keeps (``UserAgent(sessions=Sealed(...))``)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation
from sipstack.core.trace import TracedMessage
from sipstack.store.sealed import Sealed
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time
KEYS = [bytes(range(32))]


def contacts(trace: list[TracedMessage], beginning: bytes) -> list[bytes]:
    """The Contact fields of what begins so and was sent."""
    sent = [bytes(each.data) for each in trace if each.sent and each.data.startswith(beginning)]
    return [line for data in sent for line in data.split(b"\r\n") if line.startswith(b"Contact:")]


async def test_a_call_that_we_answer_is_in_our_contact(world: World) -> None:
    trace: list[TracedMessage] = []
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=Sealed(KEYS), trace=trace.append) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        (accepted,) = contacts(trace, b"SIP/2.0 200 OK\r\n")
        assert 200 < len(accepted) < 530
        assert b"bob@" not in accepted
        await asyncio.sleep(5)
        assert contacts(trace, b"UPDATE ") == []  # all has been told


async def test_a_call_that_we_place_is_told_to_the_peer_which_refreshes(world: World) -> None:
    trace: list[TracedMessage] = []
    async with (
        world.user_agent("alice", sessions=Sealed(KEYS), trace=trace.append) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test") as call,
    ):
        (begun,), none = contacts(trace, b"INVITE "), contacts(trace, b"UPDATE ")
        assert (len(begun) < 100, none) == (True, [])
        await asyncio.sleep(1)
        (told,) = contacts(trace, b"UPDATE ")
        assert 200 < len(told) < 530
        update = next(each for each in trace if each.data.startswith(b"UPDATE "))
        assert b"refresher=uas" in update.data
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.ended(), 3600)
        assert len(contacts(trace, b"UPDATE ")) == 1


async def test_a_call_that_we_answer_needs_no_second_telling(world: World) -> None:
    """Our 2xx has all: what the application noted before it answered, too."""
    trace: list[TracedMessage] = []

    async def noted(invitation: Invitation) -> None:
        invitation.data["ticket"] = "42"
        async with invitation.accept() as call:
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=(sealed := Sealed(KEYS)), trace=trace.append) as bob,
        bob.serving(noted),
        alice.call("sip:bob@bob.test") as call,
    ):
        await asyncio.sleep(10)
        (accepted,) = contacts(trace, b"SIP/2.0 200 OK\r\n")
        assert contacts(trace, b"UPDATE ") + contacts(trace, b"INVITE ") == []
        dialog = call._session.dialog
        user = accepted.partition(b"sip:")[2].partition(b"@")[0].decode()
        opened = sealed.open(user, (dialog.call_id, dialog.remote_tag, dialog.local_tag))
        assert opened is not None
        assert isinstance(opened.values, dict)
        assert opened.values["application"]["data"] == '{"ticket":"42"}'
