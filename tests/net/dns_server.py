"""A small authoritative DNS server on loopback, over UDP and TCP, of the records that a test gives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 300
SOA = "ns.test. root.test. 1 3600 600 86400 7"
"""Its minimum, 7 s, is how long "there is none" holds."""
MAXIMUM_CHAIN = 8
PORTS_TRIED = 20

Zone = Mapping[tuple[str, str], Sequence[str]]
"""The records of each name and type, as a zone file writes them."""


class DnsServer:
    """Answers of ``zone``, with ``ttl`` unless ``ttls`` has another for the name.

    The names of ``silent`` (or the names with a type) get no answer, those of ``failing`` SERVFAIL, those of
    ``truncated`` no more than TC over UDP, and those of ``garbled`` a few octets that are no message.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = dict(zone)
        self.ttl = TTL
        self.ttls: dict[str, int] = {}
        self.silent: set[str | tuple[str, str]] = set()
        self.failing: set[str] = set()
        self.truncated: set[str] = set()
        self.garbled: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.was_asked = asyncio.Event()
        self.over_tcp = 0

    async def __aenter__(self) -> DnsServer:
        for _ in range(PORTS_TRIED):
            if await self._open():
                return self
        raise OSError("no port is free for both UDP and TCP")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    async def _open(self) -> bool:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), ("127.0.0.1", 0))
        self.address: tuple[str, int] = self._udp.get_extra_info("sockname")
        try:
            self._tcp = await asyncio.start_server(self._serve, *self.address)
        except OSError:  # somebody has this port of TCP
            self._udp.close()
            return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        reply = self.reply(await reader.readexactly(length), is_datagram=False)
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
        writer.close()

    def reply(self, data: bytes, *, is_datagram: bool) -> bytes | None:
        """The response to one query, None where there is to be none."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = (
            question.name.to_text(omit_final_dot=True).lower(),
            dns.rdatatype.to_text(question.rdtype),
        )
        self.asked.append((name, kind))
        self.was_asked.set()
        self.over_tcp += not is_datagram
        if name in self.silent or (name, kind) in self.silent:
            return None
        if name in self.garbled:
            return data[:2] + b"\x81\x80\xff\xff"
        response = dns.message.make_response(query)
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.truncated and is_datagram:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(MAXIMUM_CHAIN):
            alias = self.zone.get((name, "CNAME"))
            if alias is None:
                break
            self._add(response, name, "CNAME", alias)
            name = alias[0].rstrip(".").lower()
        records = self.zone.get((name, kind))
        if records:
            self._add(response, name, kind, records)
            return
        if not any(name == known for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text("test.", TTL, "IN", "SOA", SOA))

    def _add(self, response: dns.message.Message, name: str, kind: str, records: Sequence[str]) -> None:
        ttl = self.ttls.get(name, self.ttl)
        response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *records))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        reply = self._server.reply(data, is_datagram=True)
        if reply is not None:
            self._transport.sendto(reply, address)
