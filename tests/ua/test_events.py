"""Subscriptions through the public API, both ends."""

from __future__ import annotations

import asyncio
import contextlib

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
            await asyncio.sleep(1)
            assert mailbox.watchers == []
        assert world.ladder() == ladder("""
            alice -> bob    SUBSCRIBE sip:bob@bob.test [1]
            bob -> alice    200 OK [1 SUBSCRIBE]
            bob -> alice    NOTIFY sip:alice@10.0.0.1:5060 [1]
            alice -> bob    200 OK [1 NOTIFY]
            bob -> alice    NOTIFY sip:alice@10.0.0.1:5060 [2]
            alice -> bob    200 OK [2 NOTIFY]
            alice -> bob    SUBSCRIBE sip:bob@10.0.0.2:5060 [2]
            bob -> alice    200 OK [2 SUBSCRIBE]
            bob -> alice    NOTIFY sip:alice@10.0.0.1:5060 [3]
            alice -> bob    200 OK [3 NOTIFY]
        """)
    assert world.leftovers == []


async def test_a_subscription_is_refreshed_and_lasts(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", OLD, longest=300) as mailbox:
            async with alice.subscribe("sip:bob@bob.test", "message-summary") as subscription:
                await asyncio.sleep(3600)
                assert len(mailbox.watchers) == 1
                mailbox.update(NEWS)
                heard: list[Notification] = []
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await collect(subscription, heard)
                assert heard[-1].value == NEWS
                assert subscription.expires_at is not None
                assert 60 < subscription.expires_at - world.now <= 300
    assert world.leftovers == []


async def test_every_watcher_is_told_its_own_state(world: World) -> None:
    def state(watcher: Watcher) -> Presence | None:
        if watcher.resource == "sip:nobody@bob.test":
            return None
        return Presence(
            watcher.resource, (PresenceTuple("t", watcher.from_.uri_text.startswith("sip:alice")),)
        )

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("carol") as carol,
        world.user_agent("bob") as bob,
        bob.notifying("presence", state),
        alice.subscribe("sip:bob@bob.test", "presence") as ours,
        carol.subscribe("sip:bob@bob.test", "presence") as theirs,
        carol.subscribe("sip:nobody@bob.test", "presence") as nobodys,
    ):
        assert [(await anext(each)).value.open for each in (ours, theirs)] == [True, False]
        nothing = await anext(nobodys)
        assert (nothing.value, nothing.body) == (None, b"")
    assert world.leftovers == []


async def test_documents_of_a_subscription_are_counted(world: World) -> None:
    call = DialogState("1", "early", "recipient")
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("dialog", DialogInfo("sip:bob@bob.test")) as lamp:
            async with alice.subscribe("sip:bob@bob.test", "dialog") as subscription:
                await anext(subscription)
                lamp.update(DialogInfo("sip:bob@bob.test", (call,)))
                second = (await anext(subscription)).value
                assert (second.version, second.ringing) == (1, True)


