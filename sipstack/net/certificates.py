"""Whether a certificate proves a domain (RFC 5922 §7.1, §7.2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def identities(certificate: Mapping[str, Any], *, web: bool = False) -> list[str]:
    """The domains that a certificate, as ``getpeercert()`` gives it, is for.

    Those of SIP URIs in its subjectAltName; if there is none, or on the ``web``, its DNS names and IP
    addresses; its common name only where it has no subjectAltName.
    """
    alternatives = certificate.get("subjectAltName", ())
    domains = (
        []
        if web
        else [domain for kind, value in alternatives if kind == "URI" and (domain := _sip_domain(value))]
    )
    if domains:
        return domains
    if alternatives:
        return [_plain(value) for kind, value in alternatives if kind in ("DNS", "IP Address")]
    names = (pair for group in certificate.get("subject", ()) for pair in group)
    return [_plain(value) for name, value in names if name == "commonName"]


def proves(
    certificate: Mapping[str, Any], domain: str, *, wildcards: bool = False, web: bool = False
) -> bool:
    """Whether it is for ``domain``: a host name, or an IP address."""
    wanted = _plain(domain)
    return any(_matches(each, wanted, wildcards) for each in identities(certificate, web=web))


def _sip_domain(uri: str) -> str:
    """The domain that a SIP URI with no user stands for; empty when it is none."""
    scheme, _, rest = uri.partition(":")
    host = rest.partition(";")[0].partition("?")[0]
    return _plain(host) if scheme.lower() == "sip" and "@" not in host else ""


def _plain(name: str) -> str:
    """In one spelling."""
    name = name.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.removesuffix(".")


def _matches(pattern: str, domain: str, wildcards: bool) -> bool:
    if wildcards and pattern.startswith("*.") and pattern.count(".") > 1:
        label, dot, parent = domain.partition(".")
        return bool(label and dot) and parent == pattern[2:] and not _is_address(domain)
    return pattern == domain


def _is_address(name: str) -> bool:
    return _plain(name).replace(".", "").isdigit() or ":" in name
