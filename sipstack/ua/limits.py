"""How much the network may make a user agent hold."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.core.configuration import Configuration
from sipstack.net.udp import MAXIMUM_DATAGRAM

SPARE = 64
"""Descriptors that are left to everything but the media of calls."""
FOR_A_CALL = 2
"""Descriptors of a call with RTP: its port and that of RTCP."""
_DEFAULTS = Configuration()


def _check(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} must be greater than 0")


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of a user agent; what would exceed one is refused with 503 and Retry-After. The last eighth of
    each is for sources (IP addresses) that do not hold most of it already, so that a flood from one leaves
    room for others; a trunk that brings all calls has the rest. Raises ValueError for one that is not
    greater than 0.

    ``calls``: calls that handlers have at one time, answered or not, and calls that were answered before and
    go on here (``sessions``); these are taken in any case. If not given, what the descriptors of
    this process (``ulimit -n``) allow with RTP; no bound of its own where ``media`` is given.
    ``calls_per_source``: those from one IP address; no bound of its own if not given.
    ``requests``: other requests that handlers have at one time.
    ``dialogs``, ``transactions``, ``unacknowledged``: of the whole endpoint, with and without handlers: all
    dialogs, server transactions, and INVITEs of the last 32 s whose ACK has not come.
    ``age``: seconds after which a call that the policy accepted is ended, unless its caller has sent a
    re-INVITE meanwhile: nobody watches it.
    ``lag``: seconds that the event loop may be late, twice in a row, before what is new gets 503 with
    Retry-After (over UDP each source once a second), and from four times that on nothing over UDP; None
    never. Calls under way go on.
    ``datagram``: octets of a UDP message; longer ones are dropped. RFC 3261 §18.1.1 wants all to be taken.
    """

    calls: int | None = attrs.field(default=None, validator=_check)
    calls_per_source: int | None = attrs.field(default=None, validator=_check)
    requests: int = attrs.field(default=10_000, validator=_check)
    dialogs: int = attrs.field(default=_DEFAULTS.maximum_dialogs, validator=_check)
    transactions: int = attrs.field(default=_DEFAULTS.maximum_transactions, validator=_check)
    unacknowledged: int = attrs.field(default=_DEFAULTS.maximum_unacknowledged, validator=_check)
    age: float = attrs.field(default=_DEFAULTS.maximum_age, validator=_check)
    lag: float | None = attrs.field(default=_DEFAULTS.maximum_lag, validator=_check)
    datagram: int = attrs.field(default=MAXIMUM_DATAGRAM, validator=_check)


def calls_by_descriptors() -> int | None:
    """How many calls with RTP the descriptors of this process allow; None where nothing limits them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(1, (soft - SPARE) // FOR_A_CALL)
