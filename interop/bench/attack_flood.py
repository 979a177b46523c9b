"""The floods, and the process that sends one: ``python -m interop.bench.attack_flood NAME PORT SECONDS``.

It sends from one address, 127.0.0.2, reads what comes back and acknowledges the calls that it wants to hold.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Callable

import attrs

from interop.bench.floor import ANSWER

SOURCE = "127.0.0.2"
SLICE = 0.002
"""Seconds between two bursts of datagrams."""
BURST = 1_000
"""Datagrams that go out before what came back is read."""
HEAD = (
    "%s sip:bench@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:%s@%s>;tag=%s\r\nTo: <sip:bench@127.0.0.1>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"
    "Contact: <sip:%s@%s:%d>\r\n%sContent-Length: %d\r\n\r\n"
)
NAME = "@NAME@"
"""Stands for the name of one message in the template of a flood."""
SDP = "Content-Type: application/sdp\r\n"
MEGABYTES = 4 << 20

Local = tuple[str, int]


def write(
    method: str,
    local: Local,
    name: str,
    *,
    to_tag: str = "",
    cseq: int = 1,
    more: str = "",
    body: bytes = b"",
) -> bytes:
    """A request; ``name`` makes its identifiers: one transaction a name and method."""
    host, port = local
    to = f";tag={to_tag}" if to_tag else ""
    kind, branch = (SDP if body else ""), f"{method}{cseq}{name}"
    call = (name, host, name, to, name, cseq, method, name, host, port)
    return (HEAD % (method, host, port, branch, *call, kind + more, len(body))).encode() + body


def tag_of(response: bytes) -> str:
    """The To tag of a response."""
    found = re.search(rb"\r\nTo:[^\r\n]*;tag=([^;\r\n]+)", response)
    return found[1].decode() if found else ""


def name_of(response: bytes) -> str:
    """The Call-ID of a message of ours, or of its response."""
    found = re.search(rb"\r\nCall-ID: ([^\r\n]+)", response)
    return found[1].decode() if found else ""


@attrs.frozen
class Flood:
    """One kind of datagram, ``rate`` a second, at a server that runs in a ``mode``."""

    name: str
    rate: float
    make: Callable[[Local, str], bytes]
    mode: str = "policy"
    acknowledges: bool = False
    """Whether its calls are acknowledged, and then held for good."""


def _options(local: Local, name: str) -> bytes:
    return write("OPTIONS", local, name)


def _register(local: Local, name: str) -> bytes:
    return write("REGISTER", local, name)


def _message(local: Local, name: str) -> bytes:
    return write("MESSAGE", local, name)


def _invite(local: Local, name: str) -> bytes:
    return write("INVITE", local, name, body=ANSWER)


def _in_no_dialog(local: Local, name: str) -> bytes:
    return write("BYE", local, name, to_tag="nobody")


def _escaped(local: Local, name: str, octets: int) -> bytes:
    plain = write("OPTIONS", local, name)
    return plain.replace(b"From: <", b'From: "' + b"\\" * (octets // 2 * 2) + b'" <')


def _huge(local: Local, name: str) -> bytes:
    return _escaped(local, name, 64_000)


def _many_fields(local: Local, name: str) -> bytes:
    return write("OPTIONS", local, name, more="X: y\r\n" * 10_600)


def _quoted(local: Local, name: str) -> bytes:
    return _escaped(local, name, 1_400)


def _garbage(local: Local, name: str) -> bytes:
    return b"no SIP at all " + name.encode() + b"\r\n\r\n"


FLOODS = (
    Flood("OPTIONS, 10,000/s", 10_000, _options),
    Flood("REGISTER, 10,000/s", 10_000, _register),
    Flood("MESSAGE, 10,000/s", 10_000, _message),
    Flood("BYE in no dialog, 10,000/s", 10_000, _in_no_dialog),
    Flood("garbage, 10,000/s", 10_000, _garbage),
    Flood("INVITE, 2,000/s", 2_000, _invite),
    Flood("INVITE and ACK, 2,000/s", 2_000, _invite, acknowledges=True),
    Flood("INVITE, 10,000/s", 10_000, _invite),
    Flood("held calls with media, 100/s", 100, _invite, "media", acknowledges=True),
    Flood("64,000 backslashes, 20/s", 20, _huge),
    Flood("10,600 fields, 20/s", 20, _many_fields),
    Flood("1,400 backslashes, 600/s", 600, _quoted),
    Flood("OPTIONS, all that a core sends", 1e6, _options),
    Flood("INVITE, all that a core sends", 1e6, _invite),
)


def send(flood: Flood, port: int, seconds: float) -> int:
    """Send it for that long; returns how many datagrams went out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MEGABYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEGABYTES)
        sock.bind((SOURCE, 0))
        sock.setblocking(False)
        local, sent = sock.getsockname(), 0
        template = flood.make(local, NAME)
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            goal = min(passed * flood.rate, sent + BURST)
            while sent < goal:
                sent += 1
                try:
                    sock.sendto(template.replace(NAME.encode(), b"flood%d" % sent), ("127.0.0.1", port))
                except BlockingIOError:
                    break
            _read(flood, sock, local, port)
            if sent >= passed * flood.rate:
                time.sleep(SLICE)
        return sent


def _read(flood: Flood, sock: socket.socket, local: Local, port: int) -> None:
    while True:
        try:
            data = sock.recv(65535)
        except BlockingIOError:
            return
        if flood.acknowledges and data.startswith(b"SIP/2.0 200") and b"INVITE\r\n" in data:
            ack = write("ACK", local, name_of(data), to_tag=tag_of(data))
            sock.sendto(ack, ("127.0.0.1", port))


if __name__ == "__main__":
    chosen = next(flood for flood in FLOODS if flood.name == sys.argv[1])
    sys.stdout.write(f"{send(chosen, int(sys.argv[2]), float(sys.argv[3]))}\n")
