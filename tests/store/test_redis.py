"""The store in Redis, as far as no Redis is needed: interop/redis has the rest."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sipstack.errors import StoreError
from sipstack.outcome import Absent, Outcome
from sipstack.store.redis import RedisStore
from sipstack.store.redis_clock import ServerClock
from sipstack.store.redis_scripts import (
    SCRIPTS,
    SHARDS,
    digest,
    index_name,
    lease_name,
    owners_name,
    record_name,
    shard_of,
)

# -- the clock of the server -------------------------------------------------------------------------------


def test_nothing_is_known_of_a_clock_that_told_nothing() -> None:
    assert ServerClock().at(1000.0) == 0


def test_the_clock_of_the_server_is_never_believed_to_be_ahead_of_what_it_is() -> None:
    """Its answers take some time: 1,000.0 was true when it was said, at our 9.8 at the latest."""
    clock = ServerClock()
    clock.told(1_000_000, 10.0)
    assert clock.at(10.0) == 1_000_000
    assert clock.at(11.5) == 1_001_500


def test_an_answer_that_was_faster_tells_more() -> None:
    clock = ServerClock()
    clock.told(1_000_000, 10.5)
    clock.told(1_002_000, 12.0)
    assert clock.at(12.0) == 1_002_000
    clock.told(1_004_000, 14.4)  # slow: what is known already is better
    assert clock.at(14.4) == 1_004_400


def test_a_clock_that_is_set_back_is_followed_after_two_answers() -> None:
    clock = ServerClock()
    clock.told(1_000_000, 10.0)
    for time in (12.0, 14.0):
        clock.told(int(time * 1000), time)
    assert clock.at(15.0) == 15_000


def test_a_clock_that_is_set_ahead_is_followed_at_once() -> None:
    clock = ServerClock()
    clock.told(1_000_000, 10.0)
    clock.told(9_000_000, 11.0)
    assert clock.at(12.0) == 9_001_000


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"session a b c", b"{17}", b"}{", b"", b"\xff\0 {x}"])
def test_all_keys_of_a_record_have_one_hash_tag(key: bytes) -> None:
    """So that a cluster has them in one slot (the text between the first { and the first } after it)."""
    shard = shard_of(key)
    names = record_name(key), index_name(shard, b"node {1}"), owners_name(shard)
    assert {re.search(rb"{(.+?)}", name)[1] for name in names} == {b"%d" % shard}  # type: ignore[index]


def test_all_leases_have_one_hash_tag() -> None:
    assert lease_name(b"a").split(b"}")[0] == lease_name(b"{b}").split(b"}")[0] == b"sipstack:{leases"


def test_keys_are_spread_over_all_shards() -> None:
    assert {shard_of(b"session %d" % number) for number in range(2000)} == set(range(SHARDS))


def test_each_script_has_a_digest_of_its_own() -> None:
    assert len({digest(script) for script in SCRIPTS}) == len(SCRIPTS)


# -- without Redis -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{"wait_replicas": -1}, {"lease": 0.0}, {"lease": -1.0}])
def test_arguments_that_make_no_sense(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="wait_replicas"):
        RedisStore(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("node", ["", "n" * 256])
async def test_a_name_of_a_node_that_is_none(node: str) -> None:
    with pytest.raises(StoreError, match="name of a node"):
        await RedisStore().open(node)


def test_no_password_is_shown() -> None:
    store = RedisStore("redis://user:swordfish@127.0.0.1/0", sentinels=["redis://:swordfish@127.0.0.1"])
    assert "swordfish" not in repr(store) + str(store)


async def test_what_is_asked_of_a_store_that_is_not_open_has_failed() -> None:
    store = RedisStore()
    answers: list[object] = []
    store.put("key", b"record", 0, 60.0, answers.append)
    store.forget("key", 0, answers.append)
    store.take_over("key", answers.append)
    store.owned(answers.append)
    store.orphaned(10, answers.append)
    assert answers == [Outcome.FAILED, Outcome.FAILED, Absent.FAILED, Absent.FAILED, Absent.FAILED]
    await store.close()


def test_without_redis_py_the_extra_is_named() -> None:
    program = (
        "import asyncio, sys\n"
        "sys.modules['redis'] = None\n"
        "from sipstack.store.redis import RedisStore\n"
        "asyncio.run(RedisStore().open('node'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "StoreError" in done.stderr
    assert "pip install 'sipstack[redis]'" in done.stderr
