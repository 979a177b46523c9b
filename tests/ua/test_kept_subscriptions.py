"""After a restart a subscription goes on in its dialog, and a publication by its entity tag."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from sipstack import AuthenticationFailed, FlowClosed, Presence, PresenceTuple, Subscription, UserAgent
from sipstack.message import Request, Response
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from sipstack.ua.kept_state import AGAIN, PATIENCE, SKIPPED
from sipstack.ua.subscription import RESUMES
from sipstack.usage.packages.presence import PRESENCE
from tests.ua.compositor import Compositor
from tests.ua.notifier import ScriptedNotifier
from tests.ua.restarts import Mute, Trouble, keys, kill

pytestmark = pytest.mark.virtual_time

TARGET = "sip:moon@notifier.test"
WHERE = "sip:alice@compositor.test"
OPEN = Presence(WHERE, (PresenceTuple("t", True),))
CLOSED = Presence(WHERE, (PresenceTuple("t", False),))


def alice_at(world: World, store: object, name: str = "alice", **options: Any) -> UserAgent:
    return world.user_agent(name, **({"sessions": store, "node": "one"} | options))


@contextlib.asynccontextmanager
async def subscribed(agent: UserAgent, **options: Any) -> AsyncIterator[Subscription]:
    async with agent, agent.subscribe(TARGET, "moon", **options) as subscription:
        yield subscription


async def killed(agent: UserAgent, after: float = 100.0) -> None:
    """Subscribe, and die some time later."""
    async with agent:
        task = asyncio.create_task(hold(agent))
        await asyncio.sleep(after)
        task.cancel()
        agent._runtime.driver._draining = True  # before the block says that it is left
        await kill(agent)
        await asyncio.gather(task, return_exceptions=True)


async def hold(agent: UserAgent) -> None:
    async with agent.subscribe(TARGET, "moon", expires=600):
        await asyncio.sleep(100_000)


class StrictNotifier(ScriptedNotifier):
    """Knows its dialogs, and refuses a CSeq that is not higher in one (RFC 3261 §12.2.2)."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.numbers: dict[str, int] = {}
        self.ahead = 0
        self.silent_to: set[str] = set()

    def _subscribe(self, request: Request) -> Iterable[Response]:
        if request.method != "SUBSCRIBE" or request.call_id in self.silent_to:
            return
        if request.to.tag is not None:
            before = self.numbers.get(request.call_id)
            if before is None:
                yield request.response(481)
                return
            if request.cseq.number <= before + self.ahead:
                yield request.response(500)
                return
        self.numbers[request.call_id] = request.cseq.number
        yield from super()._subscribe(request)


# --- subscriptions ---


