"""How long an answer of the DNS is believed (RFC 1035 §3.2.1, RFC 2308)."""

from __future__ import annotations

import pytest

from sipstack.core.dns_cache import MAXIMUM, DnsCache
from sipstack.core.dns_records import Answer, Query

QUERY = Query("example.com", "A")


@pytest.mark.parametrize(
    ("records", "ttl", "seconds"),
    [
        (("192.0.2.1",), 300.0, 300.0),
        (("192.0.2.1",), 0.0, 1.0),
        (("192.0.2.1",), -5.0, 1.0),
        (("192.0.2.1",), 2147483647.0, 3600.0),
        ((), 30.0, 30.0),
        ((), 0.0, 1.0),
        ((), 86400.0, 60.0),
    ],
)
def test_an_answer_holds_for_its_ttl_within_bounds(
    records: tuple[str, ...], ttl: float, seconds: float
) -> None:
    cache = DnsCache()
    answer = Answer(records, ttl)
    cache.put(QUERY, answer, 100.0)
    assert cache.get(QUERY, 100.0 + seconds - 0.001) == answer
    assert cache.get(QUERY, 100.0 + seconds) is None
    assert len(cache) == 0


def test_each_type_has_an_answer_of_its_own() -> None:
    cache = DnsCache()
    cache.put(QUERY, Answer(("192.0.2.1",), 10.0), 0.0)
    assert cache.get(Query("example.com", "AAAA"), 0.0) is None


def test_the_oldest_is_forgotten() -> None:
    cache = DnsCache()
    queries = [Query(f"{number}.example.com", "A") for number in range(MAXIMUM + 1)]
    for query in queries:
        cache.put(query, Answer(("192.0.2.1",), 10.0), 0.0)
    assert len(cache) == MAXIMUM
    assert cache.get(queries[0], 0.0) is None
    assert cache.get(queries[1], 0.0) is not None


def test_an_answer_that_is_given_again_replaces_the_old_one() -> None:
    cache = DnsCache()
    cache.put(QUERY, Answer(("192.0.2.1",), 10.0), 0.0)
    cache.put(QUERY, Answer(("192.0.2.2",), 10.0), 5.0)
    assert cache.get(QUERY, 14.0) == Answer(("192.0.2.2",), 10.0)
    assert len(cache) == 1
