"""``messages``: how many messages a core parses, and answers, in a second of CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from interop.bench import progress
from interop.bench.invite import SIZE, invite
from interop.bench.message_work import read_all, respond_all
from interop.bench.report import Row, Table

T = TypeVar("T")
BATCH = 2000


def measure(quick: bool) -> Table:
    """Best of several batches; no message is parsed twice, none is answered twice."""
    parsed = responded = 0.0
    for batch in range(3 if quick else 15):
        progress.show(f"messages: batch {batch}")
        datagrams = [invite(batch * BATCH + number) for number in range(BATCH)]
        parsed = max(parsed, _rate(read_all, datagrams))
        responded = max(responded, _rate(respond_all, read_all(datagrams)))
    row = Row(
        "sipstack", {"parse and touch six fields, 1/s": parsed, "respond and serialise, 1/s": responded}
    )
    return Table(
        "messages", f"INVITE of {SIZE} octets, 17 headers, 2 Vias, SDP; per second of CPU time", [row]
    )


def _rate(work: Callable[[list[T]], object], items: list[T]) -> float:
    started = time.process_time()
    work(items)
    return len(items) / (time.process_time() - started)
