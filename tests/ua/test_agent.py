"""The user agent itself: its life, single requests, and the tasks that still wait when it is left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from sipstack import (
    Call,
    CallEnded,
    CallRejected,
    Invitation,
    LocalProtocolError,
    MediaError,
    ResolutionError,
    TransactionTimeout,
    TransportError,
    UserAgent,
)
from sipstack.errors import FlowClosed
from sipstack.media.port import MediaPort
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering, echo

pytestmark = pytest.mark.virtual_time

VOID = "sip:10.9.9.9"


# --- mistakes of the caller ---


@pytest.mark.parametrize("target", ["sip:bob@bob.test", "sip:bob@10.0.0.2"])
async def test_a_header_that_cannot_be_written_is_raised_at_once(world: World, target: str) -> None:
    broken = (("Subject", "hello\r\nX: y"),)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        with pytest.raises(LocalProtocolError, match="cannot hold CR, LF or NUL"):
            async with alice.call(target, headers=broken):
                raise AssertionError
        with pytest.raises(LocalProtocolError, match="cannot hold CR, LF or NUL"):
            await alice.request("INFO", target, headers=broken)
        with pytest.raises(LocalProtocolError, match="cannot hold CR, LF or NUL"):
            async with alice.register(headers=broken):
                raise AssertionError
        async with alice.call(target) as call:
            with pytest.raises(LocalProtocolError, match="cannot hold CR, LF or NUL"):
                await call.hang_up("Q.850;cause=16\r\nX: y")
            assert alice.calls == [call]
    assert world.leftovers == []


async def test_one_handler_at_a_time(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.serving(echo):
        with pytest.raises(LocalProtocolError, match="has a handler already"):
            async with bob.serving(echo):
                raise AssertionError


async def test_nothing_is_asked_of_a_user_agent_that_does_not_run(world: World) -> None:
    bob = world.user_agent("bob")
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="is not running: use it inside of"):
            async with bob.serving(echo):
                raise AssertionError
        with pytest.raises(LocalProtocolError, match="is not running: use it inside of"):
            await bob.options("sip:alice.test")
        assert (bob.running, bob.calls) == (False, [])
        async with bob:
            assert bob.running


async def test_media_that_cannot_be_made_leaves_nothing(world: World) -> None:
    class Broken(SilentMedia):
        async def offer(self, direction: object = None) -> object:  # type: ignore[override]
            raise MediaError("no device")

    def none(host: str) -> MediaPort:
        raise MediaError("no device")

    async with world.user_agent("alice") as alice:
        for media in (Broken, none):
            with pytest.raises(MediaError, match="no device"):
                async with alice.call(VOID, media=media):  # type: ignore[arg-type]
                    raise AssertionError
        assert alice._runtime.core.leftovers() == []
    assert world.leftovers == []


# --- life ---


async def test_it_can_be_entered_again(world: World) -> None:
    agent = world.user_agent("alice")
    for _ in range(2):
        async with agent, world.user_agent("bob"):
            assert (await agent.options("sip:bob.test")).status == 200
    assert world.leftovers == []


async def test_a_port_in_use_leaves_nothing_open(world: World) -> None:
    async with world.user_agent("alice", listen="udp:10.0.0.1:5080"):
        second = world.user_agent("alice", listen=["udp:10.0.0.1:5070", "udp:10.0.0.1:5080"])
        with pytest.raises(TransportError, match="Address already in use"):
            await second.__aenter__()
        assert world.simulated.listening == [("10.0.0.1", 5080)]


async def test_what_it_is_and_where(world: World) -> None:
    async with world.user_agent("alice", display_name="Alice") as alice, world.user_agent("bob"):
        assert repr(alice) == "<UserAgent sip:alice@alice.test calls=0>"
        await alice.options("sip:bob.test")
        assert b'\r\nFrom: "Alice" <sip:alice@alice.test>;tag=' in world.trace[0].data


# --- single requests ---


async def test_a_request_brings_its_final_response_whatever_it_is(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        assert (await alice.options("sip:bob.test")).status == 200
        assert (await alice.request("PUBLISH", "sip:bob.test")).status == 405
        assert (await alice.request("DANCE", "sip:bob.test")).status == 501
    assert world.leftovers == []


async def test_a_request_that_nobody_answers(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(TransactionTimeout):
            await alice.options(VOID)
        with pytest.raises(ResolutionError):
            await alice.options("sip:nowhere.test")
        with pytest.raises(ResolutionError, match="cannot send to a tel: URI without a proxy"):
            await alice.options("tel:+15550100")
    assert world.leftovers == []


async def test_a_request_that_is_given_up(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await alice.message(VOID, "hello")
        await asyncio.sleep(100)
        assert alice._runtime.core.leftovers() == []
    assert world.leftovers == []


# --- tasks that still wait when it is left ---


async def _request(agent: UserAgent) -> None:
    await agent.options("sip:void.test")


async def _call(agent: UserAgent) -> None:
    async with agent.call("sip:void.test"):
        raise AssertionError


async def _register(agent: UserAgent) -> None:
    async with agent.register():
        raise AssertionError


async def _unregister_all(agent: UserAgent) -> None:
    await agent.unregister_all()


WAITING: list[tuple[Callable[[UserAgent], Awaitable[None]], type[Exception]]] = [
    (_request, FlowClosed),
    (_call, CallEnded),
    (_register, FlowClosed),
    (_unregister_all, FlowClosed),
]


@pytest.mark.parametrize("found", [True, False], ids=["silent", "not-yet-found"])
@pytest.mark.parametrize(("wait", "error"), WAITING)
async def test_leaving_tells_those_who_wait(
    world: World, wait: Callable[[UserAgent], Awaitable[None]], error: type[Exception], found: bool
) -> None:
    loop = asyncio.get_running_loop()
    async with world.user_agent("alice", registrar="sip:void.test") as alice:
        world.names["void.test"] = ["10.9.9.9"]
        if not found:
            _never_found(alice)
        waiting = [asyncio.ensure_future(wait(alice)) for _ in range(3)]
        await asyncio.sleep(1)
        left = loop.time()
    assert loop.time() <= left + alice._grace
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    if found or wait is not _call:
        assert [type(outcome) for outcome in outcomes] == [error] * 3
        assert {str(outcome).rpartition(": ")[2] for outcome in outcomes} == {"the user agent was closed"}
    assert world.leftovers == []


def _never_found(agent: UserAgent) -> None:
    """From now on its names are looked up for ever."""

    class Stuck:
        async def resolve(self, host: str) -> list[str]:
            await asyncio.sleep(3600)
            return []

    agent._runtime.driver._network = Stuck()  # type: ignore[assignment]


async def test_leaving_twice_cancelled_leaves_nothing(world: World) -> None:
    """Who leaves is cancelled while it waits for the answers to its goodbyes: they are sent all the same."""
    world.network.set_link(Link(delay=0.1))
    callee = Answering()
    async with world.user_agent("bob") as bob, bob.serving(callee):

        async def stay() -> None:
            async with world.user_agent("alice") as alice:
                outgoing = await alice.invite("sip:bob.test").__aenter__()
                await outgoing.answered()
                await asyncio.sleep(10)

        task = asyncio.create_task(stay())
        await asyncio.sleep(10.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [left for left in world.leftovers if "10.0.0.2" in left] == []
        await asyncio.sleep(1)
        assert callee.ends == [HUNG_UP]
    assert world.leftovers == []


async def test_calls_invitations_and_registrations_are_left_together(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with world.user_agent("bob") as bob, world.user_agent("alice") as alice:
        callee = Answering(ring=100)
        handler = loop.create_task(alice.serve(callee))
        ringing = [loop.create_task(_called(bob)) for _ in range(3)]
        await asyncio.sleep(1)
        async with bob.serving(Answering()):
            for _ in range(3):
                outgoing = await alice.invite("sip:bob.test").__aenter__()
                await outgoing.answered()
            world.network.partition({"10.0.0.1"}, {"10.0.0.2"})
            left = loop.time()
            await alice.__aexit__(None, None, None)
            assert loop.time() == left + alice._grace
            assert callee.cancelled == 3
            world.network.heal()
        for task in (handler, *ringing):
            task.cancel()
        await asyncio.gather(handler, *ringing, return_exceptions=True)
    assert world.leftovers == []


async def _called(agent: UserAgent) -> None:
    async with agent.call("sip:alice.test") as call:
        await call.ended()


# --- serving ---


async def test_serving_ends_at_the_moment_an_invite_arrives(world: World) -> None:
    """The handler's task is cancelled before it has begun; the invitation is refused all the same."""
    began: list[Invitation] = []

    async def never(invitation: Invitation) -> None:
        began.append(invitation)

    async with ScriptedPeer(world, "peer") as peer, world.user_agent("bob") as bob:
        invite = peer.write("INVITE", bob.contact)
        async with bob.serving(never):
            driver = bob._runtime.driver
            driver._receive(driver.endpoints[0].flow_to(peer.address), bytes(invite))
            assert len([left for left in world.leftovers if "_handle" in left]) == 1
        await asyncio.sleep(1)
        assert {response.status for response in peer.responses} == {480}
        assert began == []


