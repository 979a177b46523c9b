r"""What a call and an agent say to each other: audio, and JSON objects that control it.

One connection (or one child process) is one call. Audio is signed 16-bit little-endian mono PCM, both ways at
the sample rate of the event ``start``. A control message is one JSON object in UTF-8.

**On a WebSocket** a binary message is audio of any length (up to a megabyte), a text message is control.

**On a TCP socket, or a child's standard input and output,** each message is a frame: one octet that tells its
kind, two octets with the length of what follows (big-endian), and so many octets. Kind ``A`` (0x41) is audio,
kind ``J`` (0x4A) is control. In Python, an agent that sends back what it hears::

    import struct, sys
    while header := sys.stdin.buffer.read(3):
        kind, length = struct.unpack(">cH", header)
        payload = sys.stdin.buffer.read(length)
        if kind == b"A":
            sys.stdout.buffer.write(header + payload)
            sys.stdout.buffer.flush()

**Events**, to the agent:

==============================================================  ===========================================
``{"event": "start", "call": ID, "from": URI, "to": URI,``      the call is answered, audio begins; the first
``"rate": 16000}``                                              message of all
``{"event": "digit", "digit": "5"}``                            the other side pressed a key
``{"event": "cleared", "unsaid": 1.5}``                         so many seconds were dropped by ``clear``
``{"event": "error", "command": "transfer", "reason": "..."}``  what the agent asked for was not done; the
                                                                call goes on
``{"event": "end", "by": "remote", "reason": ""}``              the call is over, the connection will close;
                                                                ``by`` is agent, remote, local, timeout or
                                                                transport
==============================================================  ===========================================

**Commands**, to the call:

==============================================================  ===========================================
``{"command": "hang_up"}``                                      end the call, once what was sent is said
``{"command": "clear"}``                                        drop what is not said yet, at once (barge-in)
``{"command": "send_digits", "digits": "12#"}``                 press keys
``{"command": "transfer", "target": "sip:bob@example.com"}``    have the other side call another one (REFER);
                                                                when that is answered the call ends, by the
                                                                agent; until then it goes on
==============================================================  ===========================================

**Time.** Audio comes as it is heard, silence included. The agent may send as fast as it likes: ``AHEAD``
seconds are taken before they are said. Beyond that its messages are not read until there is room, commands
neither. An agent that is slow to read loses the oldest audio, never an event; one that does not read for ten
seconds is taken for dead.

**The end.** A call ends with ``hang_up``, or when the other side hangs up, which ``end`` tells. An agent that
closes its connection (or exits) without ``hang_up`` is taken for dead: the call is ended, and that is told.
It is not connected again in mid-call: it would have forgotten what was said. The connection is made before
the call is answered; an agent that is not there is tried again for ``PATIENCE`` seconds while the caller
hears ringing, and then the caller gets a 503. When the connection closes before any ``start``, nothing came
of the call.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any, Final

import attrs

from sipstack.errors import ParseError

AHEAD = 60.0
"""Seconds of audio that an agent may send before they are said."""
PATIENCE = 5.0
"""Seconds that an agent that is not there is tried again."""
AUDIO: Final = ord("A")
CONTROL: Final = ord("J")
LONGEST = 0xFFFF
"""Octets of a message in a frame."""
MOST = 1_000_000
"""Octets of a message on a WebSocket."""

HEADER = struct.Struct(">BH")
DIALLED = re.compile(r"[0-9*#A-D]{1,64}")


@attrs.frozen
class HangUp:
    """End the call, once what was sent is said."""


@attrs.frozen
class Clear:
    """Drop what is not said yet."""


@attrs.frozen
class SendDigits:
    """Press keys."""

    digits: str


@attrs.frozen
class Transfer:
    """Let somebody else take the call."""

    target: str


Command = HangUp | Clear | SendDigits | Transfer


class CommandError(ParseError):
    """A control message that cannot be obeyed. ``command`` is its name, as far as it is known."""

    def __init__(self, message: str, command: str | None = None) -> None:
        super().__init__(message)
        self.command = command


def framed(kind: int, payload: bytes) -> bytes:
    """A message for a stream."""
    return HEADER.pack(kind, len(payload)) + payload


def header(octets: bytes) -> tuple[int, int]:
    """The kind and the length of the message that begins with these three octets. Raises ParseError."""
    kind, length = HEADER.unpack(octets)
    if kind not in (AUDIO, CONTROL):
        raise ParseError(
            f"the agent wrote {octets!r} where a frame begins with A or J:"
            " does it print to standard output, which is for frames?"
        )
    return kind, length


def event(name: str, **members: Any) -> str:
    """An event as JSON. A trailing underscore is not part of a member's name: ``from_`` is "from"."""
    return json.dumps({"event": name} | {key.rstrip("_"): value for key, value in members.items()})


def command(text: str) -> Command:
    """The command in a control message. Raises CommandError."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError("a control message is one JSON object") from error
    if not isinstance(values, dict) or not isinstance(name := values.get("command"), str):
        raise CommandError('a control message is {"command": ...}')
    match name:
        case "hang_up":
            return HangUp()
        case "clear":
            return Clear()
        case "send_digits":
            digits = values.get("digits")
            if not isinstance(digits, str) or DIALLED.fullmatch(digits) is None:
                raise CommandError("digits are 1 to 64 of 0-9, *, #, A-D", name)
            return SendDigits(digits)
        case "transfer":
            target = values.get("target")
            if not isinstance(target, str):
                raise CommandError("a target is a SIP URI", name)
            return Transfer(target)
    raise CommandError("there is no such command", name[:32])
