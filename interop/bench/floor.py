"""The floor: a UAS without a SIP stack. It answers sipp's own scenario from templates.

There are no transactions, no dialogs, no timers and no parser here: this is the cost of the sockets and the
interpreter alone, and the difference to it is the cost of a user agent.
Run: ``python -m interop.bench.floor PORT``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

ANSWER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
_CONTACT = b"\r\nContact: <sip:127.0.0.1>\r\n"
_TYPE = b"Content-Type: application/sdp\r\n"


def answer(request: bytes) -> list[bytes]:
    """The responses to one request of sipp, whose lines from Via to CSeq stand together, before Contact."""
    if request.startswith(b"ACK"):
        return []
    echoed = request[request.index(b"\r\nVia") : request.index(b"\r\nContact")]
    if not request.startswith(b"INVITE"):
        return [b"SIP/2.0 200 OK" + echoed + b"\r\nContent-Length: 0\r\n\r\n"]
    end_of_to = echoed.index(b"\r\n", echoed.index(b"\r\nTo:") + 2)
    echoed = echoed[:end_of_to] + b";tag=floor" + echoed[end_of_to:]
    length = b"Content-Length: %d\r\n\r\n" % len(ANSWER)
    return [
        b"SIP/2.0 180 Ringing" + echoed + _CONTACT + b"Content-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK" + echoed + _CONTACT + _TYPE + length + ANSWER,
    ]


Answer = Callable[[bytes], list[bytes]]
"""The responses to one request."""


def drain(sock: socket.socket, answer: Answer) -> None:
    """Answers everything that has arrived at the socket."""
    while True:
        try:
            request, source = sock.recvfrom(65535)
        except BlockingIOError:
            return
        for response in answer(request):
            sock.sendto(response, source)


async def serve(port: int, answer: Answer) -> None:
    """Until the process is stopped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", port))
        asyncio.get_running_loop().add_reader(sock, drain, sock, answer)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), answer))
