"""One look-up: from a question to the ordered targets, by NAPTR, SRV, A and AAAA (RFC 3263 §4).

question -- missing --> queries; told the answers, until nothing is missing; then -- targets --> Targets
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

import attrs

from sipstack.core.dns_records import NO_NAME, NO_RECORD, Answer, Naptr, Query, Srv
from sipstack.core.outputs import Question, Target, Transport
from sipstack.core.routing import WEB, as_address
from sipstack.errors import ResolutionError
from sipstack.identifiers import Identifiers

MAXIMUM_RECORDS = 16
"""Records of one answer that are looked at."""
MAXIMUM_SERVERS = 16
MAXIMUM_TARGETS = 32
MAXIMUM_NAME = 253
SERVICES = {
    "SIP+D2U": "UDP",
    "SIP+D2T": "TCP",
    "SIPS+D2T": "TLS",
    "SIP+D2W": "WS",
    "SIPS+D2W": "WSS",
}
"""The transports of NAPTR services (RFC 3263 §4.1, RFC 7118 §8)."""
PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
"""The SRV names of transports; a WebSocket has none."""

R = TypeVar("R", str, Srv, Naptr)


@attrs.frozen
class _Server:
    transport: Transport
    host: str
    port: int


class Resolution:
    """The look-up of one question, for those ``transports`` that we speak."""

    __slots__ = ("_answers", "_declined", "_missing", "_ordered", "_question", "_random", "_transports")

    def __init__(
        self, question: Question, transports: Mapping[str, Transport], identifiers: Identifiers
    ) -> None:
        self._question = question
        self._transports = dict(transports)
        self._random = identifiers
        self._answers: dict[Query, Answer] = {}
        self._missing: list[Query] = []
        self._declined = False
        self._ordered: dict[str, list[Srv]] = {}  # thrown once

    def missing(self) -> Sequence[Query]:
        """What must be asked next; the answers may come in any order. Empty when ``targets`` are known."""
        self._missing = []
        self._walk()
        return self._missing

    def tell(self, query: Query, answer: Answer) -> None:
        """The answer to a query."""
        self._answers[query] = answer

    def targets(self) -> list[Target]:
        """Best first, by ``priority``. Raises ResolutionError that says in one clause why there are none."""
        targets = self._walk()
        if targets:
            return targets
        if self._declined:
            raise ResolutionError("the domain offers no such service (SRV with the target .)")
        raise ResolutionError(self._reason())

    def _reason(self) -> str:
        """What stands in the way: rather that a server was not reached than what one has answered."""
        vain = {query: answer.problem for query, answer in self._answers.items() if not answer.records}
        for problem in vain.values():
            if problem not in ("", NO_NAME, NO_RECORD):
                return problem
        host = self._question.host.rstrip(".").lower()
        names = [query.name for query in self._answers if query.type in ("A", "AAAA")] or [host]
        unknown = all(vain.get(Query(names[0], kind), NO_NAME) == NO_NAME for kind in ("A", "AAAA"))
        where = "" if names[0] == host else f"{names[0]} (SRV of {host}): "
        return where + (NO_NAME if unknown else "the name has no address")

    # -- the walk: as far as the answers lead --------------------------------------------------------------

    def _walk(self) -> list[Target]:
        question = self._question
        own = [_Server(self._transports[question.transport], question.host, question.port)]
        if question.has_port:
            return self._addresses(own)
        services = self._services()
        servers = [server for transport, name in services for server in self._servers(transport, name)]
        if self._missing:
            return []
        if not servers and self._declined:
            return []
        return self._addresses(servers[:MAXIMUM_SERVERS] or own)

    def _services(self) -> list[tuple[Transport, str]]:
        """The names of SRV records to ask, in the order in which their servers are tried (§4.1)."""
        question, ours = self._question, self._transports
        if question.has_transport:
            fitting = [ours[question.transport]]
        else:
            fitting = [each for each in ours.values() if each.secure >= question.secure]
            fitting.sort(key=lambda each: each.name != question.transport)
            ways = [] if _is_local(question.host) else self._records(question.host, "NAPTR", Naptr)
            if self._missing:
                return []
            by_name = {each.name: each for each in fitting}
            ways = sorted(ways, key=lambda way: (way.order, way.preference))
            found = [
                (by_name[name], way.replacement)
                for way in ways
                if (name := SERVICES.get(way.service.upper(), "")) in by_name
                and way.flags.upper() == "S"
                and not way.regexp
            ]
            if found:
                return found
        if _is_local(question.host):
            return []
        return [(each, PREFIXES[each.name] + question.host) for each in fitting if each.name in PREFIXES]

    def _servers(self, transport: Transport, name: str) -> list[_Server]:
        """The servers of one service, by priority and weight (RFC 2782)."""
        records = self._records(name, "SRV", Srv)
        there = [each for each in records if each.target.rstrip(".") and 0 < each.port < 65536]
        if len(records) == 1 and not records[0].target.rstrip("."):
            self._declined = True
        if there and name not in self._ordered:
            self._ordered[name] = by_weight(there, self._random)
        ordered = self._ordered.get(name, ())
        return [_Server(transport, each.target.rstrip("."), each.port) for each in ordered]

    def _addresses(self, servers: Sequence[_Server]) -> list[Target]:
        """The addresses of each server, of the families that we reach in turn (RFC 8305 §4)."""
        targets: dict[Target, None] = {}
        for server in servers:
            families = [self._records(server.host, kind, str) for kind in server.transport.families]
            for pair in zip_longest(*families):
                for text in pair:
                    address = as_address(text) if text is not None else None
                    if address is not None and len(targets) < MAXIMUM_TARGETS:
                        targets.setdefault(self._target(server, address, len(targets)))
        return list(targets)

    def _target(self, server: _Server, address: str, priority: int) -> Target:
        """With the name that was asked for, never that of a record: the DNS proves nothing (RFC 5922 §4)."""
        question = self._question
        named = server.transport.secure or server.transport.name in WEB
        domain = (question.domain or question.host) if named else ""
        return Target(server.transport.name, (address, server.port), domain, priority=priority)

    def _records(self, name: str, kind: str, record: type[R]) -> list[R]:
        query = Query(name.rstrip(".").lower(), kind)
        if not 0 < len(query.name) <= MAXIMUM_NAME:
            return []
        answer = self._answers.get(query)
        if answer is None:
            if query not in self._missing:
                self._missing.append(query)
            return []
        return [each for each in answer.records[:MAXIMUM_RECORDS] if isinstance(each, record)]


def _is_local(host: str) -> bool:
    """Whether it is a name of the local network, of which the DNS knows no services: servers that are asked
    for them tend to be silent.
    """
    name = host.rstrip(".").lower()
    return "." not in name or name.endswith(".local")


def by_weight(records: Sequence[Srv], identifiers: Identifiers) -> list[Srv]:
    """In the order of priority; among equals by dice, a heavier one sooner (RFC 2782, "Weight")."""
    left = sorted(records, key=lambda each: (each.priority, each.weight > 0))
    ordered: list[Srv] = []
    while left:
        equals = [each for each in left if each.priority == left[0].priority]
        chosen = equals[0]
        if len(equals) > 1:
            mark = identifiers.uniform(0.0, float(sum(max(each.weight, 0) for each in equals)))
            for chosen in equals:
                mark -= max(chosen.weight, 0)
                if mark <= 0.0:
                    break
        left.remove(chosen)
        ordered.append(chosen)
    return ordered
