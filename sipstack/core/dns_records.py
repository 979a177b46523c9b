"""What is asked of the DNS, and what it answers, as values of the core (RFC 2782, RFC 3263, RFC 3403)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Query:
    """One question: the records of ``name`` of one ``type``, "A", "AAAA", "SRV" or "NAPTR"."""

    name: str
    type: str


@attrs.frozen
class Srv:
    """A server of a service. The target "." says that there is no such service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@attrs.frozen
class Naptr:
    """A way to a domain (RFC 3403 §4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


Record = str | Srv | Naptr
"""The text of an IP address, a server, or a way."""


NO_NAME, NO_RECORD = "there is no such name", "there is no such record"
"""The problems of an answer that a server has given; any other is of the way to the servers."""


@attrs.frozen
class Answer:
    """The records, and for how many seconds they hold; without any, ``problem`` says why in words."""

    records: tuple[Record, ...] = ()
    ttl: float = 0.0
    problem: str = ""
