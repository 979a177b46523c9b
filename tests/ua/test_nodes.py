"""A cluster of two user agents: what comes to the wrong one in a call is passed on to the one that has it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sipstack import Account, Call, LocalProtocolError, TracedMessage, UserAgent
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

NODES = {"one": "one.test:5060", "two": "two.test:5060"}


def node(
    world: World, name: str, nodes: Mapping[str, str] = NODES, transport: str = "udp", **options: object
) -> UserAgent:
    """Requests in its calls come to two, as the name of the cluster leads there."""
    host = f"cluster.test;node={name}" + (f";transport={transport}" if transport != "udp" else "")
    listen = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    agent = world.user_agent(name, listen=listen, node=name, nodes=nodes, contact_host=host, **options)
    world.names["cluster.test"] = world.names.get("two.test", [])
    return agent


def one_and_two(
    world: World, nodes: Mapping[str, str] = NODES, transport: str = "udp", **options: object
) -> list[UserAgent]:
    two, one = (node(world, name, nodes, transport, **options) for name in ("two", "one"))
    return [one, two]


class Resumed:
    """Keeps the calls that were taken over."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> None:
        self.calls.append(call)
        await call.ended()


# -- what the application says -----------------------------------------------------------------------------


def test_whoever_names_nodes_says_which_one_he_is() -> None:
    with pytest.raises(LocalProtocolError, match="node="):
        UserAgent(nodes=NODES)


@pytest.mark.parametrize("host", [None, "cluster.test", "cluster.test;node=two"])
def test_the_contact_must_name_this_node(host: str | None) -> None:
    with pytest.raises(LocalProtocolError, match=r"contact_host='(cluster|cluster\.example)\.\w+;node=one'"):
        UserAgent(node="one", nodes=NODES, contact_host=host)


def test_so_must_those_of_the_other_accounts() -> None:
    with pytest.raises(LocalProtocolError, match="contact_host"):
        UserAgent(
            node="one",
            nodes=NODES,
            contact_host="cluster.test;node=one",
            accounts=[Account("sip:carol@example.com")],
        )


@pytest.mark.parametrize("address", ["", "a b", "sip:", "10.0.0.1:x", "10.0.0.1>;x"])
def test_an_address_that_leads_nowhere_is_refused(address: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"sip:10\.0\.0\.2:5060"):
        UserAgent(node="a", nodes={"b": address}, contact_host="cluster.test;node=a")


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a@b", "ä"])
def test_a_name_that_no_contact_can_have_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="name"):
        UserAgent(node="a", nodes={name: "10.0.0.1"}, contact_host="cluster.test;node=a")


# -- what comes to the wrong node --------------------------------------------------------------------------


async def test_the_owner_answers_and_nothing_is_taken_over(world: World) -> None:
    resumed, answering = Resumed(), Answering()
    one, two = one_and_two(world, sessions=MemoryStore(), on_resume=resumed)
    async with world.user_agent("alice") as alice, one, two, one.serving(answering):
        async with alice.call("sip:one@one.test") as call:
            await call.hold()
            await call.resume()
        assert answering.ends[0][0] == "remote"
        assert resumed.calls == []


async def test_without_nodes_the_other_takes_over(world: World) -> None:
    resumed = Resumed()
    one, two = one_and_two(world, {}, sessions=MemoryStore(), on_resume=resumed)
    async with world.user_agent("alice") as alice, one, two, one.serving(Answering()):
        async with alice.call("sip:one@one.test") as call:
            await call.hold()
            assert len(resumed.calls) == 1


async def test_a_call_that_a_node_placed_is_its_own_as_well(world: World) -> None:
    one, two = one_and_two(world)
    answering = Answering()
    async with world.user_agent("alice") as alice, one, two, alice.serving(answering):
        call = await one.call("sip:alice@alice.test").__aenter__()
        await answering.calls[0].hold()
        await answering.calls[0].hang_up()
        assert (await call.ended()).by == "remote"


@pytest.mark.parametrize("link", ["udp", "tcp"])
async def test_who_is_connected_gets_his_answers_over_his_connection(world: World, link: str) -> None:
    seen: list[TracedMessage] = []
    nodes = {name: f"sip:{address};transport={link}" for name, address in NODES.items()}
    one, two = one_and_two(world, nodes, "tcp", trace=seen.append)
    answering = Answering()
    alice = world.user_agent("alice", dials=["tcp"])
    async with alice, one, two, one.serving(answering):
        async with alice.call("sip:one@one.test;transport=tcp") as call:
            await call.hold()
        assert answering.ends[0][0] == "remote"
    passed = [each for each in seen if b";branch=z9hG4bKnode-" in each.data and each.data.startswith(b"BYE")]
    assert len(passed) == 2  # as two sent it, and as one received it
    assert all(f"Via: SIP/2.0/{link.upper()} ".encode() in each.data for each in passed)


async def test_over_a_connection_a_second_of_silence_is_enough(world: World) -> None:
    """Nobody sends a second copy there."""
    resumed = Resumed()
    one, two = one_and_two(world, transport="tcp", sessions=MemoryStore(), on_resume=resumed)
    alice = world.user_agent("alice", dials=["tcp"])
    async with alice, one, two, one.serving(Answering()):
        call = await alice.call("sip:one@one.test;transport=tcp").__aenter__()
        world.network.down(world.names["one.test"][0])
        began = world.now
        await call.hold()
        assert 0.9 < world.now - began < 1.2
        assert len(resumed.calls) == 1
        await call.hang_up()


async def test_who_resumes_a_call_of_a_dead_node_hears_of_it(world: World) -> None:
    resumed = Resumed()
    one, two = one_and_two(world, sessions=MemoryStore(), on_resume=resumed)
    async with world.user_agent("alice") as alice, one, two, one.serving(Answering()):
        call = await alice.call("sip:one@one.test").__aenter__()
        world.network.down(world.names["one.test"][0])
        began = world.now
        await call.hold()
        assert 0.4 < world.now - began < 0.7  # T1
        assert len(resumed.calls) == 1
        began = world.now
        await call.resume()
        assert world.now - began < 0.1  # it is two's now
        await call.hang_up()
