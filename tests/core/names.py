"""What a name leads to, told to a router without the records in between."""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.core.dns_records import Query
from sipstack.core.outputs import Question, Resolve, Target
from sipstack.core.router import Router

NAME = Question("TOY", "example.com", 5060, has_transport=True)
"""A transport that has no SRV records is asked for."""
LOOK_UP = [Resolve(Query("example.com", "AAAA")), Resolve(Query("example.com", "A"))]
"""What the driver is asked for then."""


def found(router: Router, question: Question, targets: Sequence[Target], now: float) -> None:
    """The look-up is over: forget what it has asked."""
    router.lookups._asked.clear()
    router.lookups.found(question, targets, now)
