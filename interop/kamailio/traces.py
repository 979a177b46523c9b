"""What a trace holds: the messages of one user agent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sipstack import Request, Response, TracedMessage
from sipstack.message import parse


def messages(trace: Sequence[TracedMessage], *, sent: bool) -> Iterator[Request | Response]:
    """Those of one direction, in order."""
    return (parse(entry.data) for entry in trace if entry.sent == sent)


def requests(trace: Sequence[TracedMessage], method: str, *, sent: bool) -> list[Request]:
    """The requests of this method, in order."""
    return [
        each for each in messages(trace, sent=sent) if isinstance(each, Request) and each.method == method
    ]


def responses(trace: Sequence[TracedMessage], method: str) -> list[Response]:
    """The responses that came to requests of this method, in order."""
    return [
        each
        for each in messages(trace, sent=False)
        if isinstance(each, Response) and (each.headers.get("CSeq") or "").endswith(f" {method}")
    ]


def values(message: Request | Response, name: str) -> list[str]:
    """The values of a header field, one an entry of its lists, as text."""
    return [value.strip() for field in message.headers.raw(name) for value in field.split(",")]
