"""The messages of a run as a ladder diagram, one line a message, written while they travel.

Only the method, or the status and its reason, are shown; with ``full`` the whole message below its arrow,
where passwords and what follows from them are replaced by ``***``. Control characters in what a peer wrote
are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

TIME_WIDTH = 9
SPAN = 50  # characters between the two lifelines
LONGEST_NAME = 20
Ends = tuple[tuple[str, int], tuple[str, int]]


class Pen(NamedTuple):
    """The characters that lines are drawn with."""

    line: str
    left: str
    right: str
    lifeline: str


PLAIN = Pen("-", "<", ">", "|")
BOX = Pen("─", "◀", "▶", "│")

_SECRETS = (
    (re.compile(r'(?i)\b(response|rspauth|nextnonce)\s*=\s*("[^"]*"|[^\s,"]+)'), r"\1=***"),
    (re.compile(r"(?im)^((?:Proxy-)?Authorization\s*:)(?!\s*Digest\b).*(?:\n[ \t].*)*"), r"\1 ***"),
    (re.compile(r"(?i)\b(sips?:[^\s:@;>]*):[^\s@]*@"), r"\1:***@"),
    (re.compile(r"(?i)(\binline:)[^\s|]+"), r"\1***"),  # a=crypto, RFC 4568
)
_USER = re.compile(r"(?i)\bsips?:(?:([^\s:@;>]+)(?::[^\s@]*)?@)?([^\s:;>]+)")


class Flow(Protocol):
    """The flow that carries a message: its transport and the addresses of both ends."""

    @property
    def transport(self) -> str: ...
    @property
    def local(self) -> tuple[str, int]: ...
    @property
    def remote(self) -> tuple[str, int]: ...


class Message(Protocol):
    """One message that was sent or received, as a trace reports it; ``time`` in seconds."""

    @property
    def time(self) -> float: ...
    @property
    def sent(self) -> bool: ...
    @property
    def flow(self) -> Flow: ...
    @property
    def data(self) -> bytes: ...


class Ladder:
    """A trace sink that draws. ``write`` takes one line and the name of its style (see ``report``)."""

    __slots__ = ("_full", "_known", "_pen", "_start", "_write")

    def __init__(self, write: Callable[[str, str], None], *, full: bool = False, pen: Pen = PLAIN) -> None:
        self._write = write
        self._full = full
        self._pen = pen
        self._start: float | None = None
        self._known: list[Ends] = []

    def __call__(self, message: Message) -> None:
        """Draw one message. Each pair of addresses has one heading, before its first message; from the second
        pair on, the arrows name the far end.
        """
        if self._start is None:
            self._start = message.time
        ends = (message.flow.local, message.flow.remote)
        if ends not in self._known:
            self._known.append(ends)
            self._write(heading(message.flow, *names(message.data, message.sent)), "heading")
        text = label(message.data)
        line = rung(message.time - self._start, message.sent, text, self._pen)
        if ends != self._known[0]:
            line += f" {_address(message.flow.remote)}"
        self._write(line, _style(message.sent, text))
        if self._full:
            for each in lines_of(message.data):
                self._write(f"{'':<{TIME_WIDTH + 2}}{each}".rstrip(), "text")


def heading(flow: Flow, local_name: str = "", remote_name: str = "") -> str:
    """The transport and, above its lifeline, the name and the address of each end."""
    local = f"{local_name} {_address(flow.local)}".lstrip()
    remote = f"{remote_name} {_address(flow.remote)}".lstrip()
    return f"{flow.transport:<{TIME_WIDTH + 2}}{local} {remote.rjust(SPAN + 1 - len(local))}"


def rung(seconds: float, sent: bool, text: str, pen: Pen = PLAIN) -> str:
    """One arrow: to the right for what we send, to the left for what we receive."""
    line = f" {text[: SPAN - 5]} ".center(SPAN - 1, pen.line)
    arrow = f"{line}{pen.right}" if sent else f"{pen.left}{line}"
    return f"{seconds:{TIME_WIDTH}.3f}  {pen.lifeline}{arrow}{pen.lifeline}"


def label(data: bytes) -> str:
    """The text of a message's arrow: its method, or its status, its reason and the method it answers."""
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    first, _, rest = lines[0].partition(" ")
    if not rest:
        return "keep-alive" if not head else f"{len(data)} octets that are not SIP"
    text = f"{rest} ({_method(lines)})" if first.upper().startswith("SIP/") else first
    carries_sdp = body and _field(lines, "content-type", "c").lower().startswith("application/sdp")
    return printable(f"{text} + SDP" if carries_sdp else text)


def names(data: bytes, sent: bool) -> tuple[str, str]:
    """Who is at our end and who at the far end, by From and To. The other side of a REGISTER has no name."""
    lines = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
    caller, callee = _name(_field(lines, "from", "f")), _name(_field(lines, "to", "t"))
    if _method(lines) == "REGISTER":
        callee = ""
    asks = sent is not lines[0].upper().startswith("SIP/")
    return (caller, callee) if asks else (callee, caller)


def lines_of(data: bytes) -> Iterator[str]:
    """The lines of a message as they may be shown; none for a keep-alive."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return map(printable, text.split("\n") if text else [])


def printable(text: str) -> str:
    """``text`` with a question mark in place of each control character, which a terminal would obey."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def _method(lines: list[str]) -> str:
    return _field(lines, "cseq").rpartition(" ")[2]


def _name(address: str) -> str:
    found = _USER.search(address)
    return printable(found[1] or found[2])[:LONGEST_NAME] if found else ""


def _field(lines: list[str], *names: str) -> str:
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() in names:
            return value.strip()
    return ""


def _address(end: tuple[str, int]) -> str:
    host, port = end
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _style(sent: bool, text: str) -> str:
    if text[:1] in ("4", "5", "6"):
        return "failure"
    return "sent" if sent else "received"
