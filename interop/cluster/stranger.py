"""Somebody who asks for calls that no node has: requests in dialogs, sent raw, and what is answered."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import attrs

from interop.ports import HOST

METHODS = ("BYE", "INVITE", "OPTIONS", "INFO", "UPDATE")
REQUEST = """\
{method} sip:service@{host}:{target} SIP/2.0
Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKstranger{number}
From: <sip:stranger@{host}:{port}>;tag=theirs{number}
To: <sip:service@{host}:{target}>;tag=ours{number}
Call-ID: stranger-{number}
CSeq: 7 {method}
Max-Forwards: 70
Contact: <sip:stranger@{host}:{port}>
Content-Length: 0

""".replace("\n", "\r\n")


@attrs.frozen
class Answer:
    """A final response, and when it came (of ``time.monotonic``)."""

    at: float
    text: str

    @property
    def status(self) -> int:
        return int(self.text.split(" ", 2)[1])

    @property
    def retry_after(self) -> int | None:
        return retry_after(self.text)


def retry_after(response: str) -> int | None:
    """How many seconds the caller is asked to wait; None when it is not asked."""
    value = field(response, "retry-after")
    return int(value) if value else None


def field(message: str, wanted: str) -> str:
    for line in message.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted:
            return value.strip()
    return ""


@attrs.define
class Stranger:
    """Asks at ``target``, each ``every`` seconds, with another method and in another dialog each time."""

    target: int
    every: float
    answers: list[Answer] = attrs.field(factory=list)
    """The first to each request: there is no ACK, so those to an INVITE come again."""
    asked: int = 0
    _answered: set[str] = attrs.field(factory=set)
    _leaves: threading.Event = attrs.field(factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[Self]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind((HOST, 0))
            wire.settimeout(self.every)
            thread = threading.Thread(target=self._ask, args=(wire,))
            thread.start()
            try:
                yield self
            finally:
                self._leaves.set()
                thread.join()

    def _ask(self, wire: socket.socket) -> None:
        due = time.monotonic()
        for number in itertools.count():
            if self._leaves.is_set():
                return
            values = {"host": HOST, "target": self.target, "port": wire.getsockname()[1], "number": number}
            request = REQUEST.format(method=METHODS[number % len(METHODS)], **values)
            wire.sendto(request.encode(), (HOST, self.target))
            self.asked += 1
            due += self.every
            self._listen(wire, due)

    def _listen(self, wire: socket.socket, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                text = wire.recv(65_535).decode()
            except TimeoutError:
                return
            call_id = field(text, "call-id")
            if not text.startswith("SIP/2.0 1") and call_id not in self._answered:
                self._answered.add(call_id)
                self.answers.append(Answer(time.monotonic(), text))
