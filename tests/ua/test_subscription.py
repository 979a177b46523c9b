"""A subscription that is lost, ended, or moves: what the application is told, and when we come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from sipstack import (
    AuthenticationFailed,
    Backoff,
    DialogInfo,
    DialogState,
    EventPackage,
    FlowClosed,
    MessageSummary,
    Notification,
    Subscription,
    SubscriptionRejected,
    TransactionTimeout,
    UserAgent,
)
from sipstack.message import Request
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.world import World
from sipstack.usage.packages.dialog import write_dialogs
from tests.ua.notifier import ScriptedNotifier
from tests.ua.test_moving import LOOK, NEW, sent, wild

pytestmark = pytest.mark.virtual_time

TARGET = "sip:moon@notifier.test"


async def heard_by(subscription: Subscription, into: list[Notification]) -> None:
    async for notification in subscription:
        into.append(notification)


# --- what ends it for good ---


@pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant", "NoResource"])
async def test_there_is_nothing_to_subscribe_to_any_more(world: World, reason: str) -> None:
    """§4.1.3: the client SHOULD NOT subscribe again"""
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon", retry=True) as subscription:
            notifier.notify(f"terminated;reason={reason}")
            heard = [notification async for notification in subscription]
            assert (heard[-1].state, heard[-1].reason) == ("terminated", reason)
            await asyncio.sleep(1000)
        assert (len(notifier.subscribes), subscription.error) == (1, None)
    assert world.leftovers == []


@pytest.mark.parametrize("status", [401, 407])
async def test_credentials_that_are_refused_are_not_tried_again(world: World, status: int) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        notifier.status = status
        with pytest.raises(AuthenticationFailed):
            async with alice.subscribe(TARGET, "moon", retry=True):
                raise AssertionError


async def test_a_first_subscribe_that_fails_is_raised_and_not_tried_again(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        notifier.status = 503
        with pytest.raises(SubscriptionRejected, match="503"):
            async with alice.subscribe(TARGET, "moon"):
                raise AssertionError
        await asyncio.sleep(1000)
        assert len(notifier.subscribes) == 1
    assert world.leftovers == []


async def test_no_notify_comes_and_the_iteration_raises(world: World) -> None:
    async def accept(request: object) -> None:
        await request.respond(200)  # type: ignore[attr-defined]

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"SUBSCRIBE": accept}):
            with pytest.raises(TransactionTimeout, match="no NOTIFY came"):
                await alice.poll("sip:bob@bob.test", "moon")
    assert world.leftovers == []


# --- when we come back ---


@pytest.mark.parametrize("reason", ["deactivated", "timeout"])
async def test_at_once(world: World, reason: str) -> None:
    """§4.1.3: the client SHOULD, or MAY, subscribe again immediately, in a new dialog"""
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon") as subscription:
            await asyncio.sleep(100)
            notifier.notify(f"terminated;reason={reason}")
            await asyncio.sleep(1.1)
            assert (len(set(notifier.calls)), subscription.active) == (2, True)
    assert world.leftovers == []


async def test_after_as_long_as_the_notifier_wants(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon"):
            await asyncio.sleep(100)
            notifier.notify("terminated;reason=probation;retry-after=500")
            await asyncio.sleep(499)
            assert len(notifier.subscribes) == 1
            await asyncio.sleep(10)
            assert len(notifier.subscribes) == 2


async def test_not_in_a_circle(world: World) -> None:
    """Each subscription is ended at once: the waits grow."""
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        notifier.ends = "deactivated"
        async with alice.subscribe(TARGET, "moon"):
            await asyncio.sleep(600)
    assert 8 <= len(notifier.subscribes) <= 25


async def test_a_notifier_that_has_forgotten_it(world: World) -> None:
    """481 to a refresh (§4.1.2.2)"""
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon", expires=600) as subscription:
            await asyncio.sleep(100)
            notifier.status = 481
            subscription.refresh()
            await asyncio.sleep(0.05)
            notifier.status = None
            await asyncio.sleep(10)
            assert (len(set(notifier.calls)), subscription.active) == (2, True)
    assert world.leftovers == []


async def test_a_notifier_that_is_away_until_the_subscription_has_run_out(world: World) -> None:
    async with ScriptedNotifier(world), world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon", expires=300) as subscription:
            await asyncio.sleep(10)
            world.network.partition(["10.0.0.1"], ["10.0.0.2"])
            await asyncio.sleep(400)
            assert isinstance(subscription.error, TransactionTimeout)
            assert (subscription.state, subscription.expires_at) == ("terminated", None)
            world.network.heal()
            await asyncio.sleep(100)
            assert repr(subscription) == "<Subscription to moon of sip:moon@notifier.test: active>"
    assert world.leftovers == []


async def test_with_retry_it_begins_when_the_notifier_is_there(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        notifier.status, notifier.headers = 503, [("Retry-After", "30")]
        async with alice.subscribe(TARGET, "moon", retry=Backoff(1, 60)) as subscription:
            assert isinstance(subscription.error, SubscriptionRejected)
            assert subscription.retry_at == pytest.approx(world.now + 30, abs=1)
            notifier.status = None
            async with asyncio.timeout(40):
                assert (await anext(subscription)).value == b"one"


async def test_left_while_it_waits_to_come_back(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon"):
            notifier.notify("terminated;reason=probation;retry-after=500")
            await asyncio.sleep(1)
        began = world.now
        await asyncio.sleep(1000)
        assert (len(notifier.subscribes), began) == (1, world.now - 1000)
    assert world.leftovers == []


async def test_the_user_agent_is_left_and_who_waits_is_told(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, contextlib.AsyncExitStack() as on:
        async with world.user_agent("alice") as alice:
            subscription = await on.enter_async_context(alice.subscribe(TARGET, "moon"))
            await anext(subscription)
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(1)
            notifier.close()
            assert not waiting.done()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert isinstance(subscription.error, FlowClosed)
    assert world.leftovers == []


async def test_a_notifier_that_is_silent_at_the_end_is_not_waited_for_long(world: World) -> None:
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        async with alice.subscribe(TARGET, "moon"):
            notifier.close()
            began = world.now
        assert world.now - began <= 4.1


# --- states that tell changes ---


async def test_one_that_has_been_missed_is_asked_for_once(world: World) -> None:
    """RFC 4235 §4.3"""

    def info(version: int, *, whole: bool = False, **states: str) -> bytes:
        calls = tuple(DialogState(id, state) for id, state in states.items())
        return write_dialogs(DialogInfo("sip:moon@notifier.test", calls, version, whole))

    typed = EventPackage("dialog")
    assert typed.read(b"x") == b"x"
    async with ScriptedNotifier(world) as notifier, world.user_agent("alice") as alice:
        notifier.content_type = "application/dialog-info+xml"
        notifier.body = info(0, whole=True, a="early")
        async with alice.subscribe(TARGET, "dialog") as subscription:
            assert (await anext(subscription)).value.dialogs[0].state == "early"
            notifier.body = info(1, b="trying")
            notifier.notify()
            assert [call.id for call in (await anext(subscription)).value.dialogs] == ["a", "b"]
            notifier.body = info(3, c="trying")
            notifier.notify()
            await anext(subscription)
            await asyncio.sleep(1)
            assert len(notifier.subscribes) == 2  # the refresh: still partial, and not asked for again
            notifier.body = info(9, whole=True, d="confirmed")
            notifier.notify()
            await asyncio.sleep(1)
            assert subscription.latest is not None
            assert [call.id for call in subscription.latest.value.dialogs] == ["d"]


# --- our address, and our flow ---


async def test_it_moves_with_us(world: World) -> None:
    alice, network = wild(world)
    async with alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", MessageSummary(False)) as mailbox:
            async with alice.subscribe("sip:bob@bob.test", "message-summary") as subscription:
                await anext(subscription)
                network.move(NEW)
                await asyncio.sleep(LOOK)
                (refresh,) = sent(world, NEW, "SUBSCRIBE")
                assert [str(contact.uri) for contact in refresh.contacts] == [f"sip:alice@{NEW}:5060"]
                mailbox.update(MessageSummary(True))
                await asyncio.sleep(1)
                assert subscription.latest is not None
                assert subscription.latest.value == MessageSummary(True)


async def test_watchers_are_told_where_we_are(world: World) -> None:
    alice, network = wild(world)
    async with alice, world.user_agent("bob") as bob:
        async with alice.notifying("message-summary", MessageSummary(False)):
            async with bob.subscribe("sip:alice@alice.test", "message-summary") as subscription:
                await asyncio.sleep(1)
                network.move(NEW)
                await asyncio.sleep(LOOK)
                assert len(sent(world, NEW, "NOTIFY")) == 1
                subscription.refresh()
                await asyncio.sleep(1)
                assert len(sent(world, NEW, "NOTIFY")) == 2


@pytest.mark.parametrize("death", [SimulatedStream.close, SimulatedStream.abort])
async def test_over_a_connection_that_is_lost_it_is_refreshed_over_another(
    world: World, death: Callable[[SimulatedStream], None]
) -> None:
    """We do not listen: over that connection alone could we be told anything."""
    async with (
        world.user_agent("alice", dials=("tcp",)) as alice,
        world.user_agent("bob", listen="tcp:0.0.0.0:5060") as bob,
        bob.notifying("message-summary", MessageSummary(False)) as mailbox,
    ):
        async with alice.subscribe("sip:bob@bob.test;transport=tcp", "message-summary") as subscription:
            await anext(subscription)
            await asyncio.sleep(10)
            death(world.streams.streams[0])
            await asyncio.sleep(5)
            mailbox.update(MessageSummary(True))
            await asyncio.sleep(1)
            assert subscription.latest is not None
            assert subscription.latest.value == MessageSummary(True)
            assert (len(mailbox.watchers), subscription.error) == (1, None)
    assert world.leftovers == []


# --- unasked ---


def unasked(peer: ScriptedNotifier, alice: UserAgent, *more: tuple[str, str]) -> Request:
    headers = [("Event", "message-summary"), ("Content-Type", "application/simple-message-summary"), *more]
    uri = alice.contact
    return peer.write("NOTIFY", uri, headers=headers, body=b"Messages-Waiting: yes\r\n")


@pytest.mark.parametrize("state", [(), (("Subscription-State", "active"),), (("Subscription-State", "@"),)])
async def test_a_notify_that_nobody_has_subscribed_to(
    world: World, state: tuple[tuple[str, str], ...]
) -> None:
    async with ScriptedNotifier(world) as peer, world.user_agent("alice") as alice:
        _, host, port = alice.listening[0]
        peer.send((host, port), unasked(peer, alice, *state))
        await peer.responded(1)
        async with alice.notifications() as told:
            peer.send((host, port), unasked(peer, alice, *state))
            notification = await anext(told)
            assert (notification.value, notification.state) == (MessageSummary(True), "active")
            assert notification.source == "sip:notifier@example.com"
            to = (("To", "<sip:alice@alice.test>;tag=x"),)
            peer.send((host, port), unasked(peer, alice, *state, *to))
            dialog = (("Event", "dialog"),)
            peer.send((host, port), unasked(peer, alice, *dialog))
            await peer.responded(4)
        assert [response.status for response in peer.responses] == [405, 200, 481, 489]
    assert world.leftovers == []
