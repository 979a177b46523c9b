"""Redis that is stopped, killed, full, slow: each answer comes in time, and afterwards all is well."""

from __future__ import annotations

import asyncio
import logging

import pytest

from interop.ports import free_port
from interop.redis.conftest import StoreFactory
from interop.redis.load import Load, done, missing, now, outcomes
from interop.redis.server import Redis, running
from interop.redis.slow import slow_way
from sipstack.errors import StoreError
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import SessionStore, Taken
from sipstack.store.redis import RedisStore
from sipstack.store.redis_pipeline import MOST_OCTETS, MOST_WAITING, PATIENCE
from tests.store.conformance import asked, asking, keys_owned, orphans, put

SLACK = 0.4
"""Seconds by which this machine may be late."""


async def works_again(store: SessionStore, key: str = "afterwards") -> None:
    """Within two seconds: it looks for Redis once a second."""
    until = now() + 2 + SLACK
    while await put(store, key) is not Outcome.DONE:
        assert now() < until
        await asyncio.sleep(0.05)


async def test_stopped_for_ten_seconds(redis: Redis, opened: StoreFactory) -> None:
    """What was told to have failed is not done when Redis goes on, although it has it in its buffers."""
    store = await opened(redis)
    async with Load(store).running() as load:
        await asyncio.sleep(1)
        redis.freeze()
        stopped = now()
        await asyncio.sleep(10)
        redis.go_on()
        went_on = now()
        await asyncio.sleep(3)
    assert load.slowest < PATIENCE + SLACK
    failed = load.between(stopped + 0.1, went_on - PATIENCE)
    assert outcomes(failed) == {Outcome.FAILED}
    at_once = load.between(stopped + PATIENCE + SLACK, went_on)
    assert max(each.took or 0.0 for each in at_once) < 0.1  # who asks while it is known does not wait
    assert outcomes(load.between(0, stopped - 0.1)) == {Outcome.DONE}
    assert outcomes(load.between(went_on + 1.5, float("inf"))) == {Outcome.DONE}
    assert await missing(store, done(load.puts)) == []
    assert await missing(store, failed) == failed


