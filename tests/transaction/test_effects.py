"""Effects are values: equal when they say the same."""

from __future__ import annotations

from sipstack.errors import FlowClosed, ResolutionError, TransactionTimeout
from sipstack.transaction.effects import Deliver, Fail, Send
from tests.transaction.examples import request, response


def test_what_is_sent_and_delivered_is_compared_by_content() -> None:
    assert Send(b"1") == Send(b"1")
    assert Send(b"1") != Send(b"2")
    ringing = response(request("INVITE"), 180)
    assert Deliver(ringing) == Deliver(response(request("INVITE"), 180))
    assert Deliver(ringing) != Deliver(response(request("INVITE"), 183))


def test_failures_are_compared_by_their_kind() -> None:
    assert Fail(TransactionTimeout("a")) == Fail(TransactionTimeout("b"))
    assert Fail(FlowClosed("a")) != Fail(ResolutionError("a"))
