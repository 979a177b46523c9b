"""Who may send requests inside of a dialog, beyond knowing its tags (RFC 3261 §26.1.1, §26.1.3)."""

from __future__ import annotations

import enum

from sipstack.core.dns_records import Query
from sipstack.core.router import Router
from sipstack.core.routing import as_address
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import ParseError
from sipstack.message import NameAddr, SipUri
from sipstack.transaction.flow import Flow


class Peers(enum.Enum):
    """From which hosts a request inside of a dialog is taken; from others it gets 481, as if there were no
    such dialog, and a CANCEL too.
    """

    ANYONE = "anyone"
    """Whoever knows the tags, which nobody can guess: a peer may move, and proxies stand in for one
    another."""
    ROUTE = "route"
    """Hosts that the dialog has shown: where its first request came from or went, where ours go, and those of
    the route set and of the remote target, as far as we know their addresses."""
    FLOW = "flow"
    """The one host that the dialog's first request came from, or that ours go to."""


class PeerCheck:
    """Applies ``Peers`` other than ANYONE."""

    __slots__ = ("_by_route", "_router")

    def __init__(self, rule: Peers, router: Router) -> None:
        self._by_route = rule is Peers.ROUTE
        self._router = router

    def admits(self, usages: DialogUsages, flow: Flow, now: float) -> bool:
        """Whether who sent something on ``flow`` can be the peer."""
        host = flow.remote[0]
        ours = "" if usages.flow is None else usages.flow.remote[0]
        if host == (usages.source or ours or host):  # of a call that another process began we know nothing
            return True
        if not self._by_route:
            return False
        if host == ours:
            return True
        dialog = usages.dialog
        return any(is_at(self._router, host, each, now) for each in (*dialog.route_set, dialog.remote_target))


def is_at(router: Router, host: str, hop: str, now: float) -> bool:
    """Whether ``hop``, a URI or name-addr, is known to be at the address ``host``."""
    try:
        uri = NameAddr.parse(hop if hop.startswith("<") else f"<{hop}>").uri
    except ParseError:
        return False
    if not isinstance(uri, SipUri):
        return False
    address = as_address(uri.host)
    if address is not None:
        return address == host
    query = Query(uri.host.lower(), "AAAA" if ":" in host else "A")
    answer = router.lookups.cache.get(query, now)
    return answer is not None and host in map(str, answer.records)
