"""The messages that one sipp process sent and received, read from its ``-trace_msg`` file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

_HEADING = re.compile(r"^-{40,} .*\nUDP message (sent|received) [\[(]\d+(?: bytes\):|\] bytes ?:)\n\n", re.M)


@attrs.frozen
class Message:
    """One message as sipp saw it; ``sent`` from sipp's side."""

    sent: bool
    text: str

    @property
    def label(self) -> str:
        """``> INVITE`` or ``< 200 INVITE``: the direction as sipp sees it, and what it is."""
        first = self.text.split(None, 2)
        what = f"{first[1]} {self.method}" if first[0] == "SIP/2.0" else first[0]
        return f"{'>' if self.sent else '<'} {what}"

    @property
    def method(self) -> str:
        """The method in CSeq."""
        return self.header("CSeq").split()[-1]

    def header(self, name: str) -> str:
        """The header field's first value, or an empty text; by full names only, as both sides write them."""
        found = re.search(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)\r?$", self.text, re.M | re.I)
        return found[1] if found else ""


def read(path: Path) -> list[Message]:
    """All messages in order."""
    if not path.is_file():
        return []
    return list(_messages(path.read_text(encoding="utf-8", errors="surrogateescape")))


def _messages(text: str) -> Iterator[Message]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        yield Message(sent=heading[1] == "sent", text=text[heading.end() : end].strip())
