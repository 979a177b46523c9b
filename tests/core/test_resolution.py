"""From a name to targets: what is asked, and in which order the servers are tried (RFC 3263 §4, RFC 2782)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest

from sipstack.core.dns_records import Answer, Naptr, Query, Record, Srv
from sipstack.core.outputs import Target, Transport
from sipstack.core.resolution import MAXIMUM_TARGETS, Resolution, by_weight
from sipstack.core.routing import destination
from sipstack.errors import ResolutionError
from sipstack.identifiers import Identifiers

UDP, TCP = Transport("UDP"), Transport("TCP", reliable=True)
TLS = Transport("TLS", reliable=True, secure=True, default_port=5061)
WSS = Transport("WSS", reliable=True, secure=True, default_port=443)
ALL = {each.name: each for each in (UDP, TCP, TLS, WSS)}

Zone = Mapping[tuple[str, str], tuple[Record, ...]]
ADDRESSES: Zone = {
    ("server1.example.com", "A"): ("192.0.2.1",),
    ("server2.example.com", "A"): ("192.0.2.2",),
    ("server2.example.com", "AAAA"): ("2001:db8::2",),
    ("example.com", "A"): ("192.0.2.9",),
}
SERVERS: tuple[Srv, ...] = (Srv(0, 1, 5060, "server1.example.com."), Srv(0, 0, 5070, "server2.example.com."))
RFC_3263_4_1: Zone = {
    ("example.com", "NAPTR"): (
        Naptr(100, 50, "s", "SIP+D2U", "", "_sip._udp.example.com."),
        Naptr(50, 50, "s", "SIPS+D2T", "", "_sips._tcp.example.com."),
        Naptr(90, 50, "s", "SIP+D2T", "", "_sip._tcp.example.com."),
    ),
    ("_sip._tcp.example.com", "SRV"): (
        Srv(1, 1, 5060, "server2.example.com."),
        Srv(0, 1, 5060, "server1.example.com."),
    ),
    ("_sips._tcp.example.com", "SRV"): (Srv(0, 1, 5061, "server1.example.com."),),
    ("_sip._udp.example.com", "SRV"): (Srv(0, 1, 5080, "server2.example.com."),),
    **ADDRESSES,
}
"""The example of RFC 3263 §4.1."""


def look_up(
    uri: str, zone: Zone, transports: Mapping[str, Transport] = ALL
) -> tuple[list[Target], list[tuple[str, str]]]:
    """The targets, and what was asked."""
    question = destination(uri, transports)
    assert not isinstance(question, Target)
    walk = Resolution(question, transports, Identifiers(random.Random(1)))
    asked: list[tuple[str, str]] = []
    while missing := walk.missing():
        assert len(asked) < 200
        for query in missing:
            key = query.name, query.type
            asked.append(key)
            walk.tell(query, Answer(zone.get(key, ()), 60.0, "" if key in zone else "there is no such name"))
    return walk.targets(), asked


def places(targets: list[Target]) -> list[str]:
    return [f"{each.transport} {each.address[0]} {each.address[1]}" for each in targets]


# --- nothing is there ---


def test_who_failed_is_said() -> None:
    with pytest.raises(ResolutionError, match=r"^there is no such name$"):
        look_up("sip:example.net", {})


def test_a_domain_that_says_it_has_no_such_service() -> None:
    """RFC 2782: a target of "." is a decision, so the domain's own address is not tried."""
    zone = {("_sip._udp.example.com", "SRV"): (Srv(0, 0, 0, "."),), **ADDRESSES}
    with pytest.raises(ResolutionError, match="offers no such service"):
        look_up("sip:example.com;transport=udp", zone)


def test_servers_without_an_address() -> None:
    zone: Zone = {("_sip._udp.example.com", "SRV"): (Srv(0, 0, 5060, "gone.example.com"),)}
    reason = r"^gone\.example\.com \(SRV of example\.com\): there is no such name$"
    with pytest.raises(ResolutionError, match=reason):
        look_up("sip:example.com;transport=udp", zone)


# --- what comes from the wire is bounded ---


def test_many_records_are_bounded() -> None:
    hosts = [f"h{number}.example.com" for number in range(500)]
    addresses = tuple(f"192.0.2.{number}" for number in range(250))
    zone: Zone = {("_sip._udp.example.com", "SRV"): tuple(Srv(0, 0, 5060, host) for host in hosts)}
    zone = {**zone, **{(host, "A"): addresses for host in hosts}}
    targets, asked = look_up("sip:example.com;transport=udp", zone)
    assert len(targets) <= MAXIMUM_TARGETS
    assert len(asked) == 1 + 2 * 16


