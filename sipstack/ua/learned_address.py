"""What a registrar's answer says of our address (RFC 3581 §4), and when it is believed."""

from __future__ import annotations

import ipaddress
import math
from enum import Enum, auto

from sipstack.message import Response

Address = tuple[str, int]

APART = 30.0
"""Seconds between two changes at the least: behind a NAT that gives each request another port we would
register for ever."""

PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        *("100.64.0.0/10", "fc00::/7"),  # RFC 6598, of providers behind a NAT of theirs; RFC 4193
        *("127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"),
    )
)
"""Addresses that mean another host elsewhere."""


class Verdict(Enum):
    KEEP = auto()
    ASK = auto()  # again at once: two answers have to agree before what was known is changed
    MOVE = auto()


class LearnedAddress:
    """Judges the addresses at which one registrar sees us. ``advertised`` is what it is told now.

    The first answer is believed; one that differs from what was learned needs a second that agrees. What is
    private is not believed where we are known by a public address: then a box in between has looked into it.
    """

    def __init__(self) -> None:
        self._learned = False
        self._doubted: Address | None = None
        self._changed_at = -math.inf

    def judge(self, seen: Address, advertised: Address, now: float) -> Verdict:
        """What to do after an answer that says it has ``seen`` us there."""
        if seen == advertised:
            self._learned, self._doubted = True, None
            return Verdict.KEEP
        if is_public(advertised[0]) and not is_public(seen[0]):
            return Verdict.KEEP
        if now - self._changed_at < APART:
            return Verdict.KEEP
        if self._learned and self._doubted != seen:
            self._doubted = seen
            return Verdict.ASK
        self._learned, self._doubted, self._changed_at = True, None, now
        return Verdict.MOVE


def seen_at(response: Response) -> Address | None:
    """Where the sender of the response has seen our request come from; None where it does not say.

    Both have to be there: ``received`` is an address, ``rport`` a port, and not every server fills them in.
    """
    parameters = response.via.parameters
    port = parameters.get("rport") or ""
    try:
        host = str(ipaddress.ip_address((parameters.get("received") or response.via.host).strip("[]")))
    except ValueError:
        return None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        return None
    return host, int(port)


def is_public(host: str) -> bool:
    """Whether an address means the same everywhere. A name is taken for one that does."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    return not any(address in network for network in PRIVATE if network.version == address.version)