async def test_what_changes_while_a_notify_is_under_way_is_told_once_and_as_it_is_then(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", OLD) as mailbox:
            async with alice.subscribe("sip:bob@bob.test", "message-summary") as subscription:
                await anext(subscription)
                for count in range(1, 100):
                    mailbox.update(MessageSummary(True, "", {"voice-message": MessageCount(count)}))
                told = [(await anext(subscription)).value.voice.new for _ in range(2)]
                assert told == [99, 99]
                await asyncio.sleep(1)
                assert len([line for line in world.ladder() if "NOTIFY sip" in line]) == 3


async def test_an_update_for_many_does_not_stop_the_loop(world: World) -> None:
    """50 watchers are told in one turn."""

    def told() -> int:
        return sum(sent.data.startswith(b"NOTIFY") for sent in world.sent)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", OLD) as mailbox, contextlib.AsyncExitStack() as on:
            for _ in range(120):
                await on.enter_async_context(alice.subscribe("sip:bob@bob.test", "message-summary"))
            await asyncio.sleep(1)
            before = told()
            mailbox.update(NEWS)
            mailbox.notify()
            assert told() - before == 50
            await asyncio.sleep(1)
            assert told() - before in (120, 170)  # the first were told while the others had to wait
    assert world.leftovers == []


async def test_a_package_of_ones_own_in_a_few_lines(world: World) -> None:
    moon = EventPackage("moon", "text/plain", read=lambda body: body.decode(), write=str.encode)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying(moon, "waxing") as phases:
            async with alice.subscribe("sip:bob@bob.test", moon) as subscription:
                assert (await anext(subscription)).value == "waxing"
                phases.update("full")
                assert (await anext(subscription)).value == "full"


async def test_poll_asks_once_and_leaves_nothing(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", NEWS) as mailbox:
            told = await alice.poll("sip:bob@bob.test", "message-summary")
            assert (told.value, told.state, told.reason) == (NEWS, "terminated", "timeout")
            await asyncio.sleep(1)
            assert mailbox.watchers == []
        assert world.timed_ladder() == timed("""
            0.0   alice -> bob    SUBSCRIBE sip:bob@bob.test [1]
            0.0   bob -> alice    200 OK [1 SUBSCRIBE]
            0.0   bob -> alice    NOTIFY sip:alice@10.0.0.1:5060 [1]
            0.0   alice -> bob    200 OK [1 NOTIFY]
        """)
    assert world.leftovers == []


# --- who may know ---


@pytest.mark.parametrize(("verdict", "status"), [(False, 403), (404, 404)])
async def test_a_watcher_that_may_not_know_is_refused(world: World, verdict: bool | int, status: int) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("presence", None, authorize=lambda watcher: verdict) as presence:
            with pytest.raises(SubscriptionRejected) as refused:
                async with alice.subscribe("sip:bob@bob.test", "presence"):
                    raise AssertionError
            assert (refused.value.status, presence.watchers) == (status, [])
    assert world.leftovers == []


async def test_a_watcher_waits_for_approval_and_is_told_nothing_until_then(world: World) -> None:
    mine = Presence("sip:bob@bob.test", (PresenceTuple("t", True),))
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("presence", mine, authorize=lambda watcher: None) as presence:
            async with alice.subscribe("sip:bob@bob.test", "presence") as subscription:
                pending = await anext(subscription)
                assert (pending.state, pending.value, subscription.state) == ("pending", None, "pending")
                presence.watchers[0].approve()
                active = await anext(subscription)
                assert (active.state, active.value) == ("active", mine)
                presence.watchers[0].end("rejected")
                rejected = await anext(subscription)
                assert (rejected.state, rejected.reason) == ("terminated", "rejected")
                assert [each async for each in subscription] == []
    assert world.leftovers == []


async def test_an_authorization_that_raises_refuses_with_500(world: World) -> None:
    raised = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))

    def authorize(watcher: Watcher) -> bool:
        raise ZeroDivisionError

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("presence", None, authorize=authorize):
            with pytest.raises(SubscriptionRejected, match="500"):
                async with alice.subscribe("sip:bob@bob.test", "presence"):
                    raise AssertionError
    assert (len(raised), world.leftovers) == (1, [])


async def test_a_state_that_cannot_be_told_ends_no_subscription(world: World) -> None:
    raised = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", "no summary") as mailbox:
            async with alice.subscribe("sip:bob@bob.test", "message-summary") as subscription:
                assert (await anext(subscription)).value is None
                mailbox.update(NEWS)
                assert (await anext(subscription)).value == NEWS
    assert len(raised) == 1


# --- what is announced, and what is refused ---


