"""Nodes that share a store take one another's nonces; what is replayed is refused (RFC 7616 §5.4, §5.5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import Authentication, IncomingRequest, StoreError, UserAgent
from sipstack.message import Response
from sipstack.message.auth import Challenge
from sipstack.message.digest import DigestAccount, DigestClient
from sipstack.message.nonce import ELSEWHERE
from sipstack.store.memory import MemoryStore
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.ua.kept_state import AGAIN, PATIENCE
from sipstack.ua.shared_nonces import REVIEW, ROTATION
from tests.ua.restarts import Mute, Trouble, kill, octets

pytestmark = pytest.mark.virtual_time

REALM = "cluster.test"
ASKS = Authentication(REALM, {"alice": "open sesame"})


class Nodes:
    """User agents that ask for credentials, and what they let in."""

    def __init__(self, world: World, store: object) -> None:
        self.world, self.store = world, store
        self.let_in: list[str] = []

    def node(self, name: str, **options: Any) -> UserAgent:
        return self.world.user_agent(name, **({"sessions": self.store, "node": name} | options))

    def serving(self, agent: UserAgent, authenticate: Authentication = ASKS) -> Any:
        return agent.serving(requests={"MESSAGE": self._take}, authenticate=authenticate)

    async def _take(self, request: IncomingRequest) -> None:
        self.let_in.append(request.call_id)
        await request.respond(200)


class Client(ScriptedPeer):
    """Answers challenges, wherever it likes."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "client")
        self.hosts = world.names
        self.count = 0
        self.digest = DigestClient(DigestAccount("alice", "open sesame"))

    async def ask(self, node: str, given: object = None) -> Response:
        self.count += 1
        fields = [] if given is None else [("Authorization", given)]
        call_id = f"c{self.count}"
        request = self.write("MESSAGE", "sip:cluster.test", cseq=1, headers=fields, call_id=call_id)
        before = len(self.responses)
        self.send((self.hosts[f"{node}.test"][0], 5060), request)
        await self.responded(before + 1)
        return self.response

    async def challenged(self, node: str) -> Challenge:
        (first, *_) = (await self.ask(node)).headers.typed("WWW-Authenticate")
        assert isinstance(first, Challenge)
        return first

    def credentials(self, challenge: Challenge) -> object:
        """Credentials, with the next count of this nonce."""
        return self.digest.authorize(challenge, "MESSAGE", "sip:cluster.test", b"", "cnonce")


def is_stale(response: Response) -> bool:
    return response.status == 401 and response.headers.typed("WWW-Authenticate")[0].stale is True


async def test_a_nonce_of_one_node_is_good_at_the_other(world: World) -> None:
    nodes, client = Nodes(world, MemoryStore()), Client(world)
    async with nodes.node("one") as one, nodes.serving(one):
        await asyncio.sleep(1000)  # the other one begins later
        async with nodes.node("two") as two, nodes.serving(two):
            challenge = await client.challenged("one")
            assert (await client.ask("two", client.credentials(challenge))).status == 200
            challenge = await client.challenged("two")
            assert (await client.ask("one", client.credentials(challenge))).status == 200
    assert world.leftovers == []


async def test_without_a_store_it_is_not(world: World) -> None:
    nodes, client = Nodes(world, None), Client(world)
    async with nodes.node("one") as one, nodes.serving(one):
        async with nodes.node("two") as two, nodes.serving(two):
            challenge = await client.challenged("one")
            assert is_stale(await client.ask("two", client.credentials(challenge)))


async def test_what_is_replayed_where_it_was_used_is_refused(world: World) -> None:
    nodes, client = Nodes(world, MemoryStore()), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        given = client.credentials(await client.challenged("one"))
        assert (await client.ask("two", given)).status == 200
        assert is_stale(await client.ask("two", given))
        assert len(nodes.let_in) == 1


async def test_a_replay_at_the_other_node_is_bounded_to_the_first_request_and_half_a_minute(
    world: World,
) -> None:
    nodes, client = Nodes(world, MemoryStore()), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        challenge = await client.challenged("one")
        first, second = client.credentials(challenge), client.credentials(challenge)
        assert (await client.ask("one", first)).status == 200
        assert (await client.ask("one", second)).status == 200
        assert is_stale(await client.ask("two", second))
        assert (await client.ask("two", first)).status == 200  # what nobody has told it of
        assert is_stale(await client.ask("two", first))  # and that once
        later = await client.challenged("one")
        given = client.credentials(later)
        assert (await client.ask("one", given)).status == 200
        await asyncio.sleep(ELSEWHERE + 1)
        assert is_stale(await client.ask("two", given))
        assert (await client.ask("one", client.credentials(later))).status == 200  # its own last longer


