"""A cheap UAS behind the proxy, so that it is the proxy which is measured: templates, no SIP stack.

Run: ``python -m interop.bench.capacity.behind PORT``.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from interop.bench.floor import ANSWER
from interop.cluster.node import NAME

ECHOED = (b"via:", b"record-route:", b"from:", b"call-id:", b"cseq:")


def answer(request: bytes) -> bytes:
    """The 200 to one request; an ACK has none."""
    if request.startswith(b"ACK"):
        return b""
    first, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines if line.lower().startswith(ECHOED)]
    (to,) = [line for line in lines if line.lower().startswith(b"to:")]
    kept += [to if b"tag=" in to else to + b";tag=behind", b"Contact: <sip:service@%b>" % NAME.encode()]
    body = ANSWER if first.startswith(b"INVITE") else b""
    if body:
        kept.append(b"Content-Type: application/sdp")
    return b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: %d\r\n\r\n%b" % (len(body), body)])


def drain(sock: socket.socket) -> None:
    """Answers everything that has arrived at the socket."""
    while True:
        try:
            request, source = sock.recvfrom(65535)
        except BlockingIOError:
            return
        response = answer(request)
        if response:
            sock.sendto(response, source)


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", port))
        asyncio.get_running_loop().add_reader(sock, drain, sock)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