async def test_packages_are_announced_while_somebody_takes_part(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def said() -> tuple[set[str], str | None]:
            answer = await alice.options("sip:bob@bob.test")
            return {*answer.allow}, answer.headers.get("Allow-Events")

        allowed, events = plain = await said()
        assert (allowed & {"NOTIFY", "SUBSCRIBE"}, events) == (set(), None)
        async with bob.notifying("presence", None), bob.notifications():
            assert await said() == (allowed | {"NOTIFY", "SUBSCRIBE"}, "message-summary, presence")
        assert await said() == plain


async def test_a_package_without_notifier_is_489_although_we_subscribe_to_it(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        carol.notifying("dialog", None),
        bob.notifying("presence", None),
        bob.subscribe("sip:carol@carol.test", "dialog"),
    ):
        with pytest.raises(SubscriptionRejected) as refused:
            async with alice.subscribe("sip:bob@bob.test", "dialog"):
                raise AssertionError
        assert refused.value.status == 489
        assert refused.value.response.headers.get("Allow-Events") == "presence"


async def test_only_one_notifier_of_a_package(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.notifying("presence", None):
        with pytest.raises(LocalProtocolError, match="somebody for presence already"):
            async with bob.notifying("presence", None):
                raise AssertionError
        async with bob.notifications():
            with pytest.raises(LocalProtocolError, match="somebody for message-summary already"):
                async with bob.notifications():
                    raise AssertionError
    assert world.leftovers == []


@pytest.mark.parametrize("event", ["", "two words", "é"])
async def test_a_name_that_can_be_no_package(world: World, event: str) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="no name of an event package"):
            alice.subscribe("sip:bob@bob.test", event)
        with pytest.raises(LocalProtocolError, match="no name of an event package"):
            alice.publish("sip:bob@bob.test", event, b"")


async def test_what_the_stack_owns_cannot_be_given(world: World) -> None:
    async with world.user_agent("alice") as alice:
        for name in ("Event", "Expires", "Accept", "Contact"):
            with pytest.raises(LocalProtocolError, match=name):
                alice.subscribe("sip:bob@bob.test", "presence", headers={name: "x"})
        for name in ("Event", "Expires", "Content-Type", "SIP-If-Match"):
            with pytest.raises(LocalProtocolError, match=name):
                alice.publish("sip:bob@bob.test", "presence", None, headers={name: "x"})
        with pytest.raises(LocalProtocolError, match="expires"):
            alice.subscribe("sip:bob@bob.test", "presence", expires=-1)
        with pytest.raises(LocalProtocolError, match="expires"):
            alice.publish("sip:bob@bob.test", "presence", None, expires=0)


# --- the end ---


async def test_a_notifier_that_leaves_and_comes_back(world: World) -> None:
    """Meanwhile it answers 405, which is no reason to give up with ``retry``."""
    heard: list[Notification] = []
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        contextlib.AsyncExitStack() as on,
    ):
        async with bob.notifying("message-summary", OLD):
            block = alice.subscribe("sip:bob@bob.test", "message-summary", retry=True)
            subscription = await on.enter_async_context(block)
            follow = asyncio.ensure_future(collect(subscription, heard))
            await asyncio.sleep(100)
        assert (heard[-1].state, heard[-1].reason) == ("terminated", "probation")
        assert (subscription.state, subscription.active) == ("terminated", False)
        assert subscription.retry_at is not None
        await asyncio.sleep(1000)
        assert isinstance(subscription.error, SubscriptionRejected)
        async with bob.notifying("message-summary", NEWS):
            await asyncio.sleep(200)
            assert (heard[-1].value, subscription.latest) == (NEWS, heard[-1])
        follow.cancel()
    assert world.leftovers == []


async def test_without_retry_a_refusal_is_the_end_and_is_raised_where_notifications_are_waited_for(
    world: World,
) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        contextlib.AsyncExitStack() as on,
    ):
        async with bob.notifying("message-summary", OLD):
            subscription = await on.enter_async_context(
                alice.subscribe("sip:bob@bob.test", "message-summary")
            )
            await asyncio.sleep(100)
        heard: list[Notification] = []
        with pytest.raises(SubscriptionRejected, match="405"):
            await collect(subscription, heard)
        assert [each.state for each in heard] == ["active", "terminated"]
    assert world.leftovers == []


async def test_a_user_agent_that_is_left_ends_everything(world: World) -> None:
    async with world.user_agent("bob") as bob, contextlib.AsyncExitStack() as on:
        async with bob.notifying("message-summary", OLD) as mailbox:
            async with world.user_agent("alice") as alice:
                await on.enter_async_context(alice.subscribe("sip:bob@bob.test", "message-summary"))
            await asyncio.sleep(1)
            assert mailbox.watchers == []
    assert world.leftovers == []


async def test_cancelled_while_it_subscribes(world: World) -> None:
    """The SUBSCRIBE cannot be taken back: what it makes is ended."""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying("message-summary", OLD) as mailbox:
            world.network.partition(["10.0.0.1"], ["10.0.0.2"])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.7), alice.subscribe("sip:bob@bob.test", "message-summary"):
                    raise AssertionError
            world.network.heal()
            await asyncio.sleep(40)
            assert mailbox.watchers == []
    assert world.leftovers == []


async def test_a_body_that_cannot_be_read_is_told_to_who_looks_at_it(world: World) -> None:
    broken = EventPackage("presence", "application/pidf+xml", write=str.encode)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.notifying(broken, "<presence>"):
            async with alice.subscribe("sip:bob@bob.test", "presence") as subscription:
                notification = await anext(subscription)
                with pytest.raises(ParseError):
                    _ = notification.value
                assert notification.body == b"<presence>"
