"""Places template calls of four kinds over one UDP socket, without a stack of its own."""

from __future__ import annotations

import asyncio
import re
import socket

import attrs

from interop.bench.floor import ANSWER

KINDS = ("answer", "busy", "ring", "lost")
SECONDS = 20.0  # a call that is not over by then has failed
_head = re.compile(rb"SIP/2\.0 (\d{3})").match
_field = {name: re.compile(rb"\r\n" + name + rb": ([^\r]*)") for name in (b"To", b"Call-ID", b"CSeq")}


@attrs.define
class Placed:
    """One call under way."""

    kind: str
    number: int
    at: float
    lost: bool = False
    to: str = ""


class Caller:
    """``run`` places the calls; ``done`` and ``failed`` count them."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.done = 0
        self.failed = 0
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._calls: dict[str, Placed] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._port = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Stops at once."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    async def run(self, rate: int, seconds: float) -> None:
        """``rate`` calls a second, in small portions; waits for the last ones."""
        began, placed = self._loop.time(), 0
        while (passed := self._loop.time() - began) < seconds:
            while placed < passed * rate:
                self._place(placed)
                placed += 1
            self._give_up()
            await asyncio.sleep(0.01)
        await asyncio.sleep(SECONDS)
        self._give_up()

    def _place(self, number: int) -> None:
        call = Placed(KINDS[number % len(KINDS)], number, self._loop.time())
        call.to = f"<sip:{call.kind}@127.0.0.1>"
        self._calls[f"{number}-{self._port}"] = call
        self._send(call, "INVITE", 1, "i", ANSWER)

    def _give_up(self) -> None:
        for name, call in list(self._calls.items())[:100]:  # the oldest come first
            if self._loop.time() - call.at < SECONDS:
                return
            self.failed += 1
            del self._calls[name]

    def _send(self, call: Placed, method: str, cseq: int, branch: str, body: bytes = b"") -> None:
        content = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n" if body else "\r\n"
        head = (
            f"{method} sip:{call.kind}@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};branch=z9hG4bK{call.number}{branch}\r\n"
            f"From: <sip:soak@127.0.0.1>;tag={call.number}\r\nTo: {call.to}\r\n"
            f"Call-ID: {call.number}-{self._port}\r\nCSeq: {cseq} {method}\r\n"
            f"Contact: <sip:soak@127.0.0.1:{self._port}>\r\nMax-Forwards: 70\r\n{content}"
        )
        self._socket.sendto(head.encode() + body, self._target)

    def _readable(self) -> None:
        while True:
            try:
                data = self._socket.recv(65535)
            except BlockingIOError:
                return
            head = _head(data)
            fields = {
                name: found[1].decode() for name, find in _field.items() if (found := find.search(data))
            }
            call = self._calls.get(fields[b"Call-ID"])
            if head is not None and call is not None:
                self._answered(call, int(head[1]), fields[b"CSeq"].split()[1], fields[b"To"])

    def _answered(self, call: Placed, status: int, method: str, to: str) -> None:
        match method, status:
            case "INVITE", 180:
                self._send(call, "CANCEL", 1, "i")
            case "INVITE", 200 if call.kind == "lost" and not call.lost:
                call.lost = True  # the ACK is lost: the 200 comes again
            case "INVITE", 200:
                call.to = to
                self._send(call, "ACK", 1, "a")
                self._send(call, "BYE", 2, "b")
            case "INVITE", 486 | 487:
                call.to = to
                self._send(call, "ACK", 1, "i")
                self._over(call)
            case "BYE", 200:
                self._over(call)

    def _over(self, call: Placed) -> None:
        self.done += 1
        self._calls.pop(f"{call.number}-{self._port}", None)