async def test_a_handler_that_forwards_a_refusal_refuses_likewise(world: World) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as switch,
    ):

        async def forward(invitation: Invitation) -> None:
            async with switch.call("sip:bob.test"):
                raise AssertionError

        async def busy(invitation: Invitation) -> None:
            await invitation.reject(486)

        async with bob.serving(busy), switch.serving(forward):
            with pytest.raises(CallRejected) as raised:
                async with alice.call("sip:switch.test"):
                    raise AssertionError
    assert raised.value.status == 486
    assert world.leftovers == []


async def test_a_handler_that_will_not_be_cancelled_is_left_behind_in_bounded_time(world: World) -> None:
    loop = asyncio.get_running_loop()
    stubborn: list[Call] = []

    async def stay(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            stubborn.append(call)
            for _ in range(2):  # being cancelled means nothing to it
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(30)

    async with world.user_agent("alice") as alice:
        async with world.user_agent("bob") as bob:
            async with alice.invite("sip:bob.test") as outgoing:
                task = loop.create_task(bob.serve(stay))
                await asyncio.sleep(0)
                await outgoing.answered()
                left = loop.time()
                await bob.__aexit__(None, None, None)
                assert loop.time() <= left + 2 * bob._grace
        task.cancel()
        await asyncio.sleep(100)
    assert world.leftovers == []
    assert (await stubborn[0].ended()).by == "local"


async def test_the_ladder_of_a_refused_serve(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering(ring=100)):
            task = asyncio.create_task(_called_by(alice))
            await asyncio.sleep(1)
        assert await task == 480
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob.test [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    480 Temporarily Unavailable [1 INVITE]
        alice -> bob    ACK sip:bob.test [1]
    """)
    assert world.leftovers == []


async def _called_by(agent: UserAgent) -> int:
    try:
        async with agent.call("sip:bob.test"):
            return 200
    except CallRejected as rejected:
        return rejected.status
