"""Several sinks of one trace, one of which may fail."""

from __future__ import annotations

from sipstack.cli.trace_sinks import TraceSinks
from sipstack.core.trace import TracedMessage
from sipstack.transaction.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5070))
FIRST = TracedMessage(1.0, True, FLOW, b"INVITE")
SECOND = TracedMessage(2.0, False, FLOW, b"SIP/2.0 200 OK")


def test_every_sink_gets_every_trace() -> None:
    one: list[TracedMessage] = []
    two: list[TracedMessage] = []
    tracing = TraceSinks([one.append, two.append], lambda error: None)
    tracing(FIRST)
    tracing(SECOND)
    assert one == two == [FIRST, SECOND]


def test_a_sink_that_cannot_write_is_told_of_once_and_left_out() -> None:
    seen: list[TracedMessage] = []
    failures: list[OSError] = []
    full = OSError(28, "No space left on device")

    def write(trace: TracedMessage) -> None:
        raise full

    tracing = TraceSinks([write, seen.append], failures.append)
    tracing(FIRST)
    tracing(SECOND)
    assert seen == [FIRST, SECOND]
    assert failures == [full]
