"""Subscriptions through the public API, both ends."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import (
    DialogInfo,
    DialogState,
    EventPackage,
    LocalProtocolError,
    MessageCount,
    MessageSummary,
    Notification,
    ParseError,
    Presence,
    PresenceTuple,
    Subscription,
    SubscriptionRejected,
    Watcher,
)
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

NEWS = MessageSummary(True, "sip:voicemail@bob.test", {"voice-message": MessageCount(2, 8, 0, 2)})
OLD = MessageSummary(False, "sip:voicemail@bob.test")


async def collect(subscription: Subscription, into: list[Notification]) -> None:
    async for notification in subscription:
        into.append(notification)


# --- both ends ---


async def test_a_lamp_follows_the_mailbox(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", NEWS) as mailbox:
            async with alice.subscribe("sip:bob@bob.test", "message-summary") as subscription:
                first = await anext(subscription)
                assert (first.value, first.state, subscription.active) == (NEWS, "active", True)
                mailbox.update(OLD)
                assert (await anext(subscription)).value == OLD
                assert [watcher.from_.uri_text for watcher in mailbox.watchers] == ["sip:alice@alice.test"]
            last = subscription.latest
            assert last is not None
            assert (last.state, last.reason, last.value) == ("terminated", "timeout", OLD)
            assert mailbox.watchers == []
        assert world.ladder() == ladder("""
            alice -> bob    SUBSCRIBE sip:bob@bob.test [1]
            bob -> alice    200 OK [1 SUBSCRIBE]
            bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
            alice -> bob    200 OK [1 NOTIFY]
            bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [2]
            alice -> bob    200 OK [2 NOTIFY]
            alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [2]
            bob -> alice    200 OK [2 SUBSCRIBE]
            bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [3]
            alice -> bob    200 OK [3 NOTIFY]
        """)
    assert world.leftovers == []
