"""What a flow writes into Via and Contact."""

from __future__ import annotations

from sipstack.transaction.flow import Flow, uri_host

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5070)


def test_via_has_the_branch_and_asks_for_rport() -> None:
    assert Flow("UDP", ALICE, BOB).via("z9hG4bK1") == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"


def test_ipv6_is_written_in_brackets() -> None:
    flow = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5060))
    assert flow.via("z9hG4bK1") == "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport"
    assert flow.contact_address == "[2001:db8::1]:5060"


def test_the_contact_names_the_transport_unless_it_is_udp() -> None:
    assert Flow("UDP", ALICE, BOB).contact_address == "192.0.2.1:5060"
    assert Flow("TCP", ALICE, BOB, reliable=True).contact_address == "192.0.2.1:5060;transport=tcp"


def test_flows_are_equal_whatever_socket_carries_them() -> None:
    one, other = Flow("UDP", ALICE, BOB, endpoint=1), Flow("UDP", ALICE, BOB, endpoint=2)
    assert (one == other, hash(one) == hash(other)) == (True, True)
    assert one != Flow("UDP", ALICE, ALICE)


def test_only_ipv6_addresses_are_bracketed() -> None:
    assert [uri_host(host) for host in ("192.0.2.1", "2001:db8::1")] == ["192.0.2.1", "[2001:db8::1]"]
