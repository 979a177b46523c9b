"""``sipstack subscribe`` and ``sipstack publish``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipstack import IncomingRequest, MessageSummary, Presence, PresenceTuple
from sipstack.cli.status import ExitStatus
from sipstack.usage.packages.presence import PRESENCE
from tests.cli.commands.test_call import closed_port
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, agent, command

# --- subscribe ---


async def test_a_notifier_that_is_not_there() -> None:
    async with command("subscribe", closed_port(), "presence", *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["failed"]


async def test_one_that_knows_no_events() -> None:
    async with registrar_here(status=489) as server:
        async with command("subscribe", server.uri, "moon", *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", 489)]


async def test_a_name_that_is_no_event_is_a_usage_error() -> None:
    async with command("subscribe", "sip:bob@127.0.0.1", "two words", *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.USAGE


async def test_notifications_until_it_is_interrupted() -> None:
    async with agent() as bob, bob.notifying("message-summary", MessageSummary(False)) as mailbox:
        async with command("subscribe", bob.contact, "message-summary", *ANY_PORT, "--json") as run:
            first = await run.event("notified")
            mailbox.update(MessageSummary(True))
            second = await run.event("notified", 2)
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
        assert (first["reason"], first["text"]) == ("active", "Messages-Waiting: no\r\n")
        assert second["text"] == "Messages-Waiting: yes\r\n"
        assert 3500 < first["expires_in"] <= 3600
    assert run.event_names[:3] == ["subscribed", "notified", "notified"]


async def test_once() -> None:
    here = Presence("sip:bob@127.0.0.1", (PresenceTuple("t", True),))
    async with agent() as bob, bob.notifying("presence", here):
        async with command("subscribe", bob.contact, "presence", "--once", *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["subscribed", "notified", "unsubscribed"]


async def test_the_end_by_the_notifier_is_the_end() -> None:
    async with agent() as bob, bob.notifying("message-summary", MessageSummary(False)) as mailbox:
        async with command("subscribe", bob.contact, "message-summary", *ANY_PORT, "--json") as run:
            await run.event("notified")
            mailbox.watchers[0].end("noresource")
            assert await run.status() == ExitStatus.DONE
    assert run.events[-2]["reason"] == "terminated noresource"
    assert run.event_names[-1] == "unsubscribed"


async def test_for_people() -> None:
    async with agent() as bob, bob.notifying("message-summary", MessageSummary(False)):
        async with command("subscribe", bob.contact, "message-summary", "--once", *ANY_PORT) as run:
            assert await run.status() == ExitStatus.DONE
        output = run.environment.stdout.getvalue()  # type: ignore[attr-defined]
    assert "notified" in output
    assert "  Messages-Waiting: no" in output.splitlines()


# --- publish ---


def keeping(published: list[IncomingRequest], status: int = 200):  # type: ignore[no-untyped-def]
    async def take(request: IncomingRequest) -> None:
        published.append(request)
        expires = request.request.headers.get("Expires") or "0"
        headers = [("SIP-ETag", f"t{len(published)}"), ("Expires", expires)] if status == 200 else []
        await request.respond(status, headers=headers)

    return take


async def test_presence_is_published_and_taken_back() -> None:
    published: list[IncomingRequest] = []
    async with agent() as bob, bob.serving(requests={"PUBLISH": keeping(published)}):
        target = bob.contact
        async with command("publish", target, "--open", "--note", "here", *ANY_PORT, "--json") as run:
            await run.event("published")
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
    state = PRESENCE.read(published[0].body)
    assert (state.open, state.note, state.entity) == (True, "here", target)
    assert [request.request.expires for request in published] == [3600, 0]


async def test_a_file_of_any_type(tmp_path: Path) -> None:
    published: list[IncomingRequest] = []
    (tmp_path / "moon").write_bytes(b"full")
    async with agent() as bob, bob.serving(requests={"PUBLISH": keeping(published)}):
        options = ("--file", str(tmp_path / "moon"), "--type", "text/plain", "--once", "--expires", "90")
        async with command("publish", bob.contact, "moon", *options, *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    request = published[0].request
    assert (request.body, request.headers.get("Content-Type"), request.expires) == (b"full", "text/plain", 90)
    assert run.event_names == ["published", "unpublished"]
    assert run.events[0]["expires_in"] == pytest.approx(90, abs=1)


async def test_a_server_that_takes_none() -> None:
    async with agent() as bob, bob.serving(requests={"PUBLISH": keeping([], 489)}):
        async with command("publish", bob.contact, "--closed", *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", 489)]


@pytest.mark.parametrize("arguments", [[], ["dialog", "--open"]])
async def test_nothing_to_publish_is_a_usage_error(arguments: list[str]) -> None:
    async with command("publish", "sip:alice@127.0.0.1", *arguments, *ANY_PORT) as run:
        assert await run.status() == ExitStatus.USAGE
    assert "--open" in run.stderr
    await asyncio.sleep(0)
