"""Which domains a certificate is for (RFC 5922 §7.1, §7.2)."""

from __future__ import annotations

import pytest

from sipstack.net.certificates import identities, proves

COMMON_NAME = ((("countryName", "CH"),), (("commonName", "common.example.com"),))


@pytest.mark.parametrize(
    ("alternatives", "found"),
    [
        ((("URI", "sip:Example.com"), ("DNS", "dns.example.com")), ["example.com"]),
        ((("URI", "sip:alice@example.com"), ("DNS", "dns.example.com")), ["dns.example.com"]),
        ((("URI", "https://example.com"), ("DNS", "dns.example.com.")), ["dns.example.com"]),
        ((("URI", "SIP:example.com;lr"), ("URI", "sip:example.org")), ["example.com", "example.org"]),
        ((("IP Address", "2001:DB8:0:0:0:0:0:1"), ("IP Address", "192.0.2.1")), ["2001:db8::1", "192.0.2.1"]),
        ((("email", "alice@example.com"),), []),
        ((), ["common.example.com"]),
    ],
)
def test_identities(alternatives: tuple[tuple[str, str], ...], found: list[str]) -> None:
    assert identities({"subject": COMMON_NAME, "subjectAltName": alternatives}) == found


def test_a_certificate_that_says_nothing_proves_nothing() -> None:
    assert identities({}) == []
    assert not proves({}, "example.com")
    assert not proves({}, "")


@pytest.mark.parametrize(
    ("name", "domain", "allowed", "expected"),
    [
        ("*.example.com", "pbx.example.com", True, True),
        ("*.example.com", "pbx.example.com", False, False),
        ("*.example.com", "a.pbx.example.com", True, False),
        ("*.example.com", "example.com", True, False),
        ("*.example.com", ".example.com", True, False),
        ("*.com", "example.com", True, False),
        ("p*.example.com", "pbx.example.com", True, False),
        ("pbx.example.com", "PBX.example.com.", False, True),
        ("pbx.example.com", "pbx.example.com.evil.test", False, False),
    ],
)
def test_wildcards_are_for_one_label_and_only_where_allowed(
    name: str, domain: str, allowed: bool, expected: bool
) -> None:
    assert proves({"subjectAltName": (("DNS", name),)}, domain, wildcards=allowed) is expected


def test_an_address_is_proved_by_the_same_address() -> None:
    assert proves({"subjectAltName": (("IP Address", "0:0:0:0:0:0:0:1"),)}, "[::1]")
    assert not proves({"subjectAltName": (("IP Address", "192.0.2.1"),)}, "192.0.2.2")
