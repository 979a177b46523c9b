"""Redis stopped, killed and started again, read-only, full, under 200 calls a second of a plain SIPp."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from interop.cluster.cluster import Cluster, running
from interop.cluster.stranger import Stranger, retry_after
from interop.ports import HOST
from interop.redis.server import Redis
from interop.sipp.process import Result, Sipp

RATE = 200
AWAY = 10.0
"""Seconds."""
AROUND = 4.0
"""Seconds before, and after."""
EVERY = 0.05
"""Seconds between the requests in dialogs that nobody has."""
SETTLES = 0.3
"""Seconds in which what Redis has said before may still be on its way."""
STORE_PATIENCE = 4.0
"""Seconds that such a request waits for a store that says nothing."""


@contextmanager
def stopped(redis: Redis) -> Iterator[None]:
    """It hears, and says nothing."""
    redis.freeze()
    yield
    redis.go_on()


@contextmanager
def killed(redis: Redis) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()


@contextmanager
def read_only(redis: Redis) -> Iterator[None]:
    redis.command("REPLICAOF", HOST, "1")
    yield
    redis.command("REPLICAOF", "NO", "ONE")


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    redis.command("CONFIG", "SET", "maxmemory", "1")
    yield
    redis.command("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize(
    ("trouble", "away"), [(stopped, AWAY), (killed, AWAY / 2), (read_only, AWAY / 2), (full, AWAY / 2)]
)
def test_who_is_new_or_unknown_is_to_come_again_and_the_others_go_on(
    trouble: Callable[[Redis], AbstractContextManager[None]], away: float, tmp_path: Path
) -> None:
    with running("redis", nodes=1, started=1) as cluster:
        assert cluster.redis is not None
        held = called(cluster, tmp_path, "uac_stays", 100, 50, "-d", str(round((AWAY + 2 * AROUND) * 1000)))
        with held, Stranger(cluster.nodes[0].port, EVERY).asking() as stranger:
            time.sleep(2.5)  # these are up before, and change and end while Redis is away or after
            calls = round(RATE * (2 * AROUND + AWAY))
            new = called(cluster, tmp_path, "uac", calls, RATE, "-d", "100")
            with new:
                time.sleep(AROUND)
                began = time.monotonic()
                with trouble(cluster.redis):
                    time.sleep(away)
                    back = time.monotonic()
                time.sleep(AROUND)
                answers = stranger.answers.copy()
                result = new.wait()
            ended = held.wait()
        assert (ended.status, ended.statistics.failed) == (0, 0), f"{ended.errors[:1000]}\n{cluster.logs()}"
        refused = refusals(result)
        assert len(refused) == result.statistics.failed > 0
        assert {response[:11] for response in refused} == {"SIP/2.0 503"}
        assert all(retry_after(response) for response in refused)
        unknown = [answer for answer in answers if began + SETTLES < answer.at < back]
        assert len(unknown) > (away - STORE_PATIENCE) / EVERY / 2
        # one that is full still tells what it has, so that there is no such call is certain
        assert {answer.status for answer in unknown} == {481 if trouble is full else 503}
        assert all(answer.retry_after for answer in unknown if answer.status == 503)
        assert {answers[0].status, answers[-1].status} == {481}
        assert called_again(cluster, tmp_path).status == 0, cluster.logs()
        print(  # noqa: T201
            f"{trouble.__name__}: {calls} new calls, {len(refused)} refused with 503; 100 held, 0 lost; "
            f"{len(unknown)} requests in unknown dialogs answered with {unknown[0].status}; "
            "Retry-After in each 503"
        )


def called(
    cluster: Cluster, folder: Path, scenario: str, calls: int, rate: float, *options: str, limit: float = 90.0
) -> Sipp:
    target = f"{HOST}:{cluster.nodes[0].port}"
    more = ("-r", str(rate), "-s", "service", *options)
    return Sipp(scenario, *more, folder=folder, target=target, calls=calls, limit=limit, trace=False)


def called_again(cluster: Cluster, folder: Path) -> Result:
    """Calls after all is well."""
    with called(cluster, folder, "uac", 100, 100, "-d", "0") as sipp:
        return sipp.wait()


def refusals(result: Result) -> list[str]:
    """The answers that ended calls of SIPp's, whole."""
    aborted = result.errors.split("Aborting call on unexpected message")[1:]
    return [each.partition("received '")[2].partition("\n'")[0] for each in aborted]
