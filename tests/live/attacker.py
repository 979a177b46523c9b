"""The other side of a user agent under attack: a plain UDP socket on the loopback network.

It is no ScriptedPeer, which writes with our own message layer and so can write nothing that is broken: this
writes octets, and reads our answers with another's parser.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from collections.abc import Callable, Sequence

import pytest
from scapy.packet import Packet

from tests.live.sip import HeaderField, SipRequest, SipResponse, header_fields, values

Address = tuple[str, int]
Answering = Callable[[SipRequest], Packet | None]

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)
PATIENCE = 5.0
"""Seconds to wait for an answer on this machine before a test fails."""


def open_socket(host: str) -> socket.socket:
    """A UDP socket at a free port of ``host``; skips the test where the system lacks that address."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.bind((host, 0))
    except OSError:
        opened.close()
        pytest.skip(f"this system has no address {host}")
    opened.setblocking(False)
    return opened


class Attacker:
    """Sends what it is told to ``target``, keeps all that comes back, and answers requests.

    ``answer`` makes the answer to each request that arrives; None for silence. Close it when done.
    """

    def __init__(self, target: Address, host: str = "127.0.0.2") -> None:
        self.target = target
        self.datagrams: list[bytes] = []
        self.answer: Answering = respond
        self._socket = open_socket(host)
        self.host, self.port = self._socket.getsockname()
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()
        self._answers: dict[bytes, bytes | None] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    # -- messages ------------------------------------------------------------------------------------------

    def request(
        self, method: str, *more: tuple[str, object], body: str = "", to_tag: str = "", **changes: str
    ) -> SipRequest:
        """A correct request outside of any dialog of ours; ``changes`` replace header fields by name, with _
        for -.
        """
        number = f"{self.port}x{next(self._numbers)}"
        uri = f"sip:fuzz@{self.target[0]}:{self.target[1]}"
        fields: dict[str, object] = {
            "Via": f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{number};rport",
            "Max-Forwards": 70,
            "From": f'"Peer" <sip:peer@{self.host}:{self.port}>;tag=f{number}',
            "To": f"<{uri}>" + (f";tag={to_tag}" if to_tag else ""),
            "Call-ID": f"{number}@{self.host}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:peer@{self.host}:{self.port}>",
        }
        fields.update([*more, ("Content-Length", len(body))])
        fields.update((name.replace("_", "-"), value) for name, value in changes.items())
        return SipRequest(method=method, uri=uri, headers=header_fields(*fields.items()), body=body)

    def invite(self, *more: tuple[str, object], body: str = "", rtp_port: int = 9) -> SipRequest:
        """A correct INVITE with an offer of PCMU; nobody listens at the discard port."""
        offer = body or SDP.format(host=self.host, port=rtp_port)
        return self.request("INVITE", *more, ("Content-Type", "application/sdp"), body=offer)

    def in_dialog(self, method: str, invite: SipRequest, number: int = 2) -> SipRequest:
        """A request in the dialog of an INVITE of ours that was accepted."""
        return self.request(
            method,
            Call_ID=values(invite, "Call-ID")[0],
            From=values(invite, "From")[0],
            To=values(self.responses(invite)[-1], "To")[0],
            CSeq=f"{number} {method}",
        )

    async def call(self, rtp_port: int = 9) -> SipRequest:
        """Place a call and acknowledge it; returns its INVITE."""
        invite = self.invite(rtp_port=rtp_port)
        assert await self.ask(invite) == 200
        self.send(self.in_dialog("ACK", invite, 1))
        assert await self.is_answered()
        return invite

    # -- datagrams -----------------------------------------------------------------------------------------

    def send(self, packet: Packet | bytes) -> bytes:
        """Send one datagram; returns its octets, for a volatile value has others each time."""
        data = bytes(packet)
        self._socket.sendto(data, self.target)
        return data

    async def send_all(self, packets: Sequence[Packet | bytes]) -> list[bytes]:
        """Send many, with a turn of the loop after each so that no receive buffer overflows."""
        sent = []
        for packet in packets:
            sent.append(self.send(packet))
            await asyncio.sleep(0)
        return sent

    async def ask(self, request: SipRequest) -> int:
        """Send ``request`` and wait for its final status."""
        self.send(request)
        return await self.status(request)

    async def status(self, request: SipRequest) -> int:
        """Wait for the final response to a request that was sent; returns its status."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._news.clear()
                for response in self.responses(request):
                    if response.status >= b"200":
                        return int(response.status)
                await self._news.wait()

    async def is_answered(self) -> bool:
        """Whether an OPTIONS gets its 200. What was sent before has been read by then."""
        return await self.ask(self.request("OPTIONS")) == 200

    def responses(self, request: SipRequest) -> list[SipResponse]:
        """All responses so far to ``request``, by the branch of its top Via and its method."""
        branch = values(request, "Via")[0].partition("branch=")[2].partition(";")[0].encode()
        first = re.compile(rb"SIP/2\.0 [^\r\n]*\r\nVia: [^\r\n,]*;branch=" + re.escape(branch) + rb"[;\r]")
        found = [SipResponse(data) for data in self.datagrams if first.match(data)]
        method = request.method.decode("latin-1")
        return [response for response in found if method in (_cseq(response) or method)]

    def _readable(self) -> None:
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error for an earlier datagram
                continue
            self.datagrams.append(data)
            self._news.set()
            if not data.startswith(b"SIP/2.0 "):
                self._serve(data)

    def _serve(self, data: bytes) -> None:
        """Answer a request; a repeated one as before."""
        if data not in self._answers:
            answer = self.answer(SipRequest(data))
            self._answers[data] = None if answer is None else bytes(answer)
        again = self._answers[data]
        if again is not None:
            self.send(again)


def _cseq(message: SipResponse) -> str:
    return "".join(values(message, "CSeq"))


def respond(
    request: SipRequest, status: int = 200, reason: str = "OK", more: tuple[HeaderField, ...] = ()
) -> SipResponse | None:
    """A correct response to any request but ACK."""
    if request.method == b"ACK":
        return None
    echoed = [f for f in request.headers if f.label in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")]
    copies = [HeaderField(label=field.label, value=field.value) for field in echoed]
    length = header_fields(("Content-Length", 0))
    return SipResponse(status=str(status), reason=reason, headers=[*copies, *more, *length])
