"""The messages of a user agent as lines of its log, at DEBUG."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from sipstack.core.outputs import Address, Flow
from sipstack.core.services import Counters
from sipstack.core.trace import TracedMessage
from sipstack.log import TRANSACTION, TRANSPORT

REMEMBERED = 1024
"""Messages that are recognised when they are repeated."""
_START_LINE = re.compile(rb"SIP/2\.0 [^\r\n]|[^\r\n]+ SIP/2\.0(?:[\r\n]|\Z)", re.IGNORECASE)
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)")
_CSEQ = re.compile(rb"(?im)^cseq[ \t]*:[ \t]*([^\r\n]*)")
FATES = {
    "malformed": "the message is malformed",
    "unmatched": "the message belongs to no transaction and no dialog",
    "overloaded": "the request is refused for now: there are too many",
}
"""What the core's counters stand for."""


class MessageLog:
    """A trace sink that writes one line for each message; one that went the same way before is "again"."""

    def __init__(self) -> None:
        self._seen: dict[tuple[bool, Address, int], None] = {}

    def __call__(self, message: TracedMessage) -> None:
        arrow, flow = "->" if message.sent else "<-", message.flow
        data = message.data.lstrip(b"\r\n")
        if not _START_LINE.match(data):
            octets = f"{len(data)} octets that are not SIP" if data else "keep-alive"
            TRANSPORT.debug("%s %s %s %s", arrow, flow.transport, flow.remote, octets)
            return
        head = data.partition(b"\r\n\r\n")[0]
        again = ", again" if self._is_repeated(message) else ""
        TRANSPORT.debug(
            "%s %s %s %s (Call-ID %s, CSeq %s%s)",
            arrow,
            flow.transport,
            flow.remote,
            head.partition(b"\r\n")[0].decode("utf-8", "replace"),
            _field(_CALL_ID, head),
            _field(_CSEQ, head),
            again,
        )

    def _is_repeated(self, message: TracedMessage) -> bool:
        key = message.sent, message.flow.remote, hash(message.data)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False


def _field(pattern: re.Pattern[bytes], head: bytes) -> str:
    found = pattern.search(head)
    return found[1].decode("utf-8", "replace") if found else "missing"


def reporting_drops(
    counters: Counters, receive: Callable[[Flow, bytes], None]
) -> Callable[[Flow, bytes], None]:
    """``receive`` that also writes a line for each message that reaches nobody."""

    def receive_and_report(flow: Flow, data: bytes) -> None:
        before = attrs.asdict(counters)
        receive(flow, data)
        for name, count in attrs.asdict(counters).items():
            if count > before[name]:
                TRANSACTION.debug("from %s: %s", flow.remote, FATES[name])

    return receive_and_report
