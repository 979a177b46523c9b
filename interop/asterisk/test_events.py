"""Waiting messages, hints, states of devices: SUBSCRIBE, NOTIFY, PUBLISH (RFC 6665, 3842, 4235, 3903)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT
from interop.asterisk.server import Asterisk
from sipstack import (
    EventPackage,
    MessageCount,
    Notification,
    PublicationRejected,
    Subscription,
    SubscriptionRejected,
    TracedMessage,
)

DEVICES = EventPackage(
    "asterisk-devicestate", "application/json", json.loads, lambda state: json.dumps(state).encode()
)
EID = "02:00:00:00:00:01"
"""Which server of a cluster we are."""


async def nxt(subscription: Any) -> Notification:
    notification: Notification = await asyncio.wait_for(anext(subscription), TIMEOUT)
    return notification


async def lamp_is(subscription: Subscription, *, busy: bool) -> Notification:
    """The first notification that says so: Asterisk may tell one state twice."""
    async with asyncio.timeout(TIMEOUT):
        async for notification in subscription:
            if notification.value.busy is busy:
                return notification
    raise AssertionError("the subscription has ended")


async def leave_messages(asterisk: Asterisk, agent: AgentFactory, new: int, old: int) -> None:
    async with agent() as caller, caller.call(asterisk.uri(f"mwi-{new}-{old}")) as call:
        await asyncio.wait_for(call.ended(), TIMEOUT)


async def test_waiting_messages(asterisk: Asterisk, agent: AgentFactory) -> None:
    await leave_messages(asterisk, agent, 0, 0)
    async with agent("lamps") as ua, ua.register():
        async with ua.subscribe(asterisk.uri("lamps"), "message-summary", expires=120) as mailbox:
            assert (await nxt(mailbox)).value.waiting is False
            await leave_messages(asterisk, agent, 2, 1)
            summary = (await nxt(mailbox)).value
            assert (summary.waiting, summary.voice) == (True, MessageCount(2, 1))
        assert mailbox.latest is not None
        assert mailbox.latest.state == "terminated"


async def test_waiting_messages_without_a_subscription(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("told") as ua, ua.notifications() as told, ua.register():
        await leave_messages(asterisk, agent, 3, 0)
        async with asyncio.timeout(TIMEOUT):
            async for notification in told:
                if notification.value.voice.new == 3:
                    break
        assert notification.value.waiting is True


async def test_a_lamp_by_its_dialogs(asterisk: Asterisk, agent: AgentFactory) -> None:
    await asterisk.cli("devstate change Custom:lamp NOT_INUSE")
    async with agent("lamps") as ua, ua.subscribe(asterisk.uri("lamp"), "dialog", expires=120) as lamp:
        assert (await nxt(lamp)).value.busy is False
        await asterisk.cli("devstate change Custom:lamp INUSE")
        confirmed = (await lamp_is(lamp, busy=True)).value
        assert [dialog.state for dialog in confirmed.dialogs] == ["confirmed"]
        await asterisk.cli("devstate change Custom:lamp RINGING")
        while not (ringing := (await nxt(lamp)).value).ringing:
            pass
        assert ringing.version > confirmed.version
        await asterisk.cli("devstate change Custom:lamp NOT_INUSE")
        await lamp_is(lamp, busy=False)


async def test_a_lamp_by_its_presence(asterisk: Asterisk, agent: AgentFactory) -> None:
    await asterisk.cli("devstate change Custom:lamp NOT_INUSE")
    async with agent("lamps") as ua, ua.subscribe(asterisk.uri("lamp"), "presence", expires=120) as lamp:
        first = (await nxt(lamp)).value
        assert (first.open, first.note) == (True, "Ready")
        await asterisk.cli("devstate change Custom:lamp INUSE")
        busy = (await nxt(lamp)).value
        assert "on-the-phone" in busy.activities
        assert busy.note == "On the phone"


async def test_refreshes(asterisk: Asterisk, agent: AgentFactory) -> None:
    sent: list[bytes] = []

    def trace(message: TracedMessage) -> None:
        if message.sent and message.data.startswith(b"SUBSCRIBE"):
            sent.append(message.data)

    async with agent("lamps", trace=trace) as ua:
        async with ua.subscribe(asterisk.uri("lamp"), "dialog", expires=6) as lamp:
            await asyncio.sleep(9)
            assert lamp.active
            await asterisk.cli("devstate change Custom:lamp BUSY")
            await lamp_is(lamp, busy=True)
    assert len(sent) > 5  # the first twice, for it is challenged; refreshes; the last


@pytest.mark.parametrize(("number", "event", "status"), [("nosuch", "dialog", 404), ("lamp", "moon", 489)])
async def test_what_it_refuses(
    asterisk: Asterisk, agent: AgentFactory, number: str, event: str, status: int
) -> None:
    async with agent("lamps") as ua:
        with pytest.raises(SubscriptionRejected) as refused:
            async with ua.subscribe(asterisk.uri(number), event):
                raise AssertionError
    assert refused.value.status == status


async def test_the_state_of_a_device_is_published_and_moves_the_lamp(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    def state(text: str) -> dict[str, object]:
        device = {"type": "devicestate", "device": "Custom:lamp", "state": text}
        return {**device, "cachable": 1, "eid": EID}

    await asterisk.cli("devstate change Custom:lamp NOT_INUSE")
    async with agent("lamps") as ua, ua.subscribe(asterisk.uri("lamp"), "dialog", expires=120) as lamp:
        await lamp_is(lamp, busy=False)
        async with ua.publish(asterisk.uri("devices"), DEVICES, state("INUSE"), expires=60) as publication:
            await lamp_is(lamp, busy=True)
            await publication.update(state("NOT_INUSE"))
            await lamp_is(lamp, busy=False)
            assert publication.active


async def test_a_publication_that_it_does_not_take(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("lamps") as ua:
        with pytest.raises(PublicationRejected):
            async with ua.publish(asterisk.uri("nosuch"), "moon", b"full"):
                raise AssertionError


async def test_it_is_not_asked_once(asterisk: Asterisk, agent: AgentFactory) -> None:
    """Asterisk takes no SUBSCRIBE for 0 s outside of a dialog (RFC 6665 §4.4.3 has it)."""
    async with agent("lamps") as ua:
        with pytest.raises(SubscriptionRejected, match="400"):
            await ua.poll(asterisk.uri("lamp"), "dialog")
