"""PUBLISH (RFC 3903) through the public API."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sipstack import (
    AuthenticationFailed,
    LocalProtocolError,
    Presence,
    PresenceTuple,
    PublicationRejected,
    TransactionTimeout,
)
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.usage.packages.presence import PRESENCE
from tests.ua.compositor import Compositor

pytestmark = pytest.mark.virtual_time

WHERE = "sip:alice@compositor.test"
OPEN = Presence(WHERE, (PresenceTuple("t", True),))
CLOSED = Presence(WHERE, (PresenceTuple("t", False),))


@pytest.mark.parametrize("status", [403, 489, 503])
async def test_a_refusal_is_raised_on_entry(world: World, status: int) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        server.status = status
        with pytest.raises(PublicationRejected) as refused:
            async with alice.publish(WHERE, "presence", OPEN):
                raise AssertionError
        assert (refused.value.status, server.seen) == (status, ["initial"])
    assert world.leftovers == []


async def test_credentials_that_are_wanted(world: World) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        server.status = 401
        with pytest.raises(AuthenticationFailed):
            async with alice.publish(WHERE, "presence", OPEN):
                raise AssertionError


async def test_nobody_is_there(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(TransactionTimeout):
            async with alice.publish("sip:alice@192.0.2.99", "presence", OPEN):
                raise AssertionError
    assert world.leftovers == []


async def test_a_state_is_published_changed_and_taken_back(world: World) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            assert [PRESENCE.read(body) for body in server.states.values()] == [OPEN]
            await publication.update(CLOSED)
            assert [PRESENCE.read(body) for body in server.states.values()] == [CLOSED]
            assert (publication.active, publication.error) == (True, None)
        assert (server.states, server.seen) == ({}, ["initial", "modify", "remove"])
        assert world.ladder() == ladder("""
            alice -> compositor    PUBLISH sip:alice@compositor.test [1]
            compositor -> alice    200 OK [1 PUBLISH]
            alice -> compositor    PUBLISH sip:alice@compositor.test [2]
            compositor -> alice    200 OK [2 PUBLISH]
            alice -> compositor    PUBLISH sip:alice@compositor.test [3]
            compositor -> alice    200 OK [3 PUBLISH]
        """)
        first, _, last = server.requests
        assert (first.headers.get("Content-Type"), last.body) == ("application/pidf+xml", b"")
        assert (first.call_id, first.from_.tag) == (last.call_id, last.from_.tag)
    assert world.leftovers == []


async def test_it_is_refreshed_without_its_body(world: World) -> None:
    """§4.1, table 1"""
    async with Compositor(world, longest=600) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN):
            await asyncio.sleep(3600)
            assert set(server.seen[1:]) == {"refresh"}
            assert 6 <= len(server.seen) - 1 <= 9
            assert [PRESENCE.read(body) for body in server.states.values()] == [OPEN]


async def test_a_server_that_has_lost_it_is_told_all_of_it(world: World) -> None:
    """§4.1: 412"""
    async with Compositor(world, longest=600) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            server.states.clear()
            await asyncio.sleep(600)
            assert server.seen == ["initial", "refresh", "initial"]
            server.states.clear()
            await publication.update(CLOSED)
            assert server.seen[3:] == ["modify", "initial"]
            assert [PRESENCE.read(body) for body in server.states.values()] == [CLOSED]
            server.states.clear()
        assert server.seen[5:] == ["remove"]
    assert world.leftovers == []


async def test_412_to_a_first_publish_is_a_refusal(world: World) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        server.status = 412
        with pytest.raises(PublicationRejected, match="412"):
            async with alice.publish(WHERE, "presence", OPEN):
                raise AssertionError
        assert server.seen == ["initial"]


async def test_an_interval_that_is_too_brief_is_lengthened(world: World) -> None:
    async with Compositor(world, shortest=900) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN, expires=60):
            assert [request.expires for request in server.requests] == [60, 900]


async def test_a_server_that_is_away_for_a_while(world: World) -> None:
    async with Compositor(world, longest=300) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            server.status = 503
            await asyncio.sleep(400)
            assert not publication.active
            assert isinstance(publication.error, PublicationRejected)
            server.status = None
            server.states.clear()
            await asyncio.sleep(120)
            assert str(publication) == f"<Publication of presence at {WHERE} active>"
            assert [PRESENCE.read(body) for body in server.states.values()] == [OPEN]
    assert world.leftovers == []


async def test_an_update_that_fails_is_raised_and_is_published_when_the_server_is_back(world: World) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            server.status = 500
            with pytest.raises(PublicationRejected, match="500"):
                await publication.update(CLOSED)
            server.status = None
            await asyncio.sleep(5)
            assert [PRESENCE.read(body) for body in server.states.values()] == [CLOSED]


async def test_updates_at_a_time_do_not_overtake_each_other(world: World) -> None:
    """§4: one PUBLISH is under way; of those that wait the last counts"""
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            notes = [Presence(WHERE, note=str(number)) for number in range(20)]
            await asyncio.gather(*(publication.update(note) for note in notes))
            await asyncio.sleep(1)
            assert [PRESENCE.read(body) for body in server.states.values()] == [notes[-1]]
            assert server.seen == ["initial", "modify", "modify"]


async def test_a_2xx_without_entity_tag(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def take(request: object) -> None:
            await request.respond(200)  # type: ignore[attr-defined]

        async with bob.serving(requests={"PUBLISH": take}):
            with pytest.raises(Exception, match="a 2xx without SIP-ETag"):
                async with alice.publish("sip:bob@bob.test", "presence", OPEN):
                    raise AssertionError


async def test_a_server_that_is_silent_at_the_end_is_not_waited_for_long(world: World) -> None:
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN):
            server.close()
            began = world.now
        assert world.now - began <= 4.1
    assert world.leftovers == []


async def test_cancelled_while_it_publishes(world: World) -> None:
    """The PUBLISH cannot be taken back: what it has made is removed."""
    async with Compositor(world) as server, world.user_agent("alice") as alice:
        world.network.partition(["10.0.0.1"], ["10.0.0.2"])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7), alice.publish(WHERE, "presence", OPEN):
                raise AssertionError
        world.network.heal()
        await asyncio.sleep(40)
        assert (server.states, server.seen) == ({}, ["initial", "remove"])
    assert world.leftovers == []


async def test_the_user_agent_is_left_while_it_is_published(world: World) -> None:
    async with Compositor(world) as server, contextlib.AsyncExitStack() as on:
        async with world.user_agent("alice") as alice:
            publication = await on.enter_async_context(alice.publish(WHERE, "presence", OPEN))
        assert (server.states, publication.active) == ({}, False)
    assert world.leftovers == []


async def test_who_waits_for_its_end_hears_of_a_refresh_that_is_refused_for_good(world: World) -> None:
    async with Compositor(world, longest=300) as server, world.user_agent("alice") as alice:
        async with alice.publish(WHERE, "presence", OPEN) as publication:
            server.status = 403
            with pytest.raises(PublicationRejected, match="403"):
                await publication.lost()
            server.status = None
    assert world.leftovers == []


async def test_what_is_no_state(world: World) -> None:
    async with Compositor(world), world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="give the package a write="):
            async with alice.publish(WHERE, "moon", "full"):
                raise AssertionError
        async with alice.publish(WHERE, "moon", b"full") as publication:
            pass
        with pytest.raises(LocalProtocolError, match="the publication is over"):
            await publication.update(b"new")
    assert world.leftovers == []