@pytest.mark.parametrize(
    "record",
    [
        Srv(0, 0, 0, "server1.example.com"),
        Srv(0, 0, 70000, "server1.example.com"),
        Srv(0, 0, 5060, ""),
        Srv(0, 0, 5060, "a" * 300),
        "192.0.2.7",
        Naptr(0, 0, "s", "SIP+D2U", "", "x"),
    ],
)
def test_one_odd_record_does_not_spoil_the_good_one(record: Record) -> None:
    good = Srv(9, 0, 5060, "server1.example.com")
    targets, _ = look_up(
        "sip:example.com;transport=udp", {("_sip._udp.example.com", "SRV"): (record, good), **ADDRESSES}
    )
    assert places(targets) == ["UDP 192.0.2.1 5060"]


@pytest.mark.parametrize(
    "way",
    [
        Naptr(1, 1, "s", "E2U+sip", "", "_sip._udp.example.com"),
        Naptr(1, 1, "u", "SIP+D2U", "!^.*$!sip:x@example.com!", "."),
        Naptr(1, 1, "", "SIP+D2U", "", "example.com"),
        Naptr(1, 1, "s", "SIP+D2S", "", "_sip._sctp.example.com"),
    ],
)
def test_a_way_that_is_not_ours_is_as_if_it_were_not_there(way: Naptr) -> None:
    zone = {**ADDRESSES, ("example.com", "NAPTR"): (way,), ("_sip._udp.example.com", "SRV"): SERVERS[:1]}
    targets, _ = look_up("sip:example.com", zone)
    assert places(targets) == ["UDP 192.0.2.1 5060"]


def test_an_address_that_is_none_is_passed_over() -> None:
    zone: Zone = {("example.com", "A"): ("not an address", "192.0.2.9")}
    assert places(look_up("sip:example.com:5080", zone)[0]) == ["UDP 192.0.2.9 5080"]


# --- RFC 3263 §4.1: the transport ---


def test_the_example_of_rfc_3263() -> None:
    """A client of TCP and UDP: the order of the NAPTR records decides."""
    targets, asked = look_up("sip:user@example.com", RFC_3263_4_1, {"UDP": UDP, "TCP": TCP})
    assert places(targets) == [
        "TCP 192.0.2.1 5060",
        "TCP 2001:db8::2 5060",
        "TCP 192.0.2.2 5060",
        "UDP 2001:db8::2 5080",
        "UDP 192.0.2.2 5080",
    ]
    assert [target.priority for target in targets] == [0, 1, 2, 3, 4]
    assert asked[0] == ("example.com", "NAPTR")
    assert ("_sips._tcp.example.com", "SRV") not in asked


def test_secured_servers_prove_the_name_that_was_asked_for() -> None:
    """RFC 5922 §4: not that of the SRV record, which nobody vouches for."""
    targets, _ = look_up("sips:user@example.com", RFC_3263_4_1)
    assert targets == [Target("TLS", ("192.0.2.1", 5061), "example.com")]


def test_sips_never_leads_to_an_unsecured_server() -> None:
    zone = {key: found for key, found in RFC_3263_4_1.items() if not key[0].startswith("_sips")}
    targets, asked = look_up("sips:user@example.com", zone)
    assert places(targets) == ["TLS 192.0.2.9 5061"]
    assert not {name for name, _ in asked} & {"_sip._udp.example.com", "_sip._tcp.example.com"}


def test_an_explicit_port_asks_for_addresses_alone() -> None:
    targets, asked = look_up("sip:example.com:5070", RFC_3263_4_1)
    assert places(targets) == ["UDP 192.0.2.9 5070"]
    assert asked == [("example.com", "AAAA"), ("example.com", "A")]


def test_an_explicit_transport_asks_for_its_servers() -> None:
    targets, asked = look_up("sip:example.com;transport=tcp", RFC_3263_4_1)
    assert places(targets)[0] == "TCP 192.0.2.1 5060"
    assert asked[0] == ("_sip._tcp.example.com", "SRV")