async def test_a_client_that_is_sent_from_node_to_node_is_let_in_with_one_challenge_more(
    world: World,
) -> None:
    """stale=true: the password is right, and nobody is asked for it."""
    nodes = Nodes(world, MemoryStore())
    async with (
        nodes.node("one") as one,
        nodes.node("two") as two,
        nodes.serving(one),
        nodes.serving(two),
        world.user_agent(
            "alice",
            credentials={REALM: ("alice", "open sesame")},
            credentials_to=["one.test", "two.test"],
        ) as alice,
    ):
        for node in ("one", "two", "one", "two"):
            assert (await alice.message(f"sip:{node}.test", "hello")).status == 200


async def test_a_nonce_is_good_after_a_restart_and_what_was_used_before_is_not(world: World) -> None:
    nodes, client = Nodes(world, MemoryStore()), Client(world)
    async with nodes.node("one") as one, nodes.serving(one):
        used, fresh = await client.challenged("one"), await client.challenged("one")
        assert (await client.ask("one", client.credentials(used))).status == 200
        second = client.credentials(used)
        assert (await client.ask("one", second)).status == 200
        await kill(one)
    async with nodes.node("one") as one, nodes.serving(one):
        assert is_stale(await client.ask("one", second))
        assert (await client.ask("one", client.credentials(fresh))).status == 200


async def test_nodes_that_begin_at_once_agree(world: World) -> None:
    store = Trouble()
    store.late = 0.2  # each finds nothing, and writes
    nodes, client = Nodes(world, store), Client(world)
    names = ["n1", "n2", "n3", "n4"]
    agents = [nodes.node(name) for name in names]
    done = asyncio.Event()

    async def run(agent: UserAgent) -> None:
        async with agent, nodes.serving(agent):
            await done.wait()

    tasks = [asyncio.create_task(run(agent)) for agent in agents]
    await asyncio.sleep(10)
    for node in names:
        for other in names:
            given = client.credentials(await client.challenged(node))
            assert (await client.ask(other, given)).status == 200
    done.set()
    await asyncio.gather(*tasks)


async def test_the_secret_is_replaced_after_a_day_and_the_nodes_agree_again(world: World) -> None:
    store = MemoryStore()
    nodes, client = Nodes(world, store), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        await asyncio.sleep(ROTATION - 10)
        before, old = octets(store), await client.challenged("one")
        await asyncio.sleep(20)
        assert octets(store) != before
        assert is_stale(await client.ask("one", client.credentials(old)))
        new = await client.challenged("one")
        assert (await client.ask("two", client.credentials(new))).status == 200


async def test_a_store_that_was_emptied_is_noticed(world: World) -> None:
    store = MemoryStore()
    nodes, client = Nodes(world, store), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        store._entries.clear()
        await asyncio.sleep(2 * REVIEW)
        challenge = await client.challenged("one")
        assert (await client.ask("two", client.credentials(challenge))).status == 200


async def test_a_store_that_is_down_is_done_without_and_found_again(world: World) -> None:
    store = Trouble()
    store.down = True
    nodes, client = Nodes(world, store), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        challenge = await client.challenged("one")
        assert is_stale(await client.ask("two", client.credentials(challenge)))
        assert (await client.ask("one", client.credentials(challenge))).status == 200
        store.down = False
        await asyncio.sleep(AGAIN + 1)
        challenge = await client.challenged("one")
        assert (await client.ask("two", client.credentials(challenge))).status == 200


async def test_a_store_that_says_nothing_is_waited_for_a_moment(world: World) -> None:
    nodes, client = Nodes(world, Mute()), Client(world)
    async with nodes.node("one") as one, nodes.serving(one):
        assert world.now == pytest.approx(PATIENCE)
        challenge = await client.challenged("one")
        assert (await client.ask("one", client.credentials(challenge))).status == 200


