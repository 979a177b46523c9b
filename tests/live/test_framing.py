"""Datagrams that are hardly SIP, extreme sizes, and start lines of all kinds."""

from __future__ import annotations

import asyncio
import random

import pytest
from scapy.contrib.stun import STUN
from scapy.fields import RawVal
from scapy.layers.rtp import RTP
from scapy.packet import Packet, fuzz
from scapy.utils import corrupt_bits, corrupt_bytes
from scapy.volatile import RandBin, RandNum

from sipstack import IncomingRequest
from sipstack.errors import TransactionTimeout
from tests.live.attack import attack
from tests.live.attacker import Attacker
from tests.live.sip import HeaderField, SipRequest, SipResponse, header_fields, lines

LARGEST = 65_507
"""Octets of the largest UDP datagram over IPv4."""


async def test_garbage_is_counted_and_not_answered() -> None:
    random.seed(1)
    noise = [bytes(RandBin(RandNum(1, 300))) for _ in range(100)]
    strangers: list[Packet] = [STUN(), fuzz(STUN()), RTP(), fuzz(RTP()), RTP() / bytes(RandBin(160))]
    empty = [b"", b"\0", b"\r\n", b"\r\n\r\n", b" ", b"\r\n" * 100]
    async with attack() as attacked:
        peer = attacked.peer()
        sent = await peer.send_all([*noise, *strangers, *empty])
        assert await attacked.peer().is_answered()
        keep_alives = [data for data in sent if data and not data.strip(b"\r\n")]
        assert attacked.core.counters.malformed == len(sent) - len(keep_alives)
        assert peer.datagrams == []


async def test_an_invite_cut_short_is_never_a_call() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        whole = bytes(peer.invite())
        sent = await peer.send_all([whole[:length] for length in range(0, len(whole), 3)])
        assert await peer.is_answered()
        assert attacked.core.counters.malformed == len(sent)
        assert {int(SipResponse(data).status) for data in peer.datagrams} == {200, 400}
        assert attacked.agent.calls == []


async def test_corrupted_and_fuzzed_messages_disturb_nobody() -> None:
    random.seed(2)
    async with attack() as attacked:
        peer = attacked.peer()
        for corrupt in (corrupt_bytes, corrupt_bits):
            whole = [bytes(peer.request("OPTIONS")).decode() for _ in range(100)]
            await peer.send_all([corrupt(text, n=4) for text in whole])
            assert await peer.is_answered()
        await peer.send_all(fuzzed(lines(peer.request("OPTIONS"))) * 5)
        assert await peer.is_answered()


def fuzzed(valid: list[tuple[str, str]]) -> list[Packet]:
    """Messages of which only some parts are given: all, the start line, one header field beside Via."""
    packets: list[Packet] = [fuzz(SipRequest()), fuzz(SipResponse())]
    for method in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE"):
        packets.append(fuzz(SipRequest(method=method, uri="sip:a@127.0.0.1", version="SIP/2.0")))
    via, *rest = valid
    for name, _ in rest:
        headers = [*header_fields(via), HeaderField(label=name), HeaderField()]
        packets.append(fuzz(SipRequest(method="OPTIONS", version="SIP/2.0", headers=headers)))
    return packets


START_LINES: list[tuple[dict[str, object], int | None]] = [
    ({"method": "PING"}, 501),
    ({"method": "invite"}, 501),
    ({"method": "PUBLISH"}, 405),
    ({"method": "REGISTER"}, 405),
    ({"method": "SUBSCRIBE"}, 405),
    ({"version": "SIP/3.0"}, 505),
    ({"version": "SIP/2.0.0"}, 400),
    ({"version": "HTTP/1.1"}, None),
    ({"version": RawVal(b"\r\n")}, None),
    ({"uri": "tel:+358-555-1234567"}, 416),
    ({"uri": "http://127.0.0.1/"}, 416),
    ({"uri": "sip:"}, 400),
    ({"uri": "<sip:fuzz@127.0.0.1>"}, 400),
    ({"uri": "sip:fuzz@127.0.0.1:99999"}, 400),
    ({"uri": "sip:fuzz @127.0.0.1"}, 400),
    ({"uri": "sip:fuzz@127.0.0.1;lr;lr"}, 200),
    ({"uri": "sip:" + "u" * 30_000 + "@127.0.0.1"}, 200),
]
"""Changes of an OPTIONS's start line, and the status that answers them; None for silence."""


async def test_start_lines_get_the_status_of_the_rfc() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        for change, status in START_LINES:
            request = peer.request(str(change.get("method", "OPTIONS")))
            for field, value in change.items():
                setattr(request, field, value)
            peer.send(request)
            assert await peer.is_answered()
            statuses = [int(response.status) for response in peer.responses(request)]
            assert statuses == ([] if status is None else [status]), change


async def test_a_wrong_content_length_is_refused_or_cuts_the_body() -> None:
    wrong = ["-1", "+10", "1e3", "0x10", "99999", "9" * 40, "", "5, 5", "1 2"]
    async with attack() as attacked:
        peer = attacked.peer()
        received: list[bytes] = []

        async def take(request: IncomingRequest) -> None:
            received.append(request.body)
            await request.respond(200)

        async with attacked.agent.serving(requests={"MESSAGE": take}):
            assert [await peer.ask(_message(peer, length)) for length in wrong] == [400] * len(wrong)
            assert attacked.core.counters.malformed == len(wrong)
            assert [await peer.ask(_message(peer, length)) for length in ("0", "3", "5")] == [200] * 3
        assert received == [b"", b"hel", b"hello"]


def _message(peer: Attacker, length: str) -> SipRequest:
    return peer.request("MESSAGE", ("Content-Type", "text/plain"), body="hello", Content_Length=length)


async def test_thousands_of_header_fields_are_read_or_refused() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        for name in ("X", "Subject", "Route", "Record-Route", "Via", "Require", "Contact"):
            request = peer.request("OPTIONS")
            many = RawVal(f"{name}: a\r\n".encode() * 3000)
            request.headers += [HeaderField(label=many, value=RawVal(b""))]
            peer.send(request)
            assert await peer.is_answered()


async def test_the_largest_datagrams() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        assert await peer.ask(_padded(peer, "Subject")) == 200
        for name in ("From", "To", "Via", "Call-ID"):
            request = _padded(peer, name)
            peer.send(request)
            assert await peer.is_answered()


async def test_an_answer_too_large_to_be_sent_does_not_end_what_else_goes_that_way() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        peer.answer = lambda request: None
        asking = asyncio.create_task(attacked.agent.options(f"sip:peer@{peer.host}:{peer.port}"))
        await asyncio.sleep(0)
        peer.send(_padded(peer, "Via"))
        with pytest.raises(TransactionTimeout):  # and not TransportError
            await asking


def _padded(peer: Attacker, name: str) -> SipRequest:
    """An OPTIONS as large as UDP carries, by a long field of this name."""
    request = peer.request("OPTIONS", (name, "")) if name == "Subject" else peer.request("OPTIONS")
    field = next(field for field in request.headers if field.label == name.encode())
    padding = b";x=" if name != "Call-ID" else b"x"
    room = LARGEST - len(bytes(request)) - len(padding)
    field.value = field.value + padding + b"x" * room
    return request
