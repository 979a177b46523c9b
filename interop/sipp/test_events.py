"""Subscriptions, with a peer that loses messages and comes in the wrong order (RFC 6665)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from interop.sipp.fast_timers import fast_timers
from interop.sipp.process import Launch
from sipstack import MessageSummary, TransactionTimeout, UserAgent

TIMEOUT = 10.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def test_a_notify_that_comes_before_the_200(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_notify_first") as notifier:
        async with agent.subscribe(notifier.uri, "message-summary") as subscription:
            async with asyncio.timeout(TIMEOUT):
                assert (await anext(subscription)).value.waiting is True
        result = await notifier.ended()
    assert result.problems == ""
    first = ["< SUBSCRIBE", "> NOTIFY", "< 200 NOTIFY", "> 200 SUBSCRIBE"]
    assert result.labels == [*first, "< SUBSCRIBE", "> 200 SUBSCRIBE", "> NOTIFY", "< 200 NOTIFY"]
    assert subscription.error is None


async def test_a_refresh_that_is_lost_comes_again(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_refresh_lost", "-nr") as notifier:
        async with agent.subscribe(notifier.uri, "message-summary", expires=6) as subscription:
            async with asyncio.timeout(TIMEOUT):
                await anext(subscription)
                await anext(subscription)
            assert subscription.expires_at is not None
            assert subscription.expires_at - asyncio.get_running_loop().time() > 500
        result = await notifier.ended()
    assert result.status == 0, result.problems
    assert result.labels.count("< SUBSCRIBE") == 5  # of the refresh two were lost
    assert len({message.header("Call-ID") for message in result.messages}) == 1


@fast_timers
async def test_no_notify_comes(agent: UserAgent, sipp: Launch) -> None:
    """Timer N, 64*T1"""
    with sipp("uas_no_notify") as notifier:
        async with agent.subscribe(notifier.uri, "message-summary") as subscription:
            await until(lambda: isinstance(subscription.error, TransactionTimeout))
    assert subscription.latest is None


async def test_a_subscriber_that_does_not_know_the_subscription_any_more(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    async with agent.notifying("message-summary", MessageSummary(False)) as mailbox:
        with sipp("uac_481_to_notify", target=target) as subscriber:
            await until(lambda: bool(mailbox.watchers))
            mailbox.update(MessageSummary(True))
            await until(lambda: not mailbox.watchers)
            result = await subscriber.ended()
    assert result.problems == ""
    notified = ["< NOTIFY", "> 200 NOTIFY", "< NOTIFY", "> 481 NOTIFY"]
    assert result.labels == ["> SUBSCRIBE", "< 200 SUBSCRIBE", *notified]


async def test_a_notify_that_is_lost_comes_again(agent: UserAgent, target: str, sipp: Launch) -> None:
    async with agent.notifying("message-summary", MessageSummary(False)) as mailbox:
        with sipp("uac_notify_lost", "-nr", target=target) as subscriber:
            result = await subscriber.ended()
        assert result.status == 0, result.problems
        assert result.labels == ["> SUBSCRIBE", "< 200 SUBSCRIBE", "< NOTIFY", "< NOTIFY", "> 200 NOTIFY"]
        assert len(mailbox.watchers) == 1
        for watcher in mailbox.watchers:  # it is gone: nobody answers the last NOTIFY
            assert watcher.state == "active"


@pytest.mark.parametrize("calls", [50])
async def test_many_at_once(agent: UserAgent, target: str, sipp: Launch, calls: int) -> None:
    async with agent.notifying("message-summary", MessageSummary(False)) as mailbox:
        with sipp("uac_notify_lost", "-nr", "-r", "50", target=target, calls=calls) as subscriber:
            result = await subscriber.ended()
        assert result.status == 0, result.problems
        assert len(mailbox.watchers) == calls