@pytest.mark.parametrize("record", [b"", b"{}", b'{"is":"xyz"}', b'{"is":"00"}', b'{"is":[1]}', b"\xff"])
async def test_a_secret_that_is_none_is_replaced(world: World, record: bytes) -> None:
    store = MemoryStore()
    store.put(f"secret {REALM}", record, 0, 1000.0, lambda _: None)
    nodes, client = Nodes(world, store), Client(world)
    async with nodes.node("one") as one, nodes.node("two") as two, nodes.serving(one), nodes.serving(two):
        challenge = await client.challenged("one")
        assert (await client.ask("two", client.credentials(challenge))).status == 200


async def test_neither_password_nor_secret_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    store = Trouble()
    nodes = Nodes(world, store)
    with caplog.at_level("DEBUG"):
        async with nodes.node("one") as one, nodes.serving(one):
            store.down = True
            await asyncio.sleep(2 * REVIEW)
            store.down = False
            text = octets(store).decode()
            secret = text.partition('":"')[2].partition('"')[0]
            assert len(secret) == 64
            assert "open sesame" not in text
            assert "the store fails" in caplog.text
            assert secret not in caplog.text
            guard = one._runtime.core.uas.guard
            assert secret not in repr(guard)


# -- sealed ------------------------------------------------------------------------------------------------

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def sealing(*keys: bytes) -> Authentication:
    return Authentication(REALM, {"alice": "open sesame"}, keys=keys)


async def agree(client: Client, *, agreed: bool = True) -> None:
    """Whether the second node takes a nonce of the first."""
    challenge = await client.challenged("one")
    response = await client.ask("two", client.credentials(challenge))
    assert (response.status == 200, is_stale(response)) == (agreed, not agreed)


async def test_nodes_with_the_same_keys_agree_and_who_reads_the_store_has_no_secret(world: World) -> None:
    pytest.importorskip("cryptography", reason="the extra sessions is not installed")
    store = MemoryStore()
    nodes, client = Nodes(world, store), Client(world)
    one, two = nodes.node("one"), nodes.node("two")
    async with one, two, nodes.serving(one, sealing(OLD)), nodes.serving(two, sealing(OLD)):
        await agree(client)
        assert b'{"is":"sealed:' in octets(store)


async def test_keys_are_replaced_while_it_runs(world: World) -> None:
    """The new one is first added to all nodes, then put first."""
    pytest.importorskip("cryptography", reason="the extra sessions is not installed")
    nodes, client = Nodes(world, MemoryStore()), Client(world)
    one, two = nodes.node("one"), nodes.node("two")
    async with one, two, nodes.serving(one, sealing(OLD, NEW)), nodes.serving(two, sealing(NEW, OLD)):
        await agree(client)


async def test_a_secret_in_clear_is_not_taken_by_who_has_keys(world: World) -> None:
    """Else whoever may write to the store could give us his."""
    pytest.importorskip("cryptography", reason="the extra sessions is not installed")
    store = MemoryStore()
    store.put(f"secret {REALM}", b'{"is":"%s"}' % (b"ab" * 32), 0, 1000.0, lambda _: None)
    nodes, client = Nodes(world, store), Client(world)
    one, two = nodes.node("one"), nodes.node("two")
    async with one, two, nodes.serving(one, sealing(OLD)), nodes.serving(two, sealing(OLD)):
        await agree(client)
        assert b"abab" not in octets(store)


async def test_a_node_without_the_keys_leaves_it_alone_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cryptography", reason="the extra sessions is not installed")
    store = MemoryStore()
    nodes, client = Nodes(world, store), Client(world)
    one, two = nodes.node("one"), nodes.node("two")
    async with one, two, nodes.serving(one, sealing(OLD)):
        before = octets(store)
        async with nodes.serving(two):
            await asyncio.sleep(2 * REVIEW)
            await agree(client, agreed=False)
            assert octets(store) == before
    assert caplog.text.count("what it has is sealed") == 1


@pytest.mark.parametrize("keys", [[b"short"], [], [OLD, OLD], "/nowhere/keys"])
async def test_keys_that_are_none_are_told_at_once(world: World, keys: Any) -> None:
    pytest.importorskip("cryptography", reason="the extra sessions is not installed")
    nodes = Nodes(world, MemoryStore())
    wrong = Authentication(REALM, {"alice": "open sesame"}, keys=keys)
    async with nodes.node("one") as one:
        with pytest.raises(StoreError, match="key"):
            async with nodes.serving(one, wrong):
                pass
        async with nodes.serving(one):  # nothing is left of it
            pass
    assert "open sesame" not in repr(wrong)
    assert OLD.hex() not in repr(wrong)
