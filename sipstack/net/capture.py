"""A capture file of what a user agent sends and receives, messages and media, for Wireshark and its kin.

The file holds raw IP packets (link type 101) with UDP and the addresses of the flow. A message that travelled
on a stream is written as a datagram of its own, too: the file shows messages, not TCP.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from sipstack.core.trace import TracedMessage

Address = tuple[Any, ...]
"""Host and port, and for IPv6 as the socket gives it more."""

LINK_TYPE_RAW = 101
_KEY = re.compile(rb"(?i)(?<=\binline:)[^\s|;]+")
MAX_PAYLOAD = 65_535 - 40 - 8  # what an IP packet carries behind an IPv6 and a UDP header


class TracedDatagram(Protocol):
    """A datagram of the media: ``sipstack.TracedPacket`` is one."""

    @property
    def time(self) -> float: ...
    @property
    def sent(self) -> bool: ...
    @property
    def local(self) -> Address: ...
    @property
    def remote(self) -> Address: ...
    @property
    def data(self) -> bytes: ...


class _Scapy(NamedTuple):
    """The parts of scapy that we use; it is loaded only when a capture is asked for."""

    ipv4: Any
    ipv6: Any
    udp: Any
    writer: Any


def _load_scapy() -> _Scapy:
    try:
        from scapy.layers.inet import IP, UDP
        from scapy.layers.inet6 import IPv6
        from scapy.utils import PcapWriter
    except ImportError as error:
        raise ImportError("a capture file needs scapy: pip install 'sipstack[trace]'") from error
    return _Scapy(IP, IPv6, UDP, PcapWriter)


class Capture:
    """A trace sink that writes each message to the pcap file ``path``; ``packet`` writes those of the media.

    ``wall_clock_offset`` is what must be added to a trace's time to give seconds since the epoch: the agent's
    clock need not be the wall clock. Each packet is written through at once: the file can be read while the
    agent runs and after it crashed. Raises ``OSError`` where the file cannot be written, here and at each
    message, and ``ImportError`` without the extra ``trace``.
    """

    __slots__ = ("_scapy", "_wall_clock_offset", "_writer")

    def __init__(self, path: str | Path, wall_clock_offset: float = 0.0) -> None:
        self._scapy = _load_scapy()
        self._wall_clock_offset = wall_clock_offset
        self._writer = self._scapy.writer(str(path), linktype=LINK_TYPE_RAW, sync=True)
        try:
            self._writer.write_header(None)
        except OSError:
            self._writer.close()
            raise

    def __call__(self, trace: TracedMessage) -> None:
        """Write one message, with asterisks in place of the keys of a=crypto (RFC 4568). A capture that is
        closed takes no more and says nothing.
        """
        if self._writer is None:
            return
        data = _KEY.sub(lambda key: b"*" * len(key[0]), trace.data)
        self._write(trace.time, trace.sent, trace.flow.local, trace.flow.remote, data)

    def packet(self, trace: TracedDatagram) -> None:
        """Write one RTP or RTCP packet, as ``traced_rtp`` tells of it."""
        if self._writer is not None:
            self._write(trace.time, trace.sent, trace.local, trace.remote, trace.data)

    def _write(self, time: float, sent: bool, local: Address, remote: Address, data: bytes) -> None:
        source, destination = (local, remote) if sent else (remote, local)
        packet = self._packet(source, destination, data[:MAX_PAYLOAD])
        seconds, microseconds = divmod(round((time + self._wall_clock_offset) * 1_000_000), 1_000_000)
        self._writer.write_packet(packet, sec=seconds, usec=microseconds)

    def close(self) -> None:
        """Flush and close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _packet(self, source: Address, destination: Address, payload: bytes) -> bytes:
        sender, receiver = _address(source[0]), _address(destination[0])
        ip = self._scapy.ipv4
        if 6 in (sender.version, receiver.version):
            ip, sender, receiver = self._scapy.ipv6, _as_ipv6(sender), _as_ipv6(receiver)
        udp = self._scapy.udp(sport=source[1], dport=destination[1])
        return bytes(ip(src=str(sender), dst=str(receiver)) / udp / payload)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IP address ``host``; 0.0.0.0 for a name, as networks in memory have them."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])  # a packet carries no zone
    except ValueError:
        return ipaddress.IPv4Address(0)


def _as_ipv6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if address.version == 6:
        return address
    return ipaddress.IPv6Address(f"::ffff:{address}")
