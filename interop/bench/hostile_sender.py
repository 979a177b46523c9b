"""One who means harm: ``python -m interop.bench.hostile_sender PORT CALL_ID RATE SECONDS``.

Every method there is, outside of dialogs and in the name of a call of which it knows the Call-ID; CANCEL, ACK
and responses that belong to nothing; passwords guessed, with nonces of the server; and what is no SIP. What
is in the call's name comes from the address of the caller, another port. How many went out is printed.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator

import attrs

from interop.bench.attack_flood import BURST, MEGABYTES, NAME, SDP, SLICE, SOURCE, Local, write
from interop.bench.floor import ANSWER

VICTIM = "127.0.0.3"
"""The host of the call that is to suffer."""
NONCE = "@NONCE@"
METHODS = (
    *("BYE", "INVITE", "UPDATE", "INFO", "REFER", "PRACK", "NOTIFY", "SUBSCRIBE"),
    *("MESSAGE", "PUBLISH", "OPTIONS", "REGISTER", "X-NEW"),
)
OFFERS = frozenset(("INVITE", "UPDATE", "PRACK"))
GUESS = (
    'Authorization: Digest username="alice", realm="bench", nonce="@NONCE@", uri="sip:bench@127.0.0.1", '
    'response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="c", qop=auth, nc=00000001\r\n'
)
EVENT = "Event: presence\r\n"


@attrs.frozen
class Shot:
    """One kind of message; ``forged``: from the address of the victim's own."""

    data: bytes
    forged: bool = False


def shots(call_id: str, stranger: Local, neighbour: Local) -> list[Shot]:
    """One of each kind; ``NAME`` and ``NONCE`` stand for what each message has of its own."""
    return [*_outside(stranger), *_inside(call_id, neighbour), *_odd(stranger)]


def _body(method: str) -> bytes:
    return ANSWER if method in OFFERS else b""


def _outside(local: Local) -> Iterator[Shot]:
    for method in METHODS:
        yield Shot(write(method, local, NAME, more=EVENT, body=_body(method)))
        yield Shot(write(method, local, NAME, more=EVENT + GUESS, body=_body(method)))
    yield Shot(write("CANCEL", local, NAME))
    yield Shot(write("ACK", local, NAME))


def _inside(call_id: str, local: Local) -> Iterator[Shot]:
    for method in (*METHODS, "ACK"):
        forged = write(method, local, NAME, to_tag=f"tag{NAME}", cseq=7, more=EVENT, body=_body(method))
        yield Shot(_in_call(forged, call_id), forged=True)
    yield Shot(_in_call(write("CANCEL", local, NAME), call_id), forged=True)
    yield Shot(_in_call(write("INVITE", local, NAME, body=ANSWER), call_id), forged=True)
    for status in (b"200 OK", b"486 Busy Here", b"407 Proxy Authentication Required"):
        response = (
            b"SIP/2.0 " + status + write("BYE", local, NAME, to_tag=f"tag{NAME}").partition(b" SIP/2.0")[2]
        )
        yield Shot(_in_call(response, call_id), forged=True)


def _in_call(data: bytes, call_id: str) -> bytes:
    return re.sub(rb"\r\nCall-ID: [^\r]*", b"\r\nCall-ID: " + call_id.encode(), data)


def _odd(local: Local) -> Iterator[Shot]:
    yield Shot(b"no SIP at all " + NAME.encode() + b"\r\n\r\n")
    yield Shot(write("INVITE", local, NAME, more="Content-Length: 99999\r\n"))
    yield Shot(write("INVITE", local, NAME, more=SDP, body=b"v=0\r\nm=" + b"\xff" * 100))
    yield Shot(write("OPTIONS", local, NAME).replace(b"From: <", b'From: "' + b"\\" * 800 + b'" <'))
    yield Shot(write("MESSAGE", local, NAME, more="X: y\r\n" * 200))
    yield Shot(write("INVITE", local, NAME, more="Require: a, b, c\r\nReplaces: x;to-tag=1;from-tag=2\r\n"))


class Sender:
    """Two sockets, and what the server says to the first."""

    def __init__(self, port: int, call_id: str) -> None:
        self._target = ("127.0.0.1", port)
        self._sockets = [_socket(SOURCE), _socket(VICTIM)]
        self.shots = shots(call_id, self._sockets[0].getsockname(), self._sockets[1].getsockname())
        self._nonce = b"none yet"
        self.sent = 0

    def run(self, rate: float, seconds: float) -> int:
        """Returns how many messages went out."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            goal = min(int(passed * rate), self.sent + BURST)
            while self.sent < goal:
                self._shoot(self.shots[self.sent % len(self.shots)])
            self._read()
            time.sleep(SLICE)
        return self.sent

    def _shoot(self, shot: Shot) -> None:
        self.sent += 1
        data = shot.data.replace(NAME.encode(), b"flood%d" % self.sent).replace(NONCE.encode(), self._nonce)
        try:
            self._sockets[shot.forged].sendto(data, self._target)
        except BlockingIOError:
            return

    def _read(self) -> None:
        for sock in self._sockets:
            try:
                while True:
                    found = re.search(rb'nonce="([^"]+)"', sock.recv(65535))
                    self._nonce = found[1] if found else self._nonce
            except BlockingIOError:
                continue

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def _socket(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, MEGABYTES)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


if __name__ == "__main__":
    sender = Sender(int(sys.argv[1]), sys.argv[2])
    sys.stdout.write(f"{sender.run(float(sys.argv[3]), float(sys.argv[4]))}\n")
    sender.close()
