"""A process that died and is started again goes on with its binding (RFC 3261 §10.2.4, RFC 5626 §4.1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sipstack import AuthenticationFailed, Registration, RegistrationRejected, UserAgent
from sipstack.message import Request, Response
from sipstack.store.memory import MemoryStore
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.kept_state import AGAIN, PATIENCE, SKIPPED
from tests.ua.restarts import Mute, Trouble, keys, kill

pytestmark = pytest.mark.virtual_time


def alice_at(world: World, store: object, name: str = "alice", **options: object) -> UserAgent:
    settings = {"registrar": "sip:registrar.test", "sessions": store, "node": "one", "session_ids": False}
    return world.user_agent(name, **(settings | options))


@contextlib.asynccontextmanager
async def registered(agent: UserAgent, **options: Any) -> AsyncIterator[Registration]:
    async with agent, agent.register(**options) as registration:
        yield registration


async def killed(agent: UserAgent, after: float = 100.0, **options: object) -> None:
    """Register, and die some time later."""
    async with registered(agent, **options):
        await asyncio.sleep(after)
        await kill(agent)


def same(request: Request) -> tuple[str, str | None]:
    return request.call_id, request.from_.tag


class StrictRegistrar(ScriptedRegistrar):
    """Refuses a CSeq that is not higher under the same Call-ID (RFC 3261 §10.3, step 7); keeps instances."""

    def __init__(self, world: World, challenger: Challenger | None = None) -> None:
        super().__init__(world, challenger)
        self.last: dict[str, int] = {}
        self.ahead = 0
        """REGISTERs that it has seen, and we do not know of."""

    def _respond(self, request: Request) -> Iterator[Response]:
        number, before = request.cseq.number, self.last.get(request.call_id, 0) + self.ahead
        if self.ahead and request.call_id not in self.last:
            before = 0
        if number <= before:
            yield request.response(500, to_tag="registrar")
            return
        self.last[request.call_id] = number
        yield from super()._respond(request)


# --- a restart ---


@pytest.mark.parametrize("password", [None, "secret"])
async def test_who_was_killed_refreshes_the_binding_that_there_is(world: World, password: str | None) -> None:
    store, challenger = MemoryStore(), None if password is None else Challenger("secret")
    async with StrictRegistrar(world, challenger) as registrar:
        await killed(alice_at(world, store, password=password))
        before = registrar.requests[-1]
        first = len(registrar.requests)
        async with registered(alice_at(world, store, password=password)) as registration:
            after = registrar.requests[first]
            assert same(after) == same(before)
            assert after.cseq.number == before.cseq.number + SKIPPED + 1
            assert len(after.contacts) == 1
            assert list(registrar.bindings) == ["sip:alice@10.0.0.2:5060"]
            assert registration.active
        assert registrar.bindings == {}
        assert {each.call_id for each in registrar.requests} == {before.call_id}
    assert world.leftovers == []


async def test_a_restart_at_another_port_leaves_one_binding(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store, listen="udp:10.0.0.2:5062"))
        assert list(registrar.bindings) == ["sip:alice@10.0.0.2:5062"]
        async with registered(alice_at(world, store, listen="udp:10.0.0.2:5070")):
            assert list(registrar.bindings) == ["sip:alice@10.0.0.2:5070"]
    assert world.leftovers == []


async def test_the_contact_from_before_is_taken_back_after_an_outage_as_well(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store, listen="udp:10.0.0.2:5062"), expires=3600)
        registrar.silent = True
        again = alice_at(world, store, listen="udp:10.0.0.2:5070")
        async with registered(again, retry=True) as registration:
            assert not registration.active
            registrar.silent = False
            async for state in registration.states():
                if state.active:
                    break
            assert list(registrar.bindings) == ["sip:alice@10.0.0.2:5070"]


async def test_numbers_that_the_record_does_not_know_of_cost_one_refusal(world: World) -> None:
    """A 500, then a Call-ID that the registrar does not know: still one binding."""
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store))
        before = registrar.requests[-1]
        registrar.ahead = 100
        async with registered(alice_at(world, store)) as registration:
            refused, taken = registrar.requests[1:]
            assert refused.call_id == before.call_id
            assert taken.call_id != before.call_id
            assert taken.from_.tag != before.from_.tag
            assert registration.active
            assert len(registrar.bindings) == 1
            registrar.ahead = 0
    assert world.leftovers == []


async def test_a_500_to_who_begins_is_a_refusal_as_ever(world: World) -> None:
    async with StrictRegistrar(world) as registrar, alice_at(world, MemoryStore()) as alice:
        registrar.status = 500
        with pytest.raises(RegistrationRejected, match="500"):
            async with alice.register():
                raise AssertionError
        assert len(registrar.requests) == 1


async def test_a_record_of_what_has_run_out_is_left_alone(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store), expires=60, after=10)
        await asyncio.sleep(100)
        async with registered(alice_at(world, store)):
            one, other = registrar.requests
            assert one.call_id != other.call_id


async def test_who_unregisters_leaves_nothing_and_may_begin_at_once(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar, alice_at(world, store) as alice:
        async with alice.register():
            assert keys(store) == ["binding one sip:alice@alice.test sip:registrar.test  0"]
        assert keys(store) == []
        async with alice.register():
            assert len(keys(store)) == 1
            assert registrar.requests[-1].call_id != registrar.requests[0].call_id
        await asyncio.sleep(10)
        assert len(store) == 0


async def test_each_refresh_is_kept(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store), expires=100, after=1000)
        refreshes, last = len(registrar.requests), registrar.requests[-1].cseq.number
        assert refreshes > 5
        async with registered(alice_at(world, store), expires=100):
            assert registrar.requests[-1].cseq.number == last + SKIPPED + 1
            assert len(registrar.bindings) == 1


# --- whose it is ---


async def test_nodes_of_a_cluster_have_bindings_of_their_own(world: World) -> None:
    store, aor = MemoryStore(), "sip:alice@alice.test"
    async with (
        StrictRegistrar(world) as registrar,
        registered(alice_at(world, store, aor=aor)),
        registered(alice_at(world, store, "other", aor=aor, node="two")) as second,
    ):
        assert len(registrar.bindings) == 2
        assert len(keys(store)) == 2
        await asyncio.sleep(2000)
        assert second.active
        assert len(registrar.bindings) == 2


async def test_two_registrations_of_one_name_do_not_share_a_record(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar, alice_at(world, store) as alice:
        async with alice.register(), alice.register() as second:
            one, other = registrar.requests
            assert one.call_id != other.call_id
            assert second.active
            assert len(keys(store)) == 1


async def test_a_process_that_was_only_asleep_gives_way_to_the_one_that_went_on(world: World) -> None:
    """Its numbers are too low (§10.3, step 7); as soon as they are not, the store says whose it is."""
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        async with registered(alice_at(world, store, listen="udp:10.0.0.2:5062"), expires=300) as asleep:
            async with registered(alice_at(world, store, listen="udp:10.0.0.2:5070"), expires=300) as awake:
                await asyncio.sleep(2000)
                assert (asleep.active, awake.active) == (False, True)
                assert "another process" in str(asleep.error)
                lasting = [uri for uri, until in registrar.bindings.items() if until > world.now]
                assert lasting == ["sip:alice@10.0.0.2:5070"]
    assert world.leftovers == []


# --- the device ---


def instance_of(request: Request) -> str:
    return request.contacts[0].parameters.get("+sip.instance") or ""


async def test_a_restart_is_the_same_device_with_the_same_flows(world: World) -> None:
    store = MemoryStore()
    proxies = ["sip:registrar.test", "sip:10.0.0.1:5060;lr"]
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store), outbound=proxies)
        before = registrar.requests[:2]
        async with registered(alice_at(world, store), outbound=proxies):
            after = registrar.requests[2:]
            assert {same(each) for each in after} == {same(each) for each in before}
            assert {instance_of(each) for each in after} == {instance_of(before[0])}
            assert {each.contacts[0].parameters.get("reg-id") for each in after} == {"1", "2"}


async def test_each_node_is_a_device_of_its_own(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world) as registrar:
        async with registered(alice_at(world, store), outbound=True):
            async with registered(alice_at(world, store, "other", node="two"), outbound=True):
                one, other = registrar.requests
                assert "urn:uuid:" in instance_of(one)
                assert instance_of(one) != instance_of(other)


# --- a store that fails ---


async def test_a_store_that_is_down_costs_nothing_and_is_written_to_later(world: World) -> None:
    store = Trouble()
    store.down = True
    async with StrictRegistrar(world) as registrar:
        async with registered(alice_at(world, store)) as registration:
            assert registration.active
            assert asyncio.get_running_loop().time() == 0
            assert keys(store) == []
            store.down = False
            await asyncio.sleep(AGAIN + 1)
            assert len(keys(store)) == 1
            assert len(registrar.requests) == 1


async def test_a_store_that_says_nothing_is_waited_for_a_moment(world: World) -> None:
    async with StrictRegistrar(world) as registrar:
        async with registered(alice_at(world, Mute())) as registration:
            assert registration.active
            assert asyncio.get_running_loop().time() == pytest.approx(PATIENCE)
            assert len(registrar.bindings) == 1


async def test_a_slow_store_is_as_good_as_a_fast_one(world: World) -> None:
    store = Trouble()
    store.late = 1.0
    async with StrictRegistrar(world) as registrar:
        await killed(alice_at(world, store))
        async with registered(alice_at(world, store)):
            one, other = registrar.requests
            assert one.call_id == other.call_id


async def test_a_store_that_was_down_at_the_restart_is_caught_up_with(world: World) -> None:
    """Its record of before is under a higher epoch than nothing."""
    store = Trouble()
    async with StrictRegistrar(world):
        await killed(alice_at(world, store))
        store.down = True
        async with registered(alice_at(world, store)):
            store.down = False
            before = store._entries[keys(store)[0]].record
            await asyncio.sleep(AGAIN + 1)
            assert store._entries[keys(store)[0]].record != before


async def test_what_could_not_be_written_before_it_was_withdrawn_is_not_written_later(world: World) -> None:
    store = Trouble()
    async with StrictRegistrar(world), alice_at(world, store) as alice:
        async with alice.register():
            store.down = True
            await asyncio.sleep(550)  # it was refreshed meanwhile
            store.down = False
        await asyncio.sleep(100)
        assert keys(store) == []


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"is":[1]}',
        b'{"is":{"call_id":"a b","local_tag":"t","cseq":1,"expires_in":100,"contact":"sip:a@b"}}',
        b'{"is":{"call_id":"a","local_tag":"t>","cseq":1,"expires_in":100,"contact":"sip:a@b"}}',
        b'{"is":{"call_id":"a","local_tag":"t","cseq":true,"expires_in":100,"contact":"sip:a@b"}}',
        b'{"is":{"call_id":"a","local_tag":"t","cseq":2147483647,"expires_in":100,"contact":"sip:a@b"}}',
        b'{"is":{"call_id":"a","local_tag":"t","cseq":1,"expires_in":NaN,"contact":"sip:a@b"}}',
        b'{"is":{"call_id":"a","local_tag":"t","cseq":1,"expires_in":100,"contact":"sip:a@b\\r\\nX: y"}}',
        b'{"is":{"call_id":"a","local_tag":"t","cseq":1,"expires_in":100,"contact":"tel:+1"}}',
    ],
)
async def test_a_record_that_is_none_is_begun_without(world: World, record: bytes) -> None:
    store, key = MemoryStore(), "binding one sip:alice@alice.test sip:registrar.test  0"
    store.put(key, record, 0, 1000.0, lambda _: None)
    async with StrictRegistrar(world) as registrar, registered(alice_at(world, store)) as registration:
        assert registration.active
        assert registrar.requests[-1].cseq.number == 1
        assert registrar.requests[-1].call_id != "a"


async def test_no_password_is_in_the_store(world: World) -> None:
    store = MemoryStore()
    async with StrictRegistrar(world, Challenger("hunter2")):
        async with registered(alice_at(world, store, password="hunter2")):
            text = b"".join(each.record or b"" for each in store._entries.values())
            assert b"call_id" in text
            assert b"hunter2" not in text
        with pytest.raises(AuthenticationFailed):
            async with registered(alice_at(world, store, password="wrong")):
                raise AssertionError
        assert keys(store) == []
