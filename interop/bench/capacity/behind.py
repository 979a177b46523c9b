"""A cheap UAS behind the proxy, so that it is the proxy which is measured: templates, no SIP stack.

Run: ``python -m interop.bench.capacity.behind PORT``.
"""

from __future__ import annotations

import asyncio
import sys

from interop.bench.floor import ANSWER, serve
from interop.cluster.node import NAME

ECHOED = (b"via:", b"record-route:", b"from:", b"call-id:", b"cseq:")


def answer(request: bytes) -> list[bytes]:
    """The 200 to one request; an ACK has none."""
    if request.startswith(b"ACK"):
        return []
    first, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines if line.lower().startswith(ECHOED)]
    (to,) = [line for line in lines if line.lower().startswith(b"to:")]
    kept += [to if b"tag=" in to else to + b";tag=behind", b"Contact: <sip:service@%b>" % NAME.encode()]
    body = ANSWER if first.startswith(b"INVITE") else b""
    if body:
        kept.append(b"Content-Type: application/sdp")
    return [b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: %d\r\n\r\n%b" % (len(body), body)])]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), answer))
