"""A world of user agents: what it promises to those who test their applications with it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sipstack import (
    CallRejected,
    Invitation,
    TransactionTimeout,
    TransportError,
    UserAgent,
)
from sipstack.errors import LocalProtocolError
from sipstack.media.port import MediaPort
from sipstack.testing import Link, World, loop
from sipstack.testing.media import SilentMedia
from sipstack.testing.network import Fate, Passage
from tests.ua.handlers import Answering, busy, echo

pytestmark = pytest.mark.virtual_time

BAD = Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1, reorder=0.1)


async def some_calls(world: World) -> list[Passage]:
    """A bit of everything that draws random numbers."""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.call("sip:bob@bob.test") as call:
            await call.hold()
        await asyncio.gather(alice.options("sip:bob@bob.test"), bob.message("sip:alice@alice.test", "hi"))
    assert world.leftovers == []
    return world.trace


# --- the same seed ---


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    one, other = (loop.run(some_calls(World(seed=seed, link=BAD))) for _ in range(2))
    assert one == other
    assert len(one) > 10


def test_another_seed_gives_another_trace() -> None:
    one, other = (loop.run(some_calls(World(seed=seed, link=BAD))) for seed in (1, 2))
    assert one != other


def test_without_a_seed_it_is_the_seed_0() -> None:
    assert loop.run(some_calls(World())) == loop.run(some_calls(World(seed=0)))


# --- hosts and names ---


async def test_each_name_is_a_host_of_its_own(world: World) -> None:
    agents = [world.user_agent(name) for name in ("alice", "bob", "carol")]
    assert [agent.aor for agent in agents] == [f"sip:{n}@{n}.test" for n in ("alice", "bob", "carol")]
    assert world.names == {
        "alice.test": ["10.0.0.1"],
        "bob.test": ["10.0.0.2"],
        "carol.test": ["10.0.0.3"],
    }
    assert repr(world) == "<World of ['alice.test', 'bob.test', 'carol.test']>"
    async with agents[1] as bob:
        assert bob.listening == [("udp", "10.0.0.2", 5060)]
        assert bob.contact == "sip:bob@10.0.0.2:5060"


async def test_a_second_one_of_a_name_is_on_the_same_host(world: World) -> None:
    async with world.user_agent("alice") as first, world.user_agent("bob"):
        with pytest.raises(TransportError, match=r"cannot listen on udp:10\.0\.0\.1:5060: Address already"):
            await world.user_agent("alice").__aenter__()
        port = first.contact
    async with world.user_agent("alice") as second, world.user_agent("carol") as carol:
        assert second.contact == port
        assert carol.contact == "sip:carol@10.0.0.3:5060"


async def test_names_of_your_own_are_found_and_their_addresses_are_left_to_them(world: World) -> None:
    world.names["pbx.example.com"] = ["10.0.0.1", "10.0.0.3"]
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        assert alice.listening == [("udp", "10.0.0.2", 5060)]
        world.names["Nobody.test"] = ["10.0.0.4"]
        world.names["sales.example.com"] = world.names["bob.test"]
        assert (await alice.options("sip:sales.example.com")).status == 200


async def test_there_is_room_for_many(world: World) -> None:
    agents = [world.user_agent(f"agent-{number}") for number in range(300)]
    async with contextlib.AsyncExitStack() as stack:
        for agent in agents:
            await stack.enter_async_context(agent)
        assert (await agents[0].options("sip:agent-299.test")).status == 200
    assert world.leftovers == []


# --- options ---


async def test_options_are_those_of_the_user_agent(world: World) -> None:
    made: list[MediaPort] = []

    def media(host: str) -> MediaPort:
        made.append(SilentMedia(host))
        return made[-1]

    async with (
        world.user_agent("alice", aor="sip:alice@example.com", user_agent="test/1", media=media) as alice,
        world.user_agent("bob", listen=["udp:0.0.0.0:5070", "udp:10.0.0.2:5080"]) as bob,
        bob.serving(echo),
    ):
        assert alice.aor == "sip:alice@example.com"
        assert bob.listening == [("udp", "10.0.0.2", 5070), ("udp", "10.0.0.2", 5080)]
        async with alice.call("sip:bob.test:5080") as call:
            assert call.audio is made[0].audio
        assert b"\r\nUser-Agent: test/1\r\n" in world.trace[0].data
    assert world.leftovers == []


async def test_an_unknown_option_is_a_mistake(world: World) -> None:
    with pytest.raises(TypeError, match="passwd"):
        world.user_agent("alice", passwd="secret")


@pytest.mark.parametrize(
    ("icmp", "error", "seconds"), [(True, TransportError, 0), (False, TransactionTimeout, 32)]
)
async def test_icmp_makes_closed_ports_refuse(icmp: bool, error: type[Exception], seconds: float) -> None:
    world = World(icmp=icmp)
    async with world.user_agent("alice") as alice:
        with pytest.raises(error):
            await alice.options("sip:10.0.0.1:9")
    assert asyncio.get_running_loop().time() == seconds
    assert (world.trace[-1].fate is Fate.REFUSED) == icmp


async def test_a_link_is_that_of_the_network() -> None:
    world = World(link=Link(delay=0.1))
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        await alice.options("sip:bob.test")
    assert [passage.time for passage in world.trace] == [0.1, 0.2]


async def test_the_fixture_is_a_world_without_faults(world: World) -> None:
    assert (world.leftovers, world.trace, world.names) == ([], [], {})


# --- leftovers ---


async def test_leftovers_are_named_while_there_are_any(world: World) -> None:
    callee = Answering()
    waiting = asyncio.Event()
    task = asyncio.create_task(waiting.wait(), name="a task of the test")
    alice, bob = world.user_agent("alice"), world.user_agent("bob")
    await alice.__aenter__()
    assert [left for left in world.leftovers if "task" not in left] == ["endpoint 10.0.0.1:5060"]
    async with bob, bob.serving(callee), alice.invite("sip:bob@bob.test") as outgoing:
        call = await outgoing.answered()
        left = world.leftovers
        assert left[:2] == ["endpoint 10.0.0.1:5060", "endpoint 10.0.0.2:5060"]
        assert left[2:4] == [repr(call), repr(callee.calls[0])]
        assert left[4:6] == [
            "open media <SilentMedia 10.0.0.1 codec=PCMU>",
            "open media <SilentMedia 10.0.0.2 codec=PCMU>",
        ]
        assert len([each for each in left if each.startswith("<Task ")]) == 2  # the handler's and the test's
    await alice.__aexit__(None, None, None)
    assert [left.split("name=")[1][:20] for left in world.leftovers] == ["'a task of the test'"]
    waiting.set()
    await task
    assert world.leftovers == []


async def test_what_a_refused_call_opened_is_closed(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(busy):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        assert [left for left in world.leftovers if "media" in left] == []
    assert world.leftovers == []


async def test_an_agent_that_is_not_running_says_so(world: World) -> None:
    agent = world.user_agent("alice")
    for use in (_call, _serve, _register, _contact):
        with pytest.raises(LocalProtocolError, match="not running"):
            await use(agent)
    async with agent:
        with pytest.raises(LocalProtocolError, match="running already"):
            await agent.__aenter__()
        await _contact(agent)


async def _call(agent: UserAgent) -> None:
    async with agent.call("sip:bob@bob.test"):
        raise AssertionError


async def _serve(agent: UserAgent) -> None:
    async def never(invitation: Invitation) -> None:
        raise AssertionError

    await agent.serve(never)


async def _register(agent: UserAgent) -> None:
    async with agent.register():
        raise AssertionError


async def _contact(agent: UserAgent) -> None:
    assert agent.contact == "sip:alice@10.0.0.1:5060"