async def test_stopped_for_a_second_it_is_only_late(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    async with Load(store).running() as load:
        await asyncio.sleep(0.5)
        redis.freeze()
        await asyncio.sleep(1)
        redis.go_on()
        await asyncio.sleep(0.5)
    assert outcomes(load.puts) == {Outcome.DONE}
    assert 0.8 < load.slowest < PATIENCE


async def test_nobody_counts_as_dead_because_redis_was_away(redis: Redis, opened: StoreFactory) -> None:
    """All leases are over when it goes on."""
    one, two = [await opened(redis, node, lease=2.0) for node in ("node-1", "node-2")]
    await put(one, "key")
    redis.freeze()
    await asyncio.sleep(6)
    redis.go_on()
    for _ in range(60):
        assert await asked(two.orphaned, 10) in ([], Absent.FAILED)
        await asyncio.sleep(0.05)
    await one.close()
    await asyncio.sleep(2.5)
    assert await orphans(two) == ["key"]


async def test_killed_and_started_again(redis: Redis, opened: StoreFactory) -> None:
    """Without appendonly all records are lost; so short an outage only delays what is asked meanwhile."""
    store = await opened(redis)
    async with Load(store).running() as load:
        await asyncio.sleep(1)
        redis.kill()
        killed = now()
        redis.start()
        started = now()
        await asyncio.sleep(2)
    assert outcomes(load.puts) == {Outcome.DONE}
    lost = await missing(store, load.puts)
    assert lost == [each for each in load.puts if each in lost and each.asked < killed]
    assert len(lost) >= len(load.between(0, killed - 0.1))
    assert load.slowest < started - killed + 1.5


async def test_killed_and_started_again_with_appendonly(opened: StoreFactory) -> None:
    """Each write is handed to the machine before it is answered: only the machine's end could lose it."""
    with running("--appendonly", "yes") as redis:
        store = await opened(redis)
        async with Load(store).running() as load:
            for _ in range(5):
                await asyncio.sleep(0.5)
                redis.kill()
                redis.start()
            await asyncio.sleep(1)
        assert len(done(load.puts)) > 400
        assert await missing(store, done(load.puts)) == []


async def test_killed_for_good(redis: Redis, opened: StoreFactory, caplog: pytest.LogCaptureFixture) -> None:
    store = await opened(redis)
    redis.kill()
    with caplog.at_level(logging.WARNING, "sipstack"):
        assert await put(store, "key") is Outcome.FAILED
        assert await asked(store.forget, "key", 0) is Outcome.FAILED
        assert await asked(store.take_over, "key") is Absent.FAILED
        assert await asked(store.owned) is Absent.FAILED
        began = now()
        assert await put(store, "key") is Outcome.FAILED
        assert now() - began < 0.05  # no waiting any more
    assert len(caplog.records) == 1  # told once
    await store.close()
    assert now() - began < PATIENCE + SLACK


async def test_closed_while_it_does_not_answer(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    redis.freeze()
    answers = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(500)]
    answers.append(asking(store.owned))
    began = now()
    await store.close()
    assert now() - began < 4 * PATIENCE
    assert all(answer.done() for answer in answers)
    assert {answer.result() for answer in answers} == {Outcome.FAILED, Absent.FAILED}


async def test_what_waits_is_bounded_in_number(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    redis.freeze()
    answers = [asking(store.put, f"key {i}", b"record", 0, 60.0) for i in range(MOST_WAITING + 100)]
    at_once = [answer.done() for answer in answers]
    assert at_once[:9000] == [False] * 9000
    assert at_once[-100:] == [True] * 100
    assert set(await asyncio.gather(*answers)) == {Outcome.FAILED}
    redis.go_on()
    await works_again(store)


async def test_what_waits_is_bounded_in_octets(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    redis.freeze()
    large = bytes(2**20)
    answers = [asking(store.put, f"key {i}", large, 0, 60.0) for i in range(2 * MOST_OCTETS // len(large))]
    assert 10 < sum(not answer.done() for answer in answers) <= MOST_OCTETS // len(large)
    await asyncio.gather(*answers)
    redis.go_on()
    await works_again(store)


async def test_a_replica_takes_no_writes(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    await put(store, "key")
    redis.command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert await put(store, "another") is Outcome.FAILED
    assert await asked(store.take_over, "key") is Absent.FAILED
    with pytest.raises(StoreError, match="is a replica"):
        await RedisStore(redis.url).open("node-2")
    redis.command("REPLICAOF", "NO", "ONE")
    await works_again(store)
    assert isinstance(await asked(store.take_over, "key"), Taken)


async def test_full_it_refuses_what_is_new_and_goes_on_with_what_it_has(
    redis: Redis, opened: StoreFactory, caplog: pytest.LogCaptureFixture
) -> None:
    store, other = await opened(redis), await opened(redis, "node-2")
    redis.command("CONFIG", "SET", "maxmemory", "8mb")
    known: list[str] = []
    for _ in range(6):  # Redis gives memory back that the connection took, for some seconds
        while await put(store, key := f"key {len(known)}", bytes(1000), left=600.0) is Outcome.DONE:
            known.append(key)
        await asyncio.sleep(0.5)
    assert len(known) > 1000
    with caplog.at_level(logging.WARNING, "sipstack"):
        assert await put(store, "a new call", bytes(1000)) is Outcome.FAILED
        assert await put(store, "key 1", bytes(1100), left=600.0) is Outcome.DONE
        assert len((await asked(other.take_over, "key 1")).record) == 1100
        assert await put(store, "key 1") is Outcome.CONFLICT
        assert await asked(other.forget, "key 1", 1) is Outcome.DONE
        assert await put(other, "key 1", epoch=1) is Outcome.CONFLICT
        assert len(await keys_owned(store)) == len(known) - 1
    for key in known[2:]:
        await asked(store.forget, key, 0)
    await works_again(store, "a new call")


async def test_that_it_drops_sessions_when_full_is_told(
    opened: StoreFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with running("--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru") as redis:
        await opened(redis)
    assert "maxmemory-policy" in caplog.text


async def test_a_wrong_password_is_told_without_it(opened: StoreFactory) -> None:
    with running(password="swordfish") as redis:
        for url in (redis.url.replace("swordfish", "mackerel"), redis.url.replace(":swordfish@", "")):
            with pytest.raises(StoreError, match="password") as caught:
                await RedisStore(url).open("node-1")
            assert "mackerel" not in str(caught.value)
        await works_again(await opened(redis))


async def test_a_password_that_is_changed_meanwhile(
    opened: StoreFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with running(password="swordfish") as redis, caplog.at_level(logging.DEBUG, "sipstack"):
        store = await opened(redis)
        redis.command("CONFIG", "SET", "requirepass", "mackerel")
        redis.password = "mackerel"
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        assert await put(store, "key") is Outcome.FAILED
        redis.command("CONFIG", "SET", "requirepass", "swordfish")
        await works_again(store)
    assert "swordfish" not in caplog.text


async def test_nobody_listens() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        await RedisStore(f"redis://127.0.0.1:{free_port()}").open("node-1")


async def test_it_is_stopped_when_we_begin(redis: Redis) -> None:
    redis.freeze()
    began = now()
    with pytest.raises(StoreError, match="does not answer"):
        await RedisStore(redis.url).open("node-1")
    assert now() - began < PATIENCE + SLACK


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "127.0.0.1:6379", "redis://host:port/0"])
async def test_no_address_of_a_redis(url: str) -> None:
    with pytest.raises(StoreError, match="no address"):
        await RedisStore(url).open("node-1")


async def test_slow(redis: Redis, opened: StoreFactory) -> None:
    """0.3 s there and 0.3 s back: what is asked meanwhile waits for one round trip, and takes the next."""
    async with slow_way(redis.port, 0.3) as way:
        store = await opened(redis, url=f"redis://127.0.0.1:{way.port}/0")
        async with Load(store).running() as load:
            await asyncio.sleep(4)
        assert outcomes(load.puts) == {Outcome.DONE}
        assert 0.6 < load.slowest < PATIENCE


async def test_too_slow(redis: Redis, opened: StoreFactory) -> None:
    """2 s there and back: that is as good as no Redis, and nothing is done behind our back."""
    store = await opened(redis)
    async with slow_way(redis.port, 0.0) as way:
        far = await opened(redis, "node-2", url=f"redis://127.0.0.1:{way.port}/0")
        way.delay = 1.0
        async with Load(far).running() as load:
            await asyncio.sleep(3)
        way.delay = 0.0
        await far.close()
    assert load.slowest < PATIENCE + SLACK
    failed = [each for each in load.puts if each.outcome is Outcome.FAILED]
    assert len(failed) > 100
    assert await missing(store, failed) == failed


async def test_its_scripts_are_thrown_away(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    redis.command("SCRIPT", "FLUSH")
    await put(store, "key")
    await works_again(store)


async def test_its_connections_are_cut(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    async with Load(store).running() as load:
        for _ in range(20):
            redis.command("CLIENT", "KILL", "TYPE", "normal")
            await asyncio.sleep(0.05)
    assert outcomes(load.puts) == {Outcome.DONE}
    assert await missing(store, load.puts) == []


async def test_something_else_is_under_our_names(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis)
    await put(store, "key")
    [name] = [each for each in redis.command("KEYS", "*record*").split(b"\r\n") if b"record" in each]
    for command in (("HSET", name.decode(), "a", "b"), ("SET", name.decode(), "x")):
        redis.command("DEL", name.decode())
        redis.command(*command)
        assert await put(store, "key") is Outcome.FAILED
        assert await asked(store.take_over, "key") is Absent.FAILED
    assert await put(store, "another") is Outcome.DONE
