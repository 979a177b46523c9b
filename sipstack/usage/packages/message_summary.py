"""message-summary: waiting messages, the lamp of a telephone (RFC 3842)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.usage.packages.package import EventPackage

LONGEST = 16 * 1024
"""Octets of a summary."""
MOST = 32
"""Classes of messages."""
_COUNTS = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})(?:\s*\(\s*(\d{1,9})\s*/\s*(\d{1,9})\s*\))?")


@attrs.frozen
class MessageCount:
    """Of one class of messages: the new and the old ones, and how many of each are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


NO_MESSAGES: Mapping[str, MessageCount] = MappingProxyType({})


@attrs.frozen
class MessageSummary:
    """``waiting``: whether there are new messages. ``account``: the URI that is called to hear them; may be
    empty. ``messages``: by class, such as "voice-message", "fax-message", "text-message".
    """

    waiting: bool
    account: str = ""
    messages: Mapping[str, MessageCount] = NO_MESSAGES

    @property
    def voice(self) -> MessageCount:
        """The voice messages."""
        return self.messages.get("voice-message", MessageCount())


def read_summary(body: bytes) -> MessageSummary:
    """Raises ParseError."""
    if len(body) > LONGEST:
        raise ParseError(f"a message summary of {len(body)} octets is too long")
    status, account = "", ""
    messages: dict[str, MessageCount] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not line.strip():
            if status:
                break  # what follows is of single messages
        elif not colon:
            raise ParseError(f"{line[:40]!r} is no line of a message summary")
        elif name == "messages-waiting":
            status = value.lower()
        elif name == "message-account":
            account = value
        elif (counts := _COUNTS.fullmatch(value)) is not None and len(messages) < MOST:
            messages[name] = MessageCount(*(int(count or 0) for count in counts.groups()))
    if status not in ("yes", "no"):
        raise ParseError("a message summary without Messages-Waiting: yes or no")
    return MessageSummary(status == "yes", account, messages)


def write_summary(summary: MessageSummary) -> bytes:
    """The inverse of ``read_summary``."""
    lines = [f"Messages-Waiting: {'yes' if summary.waiting else 'no'}"]
    if summary.account:
        lines.append(f"Message-Account: {summary.account}")
    for name, count in summary.messages.items():
        lines.append(f"{name.title()}: {count.new}/{count.old} ({count.urgent_new}/{count.urgent_old})")
    if any("\r" in line or "\n" in line for line in lines):
        raise LocalProtocolError("a line of a message summary holds a line end")
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


MESSAGE_SUMMARY = EventPackage(
    "message-summary", "application/simple-message-summary", read_summary, write_summary, forks=True
)