async def test_a_subscription_goes_on_in_its_dialog(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        (before,) = notifier.requests
        notifier.body = b"two"
        async with subscribed(alice_at(world, store), expires=600) as subscription:
            after = notifier.requests[-1]
            assert (after.call_id, after.from_.tag) == (before.call_id, before.from_.tag)
            assert (after.to.tag, after.cseq.number) == ("tag1", before.cseq.number + SKIPPED + 1)
            assert subscription.active
            assert subscription.latest is not None
            assert subscription.latest.body == b"two"
            notifier.notify()  # the next one of the same dialog is taken as well
            await asyncio.sleep(1)
            assert notifier.response.status == 200
            await asyncio.sleep(3000)
            assert subscription.active
        assert set(notifier.calls) == {before.call_id}
        assert keys(store) == []
    assert world.leftovers == []


async def test_a_second_restart_goes_on_as_well(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        await killed(alice_at(world, store))
        async with subscribed(alice_at(world, store)) as subscription:
            assert subscription.active
        assert len(set(notifier.calls)) == 1


@pytest.mark.parametrize("why", ["unknown", "behind", "silent"])
async def test_what_the_notifier_does_not_know_any_more_is_begun_anew(world: World, why: str) -> None:
    """It has restarted (481); the process before went further than its record (500); nothing answers."""
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        (before,) = notifier.calls
        if why == "unknown":
            notifier.numbers.clear()
        elif why == "behind":
            notifier.ahead = 100
        else:
            notifier.silent_to.add(before)
        began = world.now
        async with subscribed(alice_at(world, store)) as subscription:
            assert subscription.active
            assert world.now == pytest.approx(began + (RESUMES if why == "silent" else 0))
            assert notifier.calls[-1] != before
            assert len(keys(store)) == 1
            notifier.ahead = 0


async def test_credentials_that_are_refused_are_told_and_not_tried_anew(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        notifier.status = 401
        with pytest.raises(AuthenticationFailed):
            async with subscribed(alice_at(world, store)):
                raise AssertionError
        assert len(notifier.subscribes) == 2


async def test_leaving_while_it_goes_on_is_bounded(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        notifier.silent_to.add(notifier.calls[0])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5), subscribed(alice_at(world, store)):
                raise AssertionError
        await asyncio.sleep(1000)
        assert len(notifier.subscribes) == 1  # nothing was begun anew
    assert world.leftovers == []


async def test_what_ran_out_meanwhile_is_begun_anew(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        await killed(alice_at(world, store))
        await asyncio.sleep(600)
        async with subscribed(alice_at(world, store)):
            assert len(set(notifier.calls)) == 2
            assert notifier.requests[-1].to.tag is None


async def test_a_poll_is_not_kept(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world), alice_at(world, store) as alice:
        await alice.poll(TARGET, "moon")
        assert keys(store) == []


async def test_a_second_node_takes_nothing_from_the_first(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier, subscribed(alice_at(world, store)) as first:
        async with subscribed(alice_at(world, store, "other", node="two")) as second:
            await asyncio.sleep(5000)
            assert first.active
            assert second.active
            assert len(set(notifier.calls)) == 2
            assert len(keys(store)) == 2


async def test_who_was_only_asleep_leaves_it_to_the_process_that_went_on(world: World) -> None:
    store = MemoryStore()
    async with StrictNotifier(world) as notifier:
        async with subscribed(alice_at(world, store), expires=600) as asleep:
            async with subscribed(alice_at(world, store, listen="udp:10.0.0.2:5070"), expires=600) as awake:
                notifier._last = notifier.requests[0]
                notifier.notify()  # to the first: it writes that, and is told
                await asyncio.sleep(1)
                assert "another process" in str(asleep.error)
                count = len(notifier.subscribes)
                with pytest.raises(FlowClosed, match="another process"):
                    async for _ in asleep:
                        pass
                await asyncio.sleep(2000)
                refreshes = notifier.requests[count + 1 :]
                assert all(each.vias[0].port == 5070 for each in refreshes if each.method == "SUBSCRIBE")
                assert awake.active
    assert world.leftovers == []


async def test_a_burst_of_notifications_is_written_once_at_a_time(world: World) -> None:
    store = Trouble()
    async with StrictNotifier(world) as notifier, subscribed(alice_at(world, store)):
        store.late, writes = 1.0, store.writes
        for _ in range(50):
            notifier.notify()
        await asyncio.sleep(5)
        assert store.writes - writes == 2  # the first, and the last of those that came meanwhile


async def test_without_a_store_that_answers_it_subscribes_all_the_same(world: World) -> None:
    async with StrictNotifier(world), subscribed(alice_at(world, Mute())) as subscription:
        assert subscription.active
        assert world.now == pytest.approx(PATIENCE)


DIALOG = (
    '"call_id":"c","local_tag":"a","remote_tag":"b","local":"<sip:a@a>;tag=a","remote":"<sip:b@b>;tag=b",'
    '"remote_target":"sip:b@10.0.0.9","route_set":[],"local_cseq":1,"remote_cseq":1,"early":false,'
    '"secure":false'
)


@pytest.mark.parametrize(
    "subscriptions",
    [
        "7",
        "[7]",
        "[{}]",
        '[{"expires_in":100,"dialog":{}}]',
        f'[{{"expires_in":"100","dialog":{{{DIALOG}}}}}]',
        '[{"expires_in":100,"dialog":{' + DIALOG.replace('"c"', '"another"') + "}}]",
        '[{"expires_in":100,"dialog":{' + DIALOG.replace("sip:b@10.0.0.9", "sip:b@b\\r\\nX: y") + "}}]",
        "[" + ",".join(['{"expires_in":100,"dialog":{' + DIALOG + "}}"] * 33) + "]",
    ],
)
async def test_a_record_that_is_none_is_begun_without(world: World, subscriptions: str) -> None:
    store, key = MemoryStore(), "subscription one sip:alice@alice.test sip:moon@notifier.test moon"
    record = '{"is":{"call_id":"c","local_tag":"a","subscriptions":' + subscriptions + "}}"
    store.put(key, record.encode(), 0, 1000.0, lambda _: None)
    async with StrictNotifier(world) as notifier, subscribed(alice_at(world, store)) as subscription:
        assert subscription.active
        assert notifier.requests[0].to.tag is None


# --- publications ---


@contextlib.asynccontextmanager
async def published(agent: UserAgent, state: Presence = OPEN) -> AsyncIterator[Any]:
    async with agent, agent.publish(WHERE, "presence", state, expires=600) as publication:
        yield publication


async def published_and_killed(agent: UserAgent, after: float = 100.0) -> None:
    async with published(agent):
        await asyncio.sleep(after)
        await kill(agent)


async def test_a_publication_goes_on_by_its_entity_tag(world: World) -> None:
    store = MemoryStore()
    async with Compositor(world) as server:
        await published_and_killed(alice_at(world, store))
        before = server.requests[-1]
        async with published(alice_at(world, store), CLOSED) as publication:
            after = server.requests[-1]
            assert server.seen == ["initial", "modify"]
            assert after.headers.get("SIP-If-Match") == "tag1"
            assert (after.call_id, after.from_.tag) == (before.call_id, before.from_.tag)
            assert after.cseq.number == before.cseq.number + SKIPPED + 1
            assert [PRESENCE.read(body) for body in server.states.values()] == [CLOSED]
            assert publication.active
        assert server.states == {}
        assert keys(store) == []
    assert world.leftovers == []


async def test_a_tag_of_a_refresh_is_the_one_that_counts(world: World) -> None:
    store = MemoryStore()
    async with Compositor(world) as server:
        await published_and_killed(alice_at(world, store), after=2000)
        (tag,) = server.states
        assert tag != "tag1"
        async with published(alice_at(world, store), CLOSED):
            assert server.requests[-1].headers.get("SIP-If-Match") == tag
            assert len(server.states) == 1


async def test_a_server_that_has_lost_it_is_told_anew(world: World) -> None:
    store = MemoryStore()
    async with Compositor(world) as server:
        await published_and_killed(alice_at(world, store))
        server.states.clear()
        async with published(alice_at(world, store), CLOSED):
            assert server.seen == ["initial", "modify", "initial"]
            assert [PRESENCE.read(body) for body in server.states.values()] == [CLOSED]


async def test_two_nodes_publish_two_states(world: World) -> None:
    store, aor = MemoryStore(), "sip:alice@alice.test"
    async with Compositor(world) as server, published(alice_at(world, store, aor=aor)):
        async with published(alice_at(world, store, "other", aor=aor, node="two"), CLOSED):
            assert server.seen == ["initial", "initial"]
            assert len(server.states) == 2


async def test_a_publication_is_kept_as_soon_as_its_store_is_back(world: World) -> None:
    store = Trouble()
    store.down = True
    async with Compositor(world), published(alice_at(world, store)):
        store.down = False
        await asyncio.sleep(AGAIN + 1)
        assert len(keys(store)) == 1


@pytest.mark.parametrize("etag", ['""', '"a b"', '"a\\r\\nX: y"', "7", "null"])
async def test_a_tag_that_is_none_is_not_sent(world: World, etag: str) -> None:
    store, key = MemoryStore(), "publication one sip:alice@alice.test sip:alice@compositor.test presence"
    record = '{"is":{"call_id":"c","local_tag":"a","cseq":1,"expires_in":100,"etag":' + etag + "}}"
    store.put(key, record.encode(), 0, 1000.0, lambda _: None)
    async with Compositor(world) as server, published(alice_at(world, store)):
        assert server.seen == ["initial"]
