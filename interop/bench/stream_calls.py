"""Calls as fast as they are answered, over one connection and without a SIP stack:
``python -m interop.bench.stream_calls TRANSPORT PORT FOLDER SECONDS``.

``TOGETHER`` calls are under way at any time, each INVITE 200 ACK BYE 200. The same client speaks every
transport, so that their rates can be compared. It prints JSON: the calls done and failed, seconds, and the
share of a core that it has used itself.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import attrs

from interop.bench.attack_flood import Local, name_of, tag_of, write
from interop.bench.floor import ANSWER
from interop.bench.pipes import Pipe, context

TOGETHER = 64


@attrs.define
class Calls:
    """What to send next, in place of a user agent."""

    transport: str
    local: Local
    placed: int = 0
    done: int = 0
    failed: int = 0

    @property
    def open(self) -> int:
        """Calls that are under way."""
        return self.placed - self.done - self.failed

    def place(self) -> bytes:
        """The INVITE of a further call."""
        self.placed += 1
        return self._write("INVITE", f"{self.placed}-{self.local[1]}", body=ANSWER)

    def answered(self, response: bytes) -> list[bytes]:
        """What follows a response within its call."""
        status, is_invite = response[8:11], b" INVITE\r\n" in response
        if status < b"200":
            return []
        if status != b"200":
            self.failed += 1
            return []
        if not is_invite:
            self.done += 1
            return []
        name, tag = name_of(response), tag_of(response)
        return [
            self._write("ACK", name, to_tag=tag),
            self._write("BYE", name, to_tag=tag, cseq=2),
        ]

    def _write(self, method: str, name: str, *, to_tag: str = "", cseq: int = 1, body: bytes = b"") -> bytes:
        request = write(method, self.local, name, to_tag=to_tag, cseq=cseq, body=body)
        return request.replace(b"SIP/2.0/UDP", b"SIP/2.0/" + self.transport.upper().encode(), 1)


def run(pipe: Pipe, seconds: float) -> Calls:
    """Places calls for that long, and waits for the last ones. Raises OSError."""
    calls, until = Calls(pipe.transport, pipe.local), time.monotonic() + seconds
    pipe.send([calls.place() for _ in range(TOGETHER)])
    while calls.open:
        following = [request for response in pipe.receive() for request in calls.answered(response)]
        if time.monotonic() < until:
            following += [calls.place() for _ in range(TOGETHER - calls.open)]
        pipe.send(following)
    return calls


def main(transport: str, port: int, folder: Path, seconds: float) -> None:
    """One run."""
    pipe = Pipe(transport, port, context(folder) if transport in ("tls", "wss") else None)
    begun, busy = time.monotonic(), time.process_time()
    calls = run(pipe, seconds)
    took = time.monotonic() - begun
    figures = {"done": calls.done, "failed": calls.failed, "seconds": took}
    sys.stdout.write(json.dumps(figures | {"busy": (time.process_time() - busy) / took}) + "\n")
    pipe.close()


if __name__ == "__main__":
    _transport, _port, _folder, _seconds = sys.argv[1:]
    main(_transport, int(_port), Path(_folder), float(_seconds))
