"""The messages of a run as a ladder diagram, one line a message, written while they travel.

Only the method, or the status and its reason, are shown: never a header field, so never a credential.
Control characters in what a peer wrote are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

TIME_WIDTH = 9
SPAN = 50  # characters between the two lifelines


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

    __slots__ = ("_ends", "_start", "_write")

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._start: float | None = None
        self._ends: tuple[tuple[str, int], tuple[str, int]] | None = None

    def __call__(self, message: Message) -> None:
        """Draw one message; a heading comes first wherever the pair of addresses changes."""
        if self._start is None:
            self._start = message.time
        ends = (message.flow.local, message.flow.remote)
        if ends != self._ends:
            self._ends = ends
            self._write(heading(message.flow), "heading")
        text = label(message.data)
        self._write(rung(message.time - self._start, message.sent, text), _style(message.sent, text))


def heading(flow: Flow) -> str:
    """The transport and, above its lifeline, the address of each end."""
    local, remote = _address(flow.local), _address(flow.remote)
    return f"{flow.transport:<{TIME_WIDTH + 2}}{local} {remote.rjust(SPAN + 1 - len(local))}"


def rung(seconds: float, sent: bool, text: str) -> str:
    """One arrow: to the right for what we send, to the left for what we receive."""
    line = f" {text[: SPAN - 5]} ".center(SPAN - 1, "-")
    arrow = f"{line}>" if sent else f"<{line}"
    return f"{seconds:{TIME_WIDTH}.3f}  |{arrow}|"


def label(data: bytes) -> str:
    """The text of a message's arrow: its method, or its status, its reason and the method it answers."""
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    first, _, rest = lines[0].partition(" ")
    if not rest:
        return "keep-alive" if not head else f"{len(data)} octets that are not SIP"
    if first.upper().startswith("SIP/"):
        text = f"{rest} ({_field(lines, 'cseq').rpartition(' ')[2]})"
    else:
        text = first
    carries_sdp = body and _field(lines, "content-type", "c").lower().startswith("application/sdp")
    return printable(f"{text} + SDP" if carries_sdp else text)


def printable(text: str) -> str:
    """``text`` with a question mark in place of each control character, which a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


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
