"""The good caller beside a flood: a call every so often, with the retransmissions of RFC 3261 §17.1.1."""

from __future__ import annotations

import socket
import time

import attrs

from interop.bench.attack_flood import Local, name_of, tag_of, write
from interop.bench.floor import ANSWER

SOURCE = "127.0.0.3"
INTERVAL = 0.05
"""Seconds between two calls."""
PATIENCE = 4.0
"""Seconds after which a call without an answer counts as lost."""


@attrs.define
class GoodCall:
    """One call: when it began, its INVITE, and how long its answer took; None while there is none."""

    begun: float
    invite: bytes
    again: float
    interval: float = 0.5
    took: float | None = None
    status: str = ""


class GoodCaller:
    """Places calls and ends each as soon as it is answered. Close it when done."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((SOURCE, 0))
        self._socket.settimeout(0.002)
        self._local: Local = self._socket.getsockname()
        self._count = 0

    def close(self) -> None:
        self._socket.close()

    def place(self, seconds: float) -> list[GoodCall]:
        """Calls for that long; returns them when the last is answered or given up."""
        begun = time.monotonic()
        calls: dict[str, GoodCall] = {}
        while True:
            now = time.monotonic()
            if now - begun > seconds + PATIENCE:
                break
            if now - begun < seconds:
                if now >= begun + len(calls) * INTERVAL:
                    self._begin(calls, now)
            elif all(call.status for call in calls.values()):
                break
            self._repeat(calls, now)
            self._read(calls)
        return list(calls.values())

    def _begin(self, calls: dict[str, GoodCall], now: float) -> None:
        self._count += 1
        name = f"good{self._count}"
        invite = write("INVITE", self._local, name, body=ANSWER)
        calls[name] = GoodCall(now, invite, now + 0.5)
        self._socket.sendto(invite, self._target)

    def _repeat(self, calls: dict[str, GoodCall], now: float) -> None:
        for call in calls.values():
            if not call.status and now >= call.again and now - call.begun < PATIENCE:
                call.interval *= 2
                call.again = now + call.interval
                self._socket.sendto(call.invite, self._target)

    def _read(self, calls: dict[str, GoodCall]) -> None:
        try:
            data = self._socket.recv(65535)
        except TimeoutError:
            return
        name, status = name_of(data), data[8:11].decode()
        if name not in calls or not data.startswith(b"SIP/2.0") or status < "200":
            return
        if b"INVITE\r\n" not in data:
            return
        call = calls[name]
        first, call.status = not call.status, status
        tag = tag_of(data)
        self._socket.sendto(write("ACK", self._local, name, to_tag=tag), self._target)
        if first and status == "200":
            call.took = time.monotonic() - call.begun
            self._socket.sendto(write("BYE", self._local, name, to_tag=tag, cseq=2), self._target)
