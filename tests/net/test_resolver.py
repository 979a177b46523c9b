"""Questions of the core, asked of a real DNS server on loopback (RFC 1035, RFC 2308, RFC 2782, RFC 3403)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipstack.core.dns_records import NO_NAME, NO_RECORD, Answer, Naptr, Query, Srv
from sipstack.net import resolver as resolver_module
from sipstack.net.resolver import MAXIMUM_RECORDS, TTL_OF_HOST, Resolver
from tests.net.dns_server import DnsServer, Zone

ZONE: Zone = {
    ("pbx.test", "A"): ["192.0.2.1", "192.0.2.2"],
    ("pbx.test", "AAAA"): ["2001:db8::1"],
    ("_sip._udp.pbx.test", "SRV"): ["10 60 5070 one.pbx.test."],
    ("pbx.test", "NAPTR"): ['50 10 "s" "SIP+D2U" "" _sip._udp.pbx.test.'],
    ("alias.test", "CNAME"): ["pbx.test."],
    ("loop.test", "CNAME"): ["loop.test."],
    ("many.test", "A"): [f"192.0.2.{number}" for number in range(200)],
}


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer(ZONE) as running:
        yield running


async def ask(server: DnsServer, name: str, kind: str = "A", hosts: str = "") -> Answer:
    return await Resolver([server.address], hosts=hosts).resolve(Query(name, kind))


# --- there is no answer ---


async def test_a_name_that_is_not_there(server: DnsServer) -> None:
    """The minimum of the SOA says how long that holds (RFC 2308 §5)."""
    for kind in ("A", "AAAA", "SRV", "NAPTR"):
        assert await ask(server, "nobody.test", kind) == Answer(ttl=7.0, problem=NO_NAME)


async def test_a_name_without_such_a_record(server: DnsServer) -> None:
    assert await ask(server, "many.test", "AAAA") == Answer(ttl=7.0, problem=NO_RECORD)


async def test_a_server_that_fails(server: DnsServer) -> None:
    server.failing.add("pbx.test")
    assert await ask(server, "pbx.test") == Answer(ttl=5.0, problem="the DNS server failed or refused")


async def test_a_server_that_is_silent(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(resolver_module.LIFETIMES, "A", 0.2)
    server.silent.add("pbx.test")
    answer = await asyncio.wait_for(ask(server, "pbx.test"), 2)
    assert answer == Answer(ttl=5.0, problem="no DNS server answered within 0.2 s")


async def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(resolver_module.LIFETIMES, "A", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
    answer = await asyncio.wait_for(Resolver([address], hosts="").resolve(Query("pbx.test", "A")), 2)
    assert answer.problem
    assert (answer.records, answer.ttl) == ((), 5.0)


async def test_the_next_server_is_asked(server: DnsServer) -> None:
    async with DnsServer({}) as failing:
        failing.failing.add("pbx.test")
        resolver = Resolver([failing.address, server.address], hosts="")
        assert (await resolver.resolve(Query("pbx.test", "AAAA"))).records == ("2001:db8::1",)
    assert failing.asked == [("pbx.test", "AAAA")]


async def test_an_answer_that_is_no_message(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(resolver_module.LIFETIMES, "A", 0.3)
    server.garbled.add("pbx.test")
    answer = await asyncio.wait_for(ask(server, "pbx.test"), 2)
    assert answer.problem
    assert (answer.records, answer.ttl) == ((), 5.0)


async def test_a_name_that_leads_to_itself(server: DnsServer) -> None:
    answer = await asyncio.wait_for(ask(server, "loop.test"), 6)
    assert answer.records == ()
    assert answer.problem


@pytest.mark.parametrize(
    "name", ["", "a..b", "a" * 64 + ".test", "x." * 200 + "test", "\ud800.test", "ü\x00.test"]
)
async def test_a_name_that_cannot_be_asked(server: DnsServer, name: str) -> None:
    answer = await ask(server, name)
    assert answer.records == ()
    assert answer.problem


async def test_a_look_up_that_is_cancelled_leaves_nothing(server: DnsServer) -> None:
    """What close() does to look-ups under way."""
    server.silent.add("pbx.test")
    before = asyncio.all_tasks()
    look_up = asyncio.create_task(ask(server, "pbx.test"))
    await server.was_asked.wait()
    look_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look_up
    assert asyncio.all_tasks() == before


# --- there is one ---


async def test_the_records_of_each_type(server: DnsServer) -> None:
    found = await ask(server, "pbx.test")
    assert (sorted(map(str, found.records)), found.ttl) == (["192.0.2.1", "192.0.2.2"], 300.0)
    assert await ask(server, "pbx.test", "AAAA") == Answer(("2001:db8::1",), 300.0)
    srv = Srv(10, 60, 5070, "one.pbx.test.")
    assert await ask(server, "_sip._udp.pbx.test", "SRV") == Answer((srv,), 300.0)
    naptr = Naptr(50, 10, "s", "SIP+D2U", "", "_sip._udp.pbx.test.")
    assert await ask(server, "pbx.test", "NAPTR") == Answer((naptr,), 300.0)
    assert len(server.asked) == 4


@pytest.mark.parametrize(("alias", "address", "held"), [(20, 300, 20.0), (300, 20, 20.0)])
async def test_an_alias_holds_as_long_as_its_shortest_link(
    server: DnsServer, alias: int, address: int, held: float
) -> None:
    server.ttls = {"alias.test": alias, "pbx.test": address}
    found = await ask(server, "alias.test")
    assert (len(found.records), found.ttl) == (2, held)


async def test_what_is_too_long_for_a_datagram_is_asked_for_again_over_tcp(server: DnsServer) -> None:
    server.truncated.add("pbx.test")
    assert len((await ask(server, "pbx.test")).records) == 2
    assert (len(server.asked), server.over_tcp) == (2, 1)


async def test_many_records_are_bounded(server: DnsServer) -> None:
    assert len((await ask(server, "many.test")).records) == MAXIMUM_RECORDS


# --- the hosts file comes first ---


async def test_of_who_is_in_the_hosts_file_nothing_is_asked(server: DnsServer, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("192.0.2.77 pbx.test\n", encoding="utf-8")
    assert await ask(server, "pbx.test", "A", str(path)) == Answer(("192.0.2.77",), TTL_OF_HOST)
    for name, kind in (("pbx.test", "AAAA"), ("pbx.test", "NAPTR"), ("_sip._udp.pbx.test", "SRV")):
        assert await ask(server, name, kind, str(path)) == Answer(ttl=TTL_OF_HOST, problem=NO_RECORD)
    assert server.asked == []
    assert (await ask(server, "many.test", "A", str(path))).records


# --- what the system knows beside the DNS ---


async def test_the_system_is_asked_where_the_dns_knows_no_such_name(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mDNS or another source of names would; not where servers were given."""

    async def found(*arguments: object, **keywords: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.5", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    assert (await ask(server, "nobody.test")).problem == NO_NAME
    resolver = Resolver([server.address], hosts="")
    dns = resolver._dns()
    resolver._nameservers = None
    assert resolver._dns() is dns
    assert await resolver.resolve(Query("nobody.test", "A")) == Answer(("192.0.2.5",), TTL_OF_HOST)
    assert (await resolver.resolve(Query("nobody.test", "SRV"))).problem == NO_NAME
