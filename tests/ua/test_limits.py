"""How much the network can make a user agent hold, and who is refused when it is full."""

from __future__ import annotations

import asyncio
import errno

import pytest

from sipstack import (
    Accept,
    CallRejected,
    IncomingRequest,
    Invitation,
    Limits,
    MediaPort,
    TransportError,
    UserAgent,
)
from sipstack.sdp import Direction, SessionDescription
from sipstack.testing.media import SilentMedia
from sipstack.testing.world import World
from sipstack.ua.limits import FOR_A_CALL, SPARE, calls_by_descriptors
from sipstack.ua.occupancy import Occupancy
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


async def refused(caller: UserAgent, target: str) -> tuple[int, str | None]:
    """Status and Retry-After of the refusal of a call."""
    with pytest.raises(CallRejected) as refusal:
        async with caller.call(target):
            pass
    return refusal.value.status, refusal.value.response.headers.get("Retry-After")


async def test_calls_beyond_the_limit_get_503_and_the_end_of_one_makes_room() -> None:
    world = World()
    limits = Limits(calls=2)
    async with world.user_agent("alice") as alice, world.user_agent("bob", limits=limits) as bob:
        async with bob.serving(Answering()):
            async with alice.call(bob.contact):
                async with alice.call(bob.contact):
                    assert await refused(alice, bob.contact) == (503, "10")
                async with alice.call(bob.contact):
                    pass
        assert bob._running is not None
        assert bob._running.core.counters.overloaded == 1
    assert world.leftovers == []


async def test_calls_of_one_source_beyond_its_limit_get_503_and_others_call_on() -> None:
    world = World()
    limits = Limits(calls_per_source=1)
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("carol") as carol,
        world.user_agent("bob", limits=limits) as bob,
        bob.serving(Answering()),
        alice.call(bob.contact),
    ):
        assert await refused(alice, bob.contact) == (503, "10")
        async with carol.call(bob.contact):
            pass


async def test_a_call_that_rings_counts() -> None:
    world = World()
    async with world.user_agent("alice") as alice, world.user_agent("bob", limits=Limits(calls=1)) as bob:
        async with bob.serving(Answering(ring=60)), alice.invite(bob.contact) as outgoing:
            async for _ in outgoing.provisionals():
                break
            assert await refused(alice, bob.contact) == (503, "10")


async def test_requests_beyond_the_limit_get_503() -> None:
    world = World()
    held: list[IncomingRequest] = []

    async def hold(request: IncomingRequest) -> None:
        held.append(request)
        await asyncio.sleep(5)
        await request.respond(200)

    async with world.user_agent("alice") as alice, world.user_agent("bob", limits=Limits(requests=1)) as bob:
        async with bob.serving(requests={"MESSAGE": hold}):
            first = asyncio.create_task(alice.message(bob.contact, "one"))
            await asyncio.sleep(1)
            second = await alice.message(bob.contact, "two")
            assert (second.status, second.headers.get("Retry-After")) == (503, "10")
            assert (await first).status == 200
    assert len(held) == 1


async def test_the_last_eighth_is_for_others() -> None:
    room = Occupancy(16)
    world = World()
    async with world.user_agent("bob") as bob:
        assert bob._running is not None
        endpoint = bob._running.driver.endpoints[0]
        flood, good = endpoint.flow_to(("10.0.0.66", 5060)), endpoint.flow_to(("10.0.0.3", 5060))
    for _ in range(14):
        assert room.admits(flood)
        room.enter(flood)
    assert (room.admits(flood), room.admits(good)) == (False, True)
    room.enter(good)
    assert len(room) == 15
    for _ in range(14):
        room.leave(flood)
    room.leave(good)
    assert (len(room), room.admits(flood)) == (0, True)


async def test_a_call_without_a_port_for_its_media_is_refused_for_now_and_told_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))

    class NoPort(SilentMedia):
        async def answer(
            self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
        ) -> SessionDescription:
            raise TransportError(f"no pair of RTP ports: {errno.EMFILE}")

    def media(host: str) -> MediaPort:
        return NoPort(host)

    async def handle(invitation: Invitation) -> None:
        async with invitation.accept(media=media):
            raise AssertionError

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(handle):
        assert await refused(alice, bob.contact) == (503, "10")
    assert problems == []
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "refused with 503, no media: no pair of RTP ports" in warnings[0]


async def test_a_call_that_the_policy_accepted_ends_at_its_age() -> None:
    world = World()
    accept = Accept(
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", policy=lambda _: accept, limits=Limits(age=800)) as bob,
        alice.call(bob.contact) as call,
    ):
        async with asyncio.timeout(801 + 100):
            assert (await call.ended()).by == "remote"
        assert 800 <= call.duration <= 900
    assert world.leftovers == []


def test_the_default_follows_the_descriptors_of_this_process() -> None:
    resource = pytest.importorskip("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    expected = None if soft == resource.RLIM_INFINITY else (soft - SPARE) // FOR_A_CALL
    assert calls_by_descriptors() == expected


@pytest.mark.parametrize(
    "name", ["calls", "calls_per_source", "requests", "dialogs", "age", "lag", "datagram"]
)
def test_a_limit_is_greater_than_0(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be greater than 0"):
        Limits(**{name: 0})
