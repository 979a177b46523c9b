"""Messages as lines that a test can compare: ``alice -> bob INVITE sip:bob@bob.test [1]``."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.message import Request, parse


def ladder(text: str) -> list[str]:
    """The lines of a ladder as a test writes it, with any spacing: compare them with ``World.ladder()``.

    A request is shown with its CSeq number, a response with its whole CSeq:

        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    180 Ringing [1 INVITE]
    """
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


def timed(text: str) -> list[tuple[float, str]]:
    """The same where each line begins with its time in seconds: compare with ``World.timed_ladder()``."""
    return [(float(time), line) for time, _, line in (line.partition(" ") for line in ladder(text))]


def shown(data: bytes) -> str:
    """One message in one line: its start line without the version, and its CSeq."""
    try:
        message = parse(data)
    except ParseError:
        return repr(data[:40])
    line = message.start_line.removesuffix(" SIP/2.0").removeprefix("SIP/2.0 ")
    number, _, method = (message.headers.get("CSeq") or "").partition(" ")
    return f"{line} [{number}]" if isinstance(message, Request) else f"{line} [{number} {method}]"
