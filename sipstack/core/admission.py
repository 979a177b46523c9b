"""Who may still begin something while our tables fill (RFC 3261 §21.5.4).

Three rules, for whoever adds a table: what belongs to a call that is alive comes before what is new; the last
eighth of a table is for sources that do not hold most of it; and as long as there is room nobody counts.
So one source may have seven eighths: a trunk or proxy that brings all calls is not throttled, and a flood
from one address leaves room for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice

import attrs

from sipstack.core.configuration import Configuration
from sipstack.dialog.usages import DialogUsages
from sipstack.message import Request
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.transaction.server import ServerTransaction

CROWD = 10_000
"""Server transactions from which on requests are looked at more closely."""
SAMPLE = 4096
"""Of the transactions the newest are counted: they tell who brings more."""
COUNTED_AGAIN = 0.25
"""Seconds after which the shares of the sources are counted anew."""


def source_of(flow: Flow) -> str:
    """What counts as one source: an IPv4 address, or the 64 bits of an IPv6 network, which one host owns."""
    return network_of(flow.remote[0])


def network_of(host: str) -> str:
    """The same of an IP address as text."""
    if ":" not in host:
        return host
    head, gap, tail = host.partition("::")  # "::" stands for groups of zeros
    groups = head.split(":") if head else []
    if gap:
        rest = tail.split(":") if tail else []
        groups += ["0"] * (8 - len(groups) - len(rest)) + rest
    return ":".join(groups[:4])


def has_room(size: int, limit: int, held: int, counted: int) -> bool:
    """Whether a table of ``size`` takes one more from a source that has ``held`` of the ``counted``."""
    return size < limit - limit // 8 or (size < limit and 2 * held <= counted)


class Shares:
    """The sources of what a table holds, counted only when it is nearly full, and then seldom."""

    __slots__ = ("_counted_at", "_held", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: Counter[str] = Counter()
        self._counted_at = float("-inf")

    def admit(self, size: int, host: str, hosts: Callable[[], Iterable[str]], now: float) -> bool:
        """Whether one more of ``host`` goes in; ``hosts`` are those of what is in the table."""
        if size < self._limit - self._limit // 8:
            return True
        if now >= self._counted_at + COUNTED_AGAIN:
            self._held, self._counted_at = Counter(map(network_of, hosts())), now
        source, held = network_of(host), self._held
        if not has_room(size, self._limit, held[source], held.total()):
            return False
        held[source] += 1
        return True


class Unacknowledged:
    """INVITEs outside of a dialog whose ACK has not come: each costs retransmissions for 64*T1.

    Held by Call-ID, oldest first, with the host that sent it and the time.
    """

    __slots__ = ("_crowd", "_shares", "_timeout", "invites")

    def __init__(self, limit: int, timeout: float) -> None:
        self.invites: dict[str, tuple[str, float]] = {}
        self._crowd = limit - limit // 8
        self._shares = Shares(limit)
        self._timeout = timeout

    def enter(self, call_id: str, host: str, now: float) -> bool:
        """Whether an INVITE of ``host`` is taken; then it is noted until its ACK comes."""
        noted = self.invites
        if len(noted) >= self._crowd and call_id not in noted and not self._admit(host, now):
            return False
        noted.setdefault(call_id, (host, now))
        return True

    def _admit(self, host: str, now: float) -> bool:
        invites = self.invites
        while invites:
            oldest = next(iter(invites))
            if invites[oldest][1] > now - self._timeout:
                break
            del invites[oldest]
        return self._shares.admit(len(invites), host, self._hosts, now)

    def _hosts(self) -> Iterable[str]:
        return (host for host, _ in self.invites.values())


class Admission:
    """The door of one core: its tables of server transactions, dialogs and INVITEs without ACK."""

    __slots__ = (
        "_brief",
        "_dialog_shares",
        "_dialogs",
        "_limit",
        "_shares",
        "_transactions",
        "crowd",
        "unacknowledged",
    )

    def __init__(
        self,
        configuration: Configuration,
        transactions: TransactionLayer,
        dialogs: Mapping[Hashable, DialogUsages],
    ) -> None:
        self._limit = configuration.maximum_transactions
        self._transactions = transactions
        self._dialogs = dialogs
        self._shares = Shares(self._limit)
        self._dialog_shares = Shares(configuration.maximum_dialogs)
        self._brief = attrs.evolve(configuration.timers, t1=0.0)  # Timer J of no time
        self.crowd = min(CROWD, self._limit)
        """The number of server transactions from which on ``admit`` is to be asked."""
        self.unacknowledged = Unacknowledged(
            configuration.maximum_unacknowledged, configuration.timers.timeout
        )

    def admit(self, request: Request, flow: Flow, now: float) -> bool:
        """Whether a request other than ACK gets a server transaction. One of a live call does while there is
        an eighth more than the limit.
        """
        size = len(self._transactions.servers)
        if size < self._limit - self._limit // 8 or self._transactions.is_known(request):
            return True
        if self.is_of_live_call(request):
            return size < self._limit + max(self._limit // 8, 64)
        return self._shares.admit(size, flow.remote[0], self._newest, now)

    def admit_dialog(self, host: str, now: float) -> bool:
        """Whether a request of ``host`` may begin one more dialog."""
        return self._dialog_shares.admit(len(self._dialogs), host, self._sources, now)

    def shorten(self, request: Request, transaction: AnyServer, is_repeatable: Callable[[str], bool]) -> None:
        """In a crowd, a request that can be answered once more at no harm is not remembered after its answer
        (§8.2.7: a UAS may be stateless). ``is_repeatable`` tells so of a method.
        """
        if not is_repeatable(request.method) or self.is_of_live_call(request):
            return
        if isinstance(transaction, ServerTransaction):
            transaction.timers = self._brief

    def is_of_live_call(self, request: Request) -> bool:
        """Whether a request belongs to a dialog that is there, or cancels an INVITE that is."""
        if request.method == "CANCEL":
            return self._transactions.invite_to_cancel(request) is not None
        tag = request.to.tag
        return tag is not None and (request.call_id, tag, request.from_.tag or "") in self._dialogs

    def _newest(self) -> Iterable[str]:
        newest = islice(reversed(self._transactions.servers.values()), SAMPLE)
        return (transaction.flow.remote[0] for transaction in newest)

    def _sources(self) -> Iterable[str]:
        return (usages.source for usages in self._dialogs.values())
