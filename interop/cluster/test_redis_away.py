"""Redis stopped, killed and started again, read-only, full, under 200 calls a second of a plain SIPp."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.cluster.cluster import Cluster, running
from interop.ports import HOST
from interop.sipp.process import Result, Sipp

RATE = 200
AWAY = 10.0
"""Seconds."""
AROUND = 4.0
"""Seconds before, and after."""


def stop(cluster: Cluster) -> None:
    assert cluster.redis is not None
    cluster.redis.freeze()
    time.sleep(AWAY)
    cluster.redis.go_on()


def kill(cluster: Cluster) -> None:
    assert cluster.redis is not None
    cluster.redis.kill()
    time.sleep(AWAY / 2)
    cluster.redis.start()


def read_only(cluster: Cluster) -> None:
    assert cluster.redis is not None
    cluster.redis.command("REPLICAOF", HOST, "1")
    time.sleep(AWAY / 2)
    cluster.redis.command("REPLICAOF", "NO", "ONE")


def fill(cluster: Cluster) -> None:
    assert cluster.redis is not None
    cluster.redis.command("CONFIG", "SET", "maxmemory", "1")
    time.sleep(AWAY / 2)
    cluster.redis.command("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize("trouble", [stop, kill, read_only, fill])
def test_new_calls_are_refused_for_now_and_the_others_go_on(
    trouble: Callable[[Cluster], None], tmp_path: Path
) -> None:
    with running("redis", nodes=1, started=1) as cluster:
        held = called(cluster, tmp_path, "uac_stays", 100, 50, "-d", str(round((AWAY + 2 * AROUND) * 1000)))
        with held:
            time.sleep(2.5)  # these are up before, and change and end while Redis is away or after
            calls = round(RATE * (2 * AROUND + AWAY))
            new = called(cluster, tmp_path, "uac", calls, RATE, "-d", "100", "-trace_error_codes")
            with new:
                time.sleep(AROUND)
                trouble(cluster)
                statuses = refused(new.wait(), tmp_path)
            ended = held.wait()
        assert (ended.status, ended.statistics.failed) == (0, 0), f"{ended.errors[:1000]}\n{cluster.logs()}"
        assert set(statuses) == {503}, statuses
        assert called_again(cluster, tmp_path).status == 0, cluster.logs()
        print(f"{trouble.__name__}: {calls} new calls, {statuses[503]} refused with 503; 100 held, 0 lost")  # noqa: T201


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


def refused(result: Result, folder: Path) -> Counter[int]:
    """How many answers of each status ended a call of SIPp's."""
    found: Counter[int] = Counter()
    for line in result.errors.splitlines():
        if line.startswith("SIP/2.0 ") or "received 'SIP/2.0 " in line:
            found[int(line.partition("SIP/2.0 ")[2][:3])] += 1
    return found
