"""Kamailio as a presence server: PUBLISH, SUBSCRIBE, NOTIFY (RFC 3903, 6665, 3856, 4235, 3842)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interop.bounded import bounded
from interop.kamailio.server import TABLES, Kamailio, program, running
from interop.ports import HOST
from sipstack import (
    DialogInfo,
    DialogState,
    MessageCount,
    MessageSummary,
    Notification,
    Presence,
    PresenceTuple,
    PublicationRejected,
    Subscription,
    SubscriptionRejected,
    TracedMessage,
    UserAgent,
)

TIMEOUT = 10.0  # seconds
WATCHED = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Kamailio]:
    """The running presence server."""
    module = Path(program() or "/usr/sbin/kamailio")
    found = [*Path("/usr/lib").glob("*/kamailio/modules/presence.so")]
    if not module.exists() or not found or not TABLES.is_dir():
        pytest.skip("there is no kamailio with presence (Debian: apt-get install kamailio-presence-modules)")
    with running(role="presence") as kamailio:
        yield kamailio


@pytest.fixture
async def watchdog() -> AsyncIterator[None]:
    with bounded(WATCHED):
        yield


def agent(server: Kamailio, name: str, transport: str = "udp", **options: object) -> UserAgent:
    return UserAgent(
        f"sip:{name}@{HOST}",
        proxy=server.proxy(transport),
        listen=f"udp:{HOST}:0",
        **options,  # type: ignore[arg-type]
    )


async def until(subscription: Subscription, wanted: object) -> Notification:
    """The first notification with this in it, and a body."""
    async with asyncio.timeout(TIMEOUT):
        async for notification in subscription:
            value = notification.value
            if value is not None and wanted in (
                getattr(value, "note", None),
                getattr(value, "busy", None),
                value,
            ):
                return notification
    raise AssertionError(f"no {wanted!r}")


@pytest.mark.usefixtures("watchdog")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_presence_is_published_changed_and_taken_back(server: Kamailio, transport: str) -> None:
    where = f"sip:alice-{transport}@{HOST}"
    here = Presence(where, (PresenceTuple("t1", True),), "here")
    away = Presence(where, (PresenceTuple("t1", False),), "away")
    async with (
        agent(server, f"alice-{transport}", transport) as alice,
        agent(server, "bob", transport) as bob,
    ):
        async with bob.subscribe(where, "presence", expires=60) as subscription:
            async with alice.publish(where, "presence", here, expires=60) as publication:
                assert (await until(subscription, "here")).value.open is True
                await publication.update(away)
                assert (await until(subscription, "away")).value.open is False
            polled = await bob.poll(where, "presence")
            assert polled.state == "terminated"
        assert subscription.latest is not None
        assert (subscription.latest.state, subscription.latest.reason) == ("terminated", "timeout")


@pytest.mark.usefixtures("watchdog")
async def test_lamps_and_mailboxes(server: Kamailio) -> None:
    where = f"sip:carol@{HOST}"
    ringing = DialogInfo(where, (DialogState("1", "early", "recipient"),))
    news = MessageSummary(True, where, {"voice-message": MessageCount(1, 0)})
    async with agent(server, "carol") as carol, agent(server, "bob") as bob:
        async with (
            bob.subscribe(where, "dialog", expires=60) as lamp,
            bob.subscribe(where, "message-summary", expires=60) as mailbox,
            carol.publish(where, "dialog", ringing, expires=60) as calls,
            carol.publish(where, "message-summary", news, expires=60),
        ):
            assert (await until(lamp, True)).value.ringing
            assert (await until(mailbox, news)).value.voice.new == 1
            await calls.update(DialogInfo(where, (DialogState("1", "terminated"),)))
            assert (await until(lamp, False)).value.busy is False


@pytest.mark.usefixtures("watchdog")
async def test_refreshes_of_both(server: Kamailio) -> None:
    where = f"sip:dave@{HOST}"
    here = Presence(where, (PresenceTuple("t1", True),), "here")
    sent: list[str] = []

    def trace(message: TracedMessage) -> None:
        line = message.data.split(b"\r\n", 1)[0].decode()
        if message.sent and not line.startswith("SIP/2.0"):
            sent.append(line.partition(" ")[0])

    async with agent(server, "dave", trace=trace) as dave:
        async with (
            dave.subscribe(where, "presence", expires=6) as subscription,
            dave.publish(where, "presence", here, expires=6) as publication,
        ):
            await until(subscription, "here")
            await asyncio.sleep(13)
            assert (subscription.active, publication.active) == (True, True)
            assert (sent.count("SUBSCRIBE") > 3, sent.count("PUBLISH") > 3) == (True, True)
            async with dave.subscribe(where, "presence", expires=60) as another:
                await until(another, "here")


@pytest.mark.usefixtures("watchdog")
async def test_what_it_refuses(server: Kamailio) -> None:
    async with agent(server, "eve") as eve:
        with pytest.raises(SubscriptionRejected, match="489"):
            async with eve.subscribe(f"sip:eve@{HOST}", "moon"):
                raise AssertionError
        with pytest.raises(PublicationRejected, match="489"):
            async with eve.publish(f"sip:eve@{HOST}", "moon", b"full"):
                raise AssertionError


@pytest.mark.usefixtures("watchdog")
async def test_an_interval_that_is_too_brief_for_it_is_lengthened(server: Kamailio) -> None:
    async with agent(server, "frank") as frank:
        async with frank.subscribe(f"sip:frank@{HOST}", "presence", expires=3) as subscription:
            await anext(subscription)
            assert subscription.expires_at is not None
            assert subscription.expires_at - asyncio.get_running_loop().time() > 3


@pytest.mark.usefixtures("watchdog")
async def test_a_server_that_starts_again_has_forgotten_all_and_is_told(server: Kamailio) -> None:
    """412 to the refresh of a publication, 481 to that of a subscription"""
    where = f"sip:gina@{HOST}"
    here = Presence(where, (PresenceTuple("t1", True),), "here")
    async with agent(server, "gina") as gina:
        async with (
            gina.subscribe(where, "presence", expires=6) as subscription,
            gina.publish(where, "presence", here, expires=6),
        ):
            await until(subscription, "here")
            server.kill()
            server.start()
            again = await _within(20.0, subscription, "here")
            assert again.state == "active"


async def _within(seconds: float, subscription: Subscription, note: str) -> Notification:
    async with asyncio.timeout(seconds):
        async for notification in subscription:
            if notification.value is not None and notification.value.note == note:
                return notification
    raise AssertionError(f"no {note!r}")
