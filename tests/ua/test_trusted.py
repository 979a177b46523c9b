"""Which peers are trusted (RFC 3325 §2.3)."""

from __future__ import annotations

import pytest

from sipstack import LocalProtocolError, UserAgent
from sipstack.ua.trusted import NOBODY, Trusted


@pytest.mark.parametrize("network", ["", "proxy.test", "192.0.2.1/24", "192.0.2.0/33", "udp:192.0.2.1"])
def test_what_is_no_network(network: str) -> None:
    """A network with bits of a host is one that was meant otherwise."""
    with pytest.raises(LocalProtocolError, match="no network to trust"):
        UserAgent(trusted=[network])


def test_one_network_is_a_list_of_one() -> None:
    with pytest.raises(LocalProtocolError, match=r"\['192.0.2.1'\]"):
        UserAgent(trusted="192.0.2.1")


def test_nobody_is_trusted_unless_said() -> None:
    assert "127.0.0.1" not in NOBODY
    assert "127.0.0.1" not in Trusted([])


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("[2001:db8::1]", True),
        ("2001:db8::2", False),
        ("fe80::1%eth0", True),
        ("proxy.test", False),
        ("", False),
    ],
)
def test_an_address_is_in_a_network_however_it_is_written(host: str, trusted: bool) -> None:
    assert (host in Trusted(["192.0.2.0/24", "2001:db8::1", "fe80::/10"])) == trusted


def test_what_is_no_text_is_nobody() -> None:
    assert 1 not in Trusted(["0.0.0.0/0"])