def test_without_naptr_every_transport_of_ours_is_asked_for() -> None:
    zone = {**ADDRESSES, ("_sip._tcp.example.com", "SRV"): SERVERS[:1]}
    targets, asked = look_up("sip:example.com", zone)
    assert places(targets) == ["TCP 192.0.2.1 5060"]
    assert asked[1:4] == [(f"{name}.example.com", "SRV") for name in ("_sip._udp", "_sip._tcp", "_sips._tcp")]


def test_without_any_server_the_address_of_the_domain_is_taken() -> None:
    assert places(look_up("sip:example.com", ADDRESSES)[0]) == ["UDP 192.0.2.9 5060"]
    assert places(look_up("sips:example.com", ADDRESSES)[0]) == ["TLS 192.0.2.9 5061"]


def test_a_websocket_is_found_by_naptr() -> None:
    zone = {
        **ADDRESSES,
        ("example.com", "NAPTR"): (Naptr(1, 1, "S", "sips+d2w", "", "_wss._tcp.example.com"),),
        ("_wss._tcp.example.com", "SRV"): (Srv(0, 0, 8089, "server1.example.com"),),
    }
    assert look_up("sip:example.com", zone)[0] == [Target("WSS", ("192.0.2.1", 8089), "example.com")]


def test_maddr_is_looked_up_and_the_host_is_proved() -> None:
    zone: Zone = {("server1.example.com", "A"): ("192.0.2.1",)}
    targets, _ = look_up("sips:example.com:5061;maddr=server1.example.com", zone)
    assert targets == [Target("TLS", ("192.0.2.1", 5061), "example.com")]


# --- RFC 3263 §4.2, RFC 8305 §4: the addresses ---


def test_both_families_take_turns() -> None:
    zone: Zone = {
        ("example.com", "A"): ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
        ("example.com", "AAAA"): ("2001:db8::1",),
    }
    found = [target.address[0] for target in look_up("sip:example.com:5060", zone)[0]]
    assert found == ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]


@pytest.mark.parametrize(("families", "address"), [(("A",), "192.0.2.2"), (("AAAA",), "2001:db8::2")])
def test_a_family_that_we_do_not_reach_is_not_asked_for(families: tuple[str, ...], address: str) -> None:
    targets, asked = look_up(
        "sip:server2.example.com:5060", ADDRESSES, {"UDP": Transport("UDP", families=families)}
    )
    assert places(targets) == [f"UDP {address} 5060"]
    assert asked == [("server2.example.com", families[0])]


@pytest.mark.parametrize("host", ["pbx", "printer.local", "PRINTER.Local"])
def test_a_name_of_the_local_network_has_no_services_to_ask_for(host: str) -> None:
    targets, asked = look_up(f"sip:{host}", {(host.lower(), "A"): ("192.0.2.9",)})
    assert places(targets) == ["UDP 192.0.2.9 5060"]
    assert {kind for _, kind in asked} == {"A", "AAAA"}


# --- RFC 2782: priority and weight ---


def test_priority_comes_before_weight() -> None:
    records = [Srv(2, 65535, 1, "c"), Srv(0, 0, 1, "a"), Srv(1, 1, 1, "b")]
    assert [each.target for each in by_weight(records, Identifiers(random.Random(1)))] == ["a", "b", "c"]


def test_a_weight_is_a_share() -> None:
    dice = Identifiers(random.Random(7))
    records = [Srv(0, 10, 1, "small"), Srv(0, 30, 1, "middle"), Srv(0, 60, 1, "large")]
    first = Counter(by_weight(records, dice)[0].target for _ in range(10_000))
    for name, share in (("small", 1000), ("middle", 3000), ("large", 6000)):
        assert abs(first[name] - share) < 200


def test_weight_nought_is_hardly_ever_first() -> None:
    dice = Identifiers(random.Random(7))
    records = [Srv(0, 0, 1, "none"), Srv(0, 100, 1, "all")]
    assert sum(by_weight(records, dice)[0].target == "none" for _ in range(1000)) < 5


def test_what_is_not_missing_any_more_is_not_asked_again() -> None:
    question = destination("sip:example.com:5060", ALL)
    assert not isinstance(question, Target)
    walk = Resolution(question, ALL, Identifiers(random.Random(1)))
    assert list(walk.missing()) == [Query("example.com", "AAAA"), Query("example.com", "A")]
    walk.tell(Query("example.com", "A"), Answer(("192.0.2.1",), 60.0))
    assert list(walk.missing()) == [Query("example.com", "AAAA")]
