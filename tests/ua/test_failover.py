"""A name with several addresses behind the public API: in what order they are tried (RFC 3263 §4.3)."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from sipstack import ResolutionError, TransactionTimeout, TransportError, UserAgent
from sipstack.core.dns_records import Answer, Naptr, Query, Srv
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.world import World
from tests.ua.handlers import echo

pytestmark = pytest.mark.virtual_time

ADDRESSES = {"one": ("10.1.0.1", 5060), "two": ("10.1.0.2", 5060), "three": ("10.1.0.3", 5060)}
PBX = "sip:bob@pbx.test"


class Records(HostedNetwork):
    """Finds every name at these places, each with a priority."""

    def __init__(self, world: World, priorities: dict[str, int]) -> None:
        super().__init__(world.simulated, "10.0.0.1")
        self._priorities = priorities

    async def resolve(self, query: Query) -> Answer:
        if query == Query("_sip._udp.pbx.test", "SRV"):
            return Answer(
                tuple(Srv(place, 0, 5060, f"{name}.test") for name, place in self._priorities.items())
            )
        return await super().resolve(query)


def caller(world: World, **priorities: int) -> UserAgent:
    """Alice, to whom the PBX is at these places."""
    for name, (host, _) in ADDRESSES.items():
        world.names[f"{name}.test"] = [host]
    world.names["alice.test"] = ["10.0.0.1"]
    return world.user_agent("alice", network=Records(world, priorities))


async def test_none_of_them_is_there() -> None:
    world = World(icmp=True)
    async with caller(world, one=30, two=10, three=20) as alice:
        with pytest.raises(TransportError, match="Connection refused"):
            async with alice.call(PBX):
                pass
    assert world.ladder() == ladder(f"""
        alice -> two      INVITE {PBX} [1]
        alice -> three    INVITE {PBX} [1]
        alice -> one      INVITE {PBX} [1]
    """)
    assert world.leftovers == []


async def test_there_are_none(world: World) -> None:
    async with caller(world) as alice:
        with pytest.raises(ResolutionError, match=f"no address for {PBX}"):
            await alice.options(PBX)


@pytest.mark.parametrize("order", list(itertools.permutations(ADDRESSES)))
async def test_the_lowest_priority_is_tried_first(order: tuple[str, ...]) -> None:
    world = World(icmp=True)
    async with caller(world, **{name: place for place, name in enumerate(order)}) as alice:
        with pytest.raises(TransportError):
            await alice.options(PBX)
    assert world.ladder() == [f"alice -> {name} OPTIONS {PBX} [1]" for name in order]


async def test_only_the_first_call_waits_for_a_dead_address(world: World) -> None:
    async with caller(world, one=10, two=20) as alice, world.user_agent("two") as two, two.serving(echo):
        for _ in range(2):
            async with alice.call(PBX):
                pass
        lines = [(time, line) for time, line in world.timed_ladder() if "INVITE" in line]
    wanted = timed(f"""
        32.0    alice -> two    INVITE {PBX} [1]
        32.0    two -> alice    200 OK [1 INVITE]
    """)
    assert [(time, line) for time, line in lines if "two" in line] == [*wanted, *wanted]
    assert max(time for time, line in lines if "one" in line) < 32


async def test_calls_at_the_same_time_make_no_more_than_one_suspicion(world: World) -> None:
    """Ten calls that time out together: the address is avoided for 32 s, not for ten minutes."""
    async with caller(world, one=10, two=20) as alice, world.user_agent("two"):
        await asyncio.gather(*(alice.options(PBX) for _ in range(10)))
        assert world.now == 32
        world.ladder()
        await asyncio.sleep(33)
        async with world.user_agent("one"):
            await alice.options(PBX)
        assert world.ladder() == ladder(f"""
            alice -> one    OPTIONS {PBX} [1]
            one -> alice    200 OK [1 OPTIONS]
        """)


async def test_the_better_server_is_gone_back_to_when_its_mark_is_over(world: World) -> None:
    """Found by NAPTR and SRV; what is suspect is the address, whatever the DNS says again."""
    world.records[Query("pbx.test", "NAPTR")] = [Naptr(1, 1, "s", "SIP+D2U", "", "ways.pbx.test")]
    world.records[Query("ways.pbx.test", "SRV")] = [Srv(1, 0, 5060, "one.test"), Srv(2, 0, 5060, "two.test")]
    for name, (host, _) in ADDRESSES.items():
        world.names[f"{name}.test"] = [host]
    async with world.user_agent("alice") as alice, world.user_agent("two"):
        await alice.options(PBX)
        assert world.now == 32
        async with world.user_agent("one"):
            tried = []
            for pause in (0, 31, 2):
                await asyncio.sleep(pause)
                world.ladder()
                await alice.options(PBX)
                tried.append(world.ladder()[0])
        assert tried == ladder(f"""
            alice -> two    OPTIONS {PBX} [1]
            alice -> two    OPTIONS {PBX} [1]
            alice -> one    OPTIONS {PBX} [1]
        """)


async def test_silence_everywhere_is_a_timeout(world: World) -> None:
    async with caller(world, one=10, two=20) as alice:
        with pytest.raises(TransactionTimeout):
            await alice.options(PBX)
        assert world.now == 64
