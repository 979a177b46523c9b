"""The capture file, read back with scapy and byte by byte."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sipstack.core.trace import TracedMessage
from sipstack.media.traced import TracedPacket
from sipstack.net.capture import MAX_PAYLOAD, Capture
from sipstack.transaction.flow import Flow

pytest.importorskip("scapy", reason="the extra 'trace' is not installed")

WALL_CLOCK_OFFSET = 1_700_000_000.0
ALICE = ("192.0.2.1", 5060)
BOB = ("192.0.2.2", 5070)
IPV4 = Flow("UDP", ALICE, BOB)
IPV6 = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5070))


def packets(path: Path) -> list[Any]:
    from scapy.utils import rdpcap

    return list(rdpcap(str(path)))


def datagrams(path: Path) -> list[tuple[str, int, str, int, bytes]]:
    """Source, destination and payload of each packet in the file."""
    read = [(packet, packet["UDP"]) for packet in packets(path)]
    return [(p.src, udp.sport, p.dst, udp.dport, bytes(udp.payload)) for p, udp in read]


def capture(path: Path, *traces: TracedMessage) -> None:
    with Capture(path, WALL_CLOCK_OFFSET) as sink:
        for trace in traces:
            sink(trace)


def test_a_file_that_cannot_be_written_raises_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Capture(tmp_path / "missing" / "call.pcap")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_raises() -> None:
    with pytest.raises(OSError, match="No space left"):
        Capture("/dev/full")


def test_without_scapy_the_error_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['scapy.layers.inet'] = None\n"
        "from sipstack.net.capture import Capture\n"
        "try:\n    Capture(sys.argv[1])\n"
        "except ImportError as error:\n    print(error)\n"
    )
    path = tmp_path / "call.pcap"
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "a capture file needs scapy: pip install 'sipstack[trace]'\n"
    assert not path.exists()


def test_scapy_is_not_loaded_before_a_capture_is_made() -> None:
    code = "import sys, sipstack.net.capture; print('scapy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_a_capture_of_nothing_is_an_empty_file_that_readers_accept(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(path)
    assert packets(path) == []


def test_sent_and_received_messages_travel_between_the_addresses_of_the_flow(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(
        path, TracedMessage(1.0, True, IPV4, b"OPTIONS"), TracedMessage(1.5, False, IPV4, b"SIP/2.0 200 OK")
    )
    assert datagrams(path) == [
        ("192.0.2.1", 5060, "192.0.2.2", 5070, b"OPTIONS"),
        ("192.0.2.2", 5070, "192.0.2.1", 5060, b"SIP/2.0 200 OK"),
    ]


def test_packet_times_are_wall_clock_times_to_the_microsecond(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(path, TracedMessage(0.9999999, True, IPV4, b"a"), TracedMessage(12.345678, True, IPV4, b"b"))
    assert [float(packet.time) for packet in packets(path)] == [1_700_000_001.0, 1_700_000_012.345678]


def test_ipv6_is_written_as_ipv6_without_its_zone(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    link_local = Flow("UDP", ("fe80::1%eth0", 5060), ("fe80::2%eth0", 5070))
    capture(path, TracedMessage(1.0, True, IPV6, b"INVITE"), TracedMessage(2.0, False, link_local, b"BYE"))
    assert datagrams(path) == [
        ("2001:db8::1", 5060, "2001:db8::2", 5070, b"INVITE"),
        ("fe80::2", 5070, "fe80::1", 5060, b"BYE"),
    ]


def test_mixed_families_are_written_as_mapped_ipv6(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(path, TracedMessage(1.0, True, Flow("UDP", ALICE, ("2001:db8::2", 5070)), b"INVITE"))
    assert datagrams(path) == [("::ffff:192.0.2.1", 5060, "2001:db8::2", 5070, b"INVITE")]


def test_a_host_name_has_no_address_to_write(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(path, TracedMessage(1.0, True, Flow("UDP", ("alice", 5060), BOB), b"INVITE"))
    assert datagrams(path) == [("0.0.0.0", 5060, "192.0.2.2", 5070, b"INVITE")]


@pytest.mark.parametrize("flow", [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_the_largest_message_fits_and_a_larger_one_is_cut(tmp_path: Path, flow: Flow) -> None:
    path = tmp_path / "call.pcap"
    capture(
        path,
        TracedMessage(1.0, True, flow, b"x" * MAX_PAYLOAD),
        TracedMessage(2.0, True, flow, b"y" * 100_000),
    )
    assert [datagram[-1] for datagram in datagrams(path)] == [b"x" * MAX_PAYLOAD, b"y" * MAX_PAYLOAD]


def test_the_checksums_are_right(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    capture(path, TracedMessage(1.0, True, IPV4, b"INVITE"), TracedMessage(1.0, True, IPV6, b"INVITE"))
    for packet in packets(path):
        written = packet["UDP"].chksum
        del packet["UDP"].chksum
        assert packet.__class__(bytes(packet))["UDP"].chksum == written != 0


def test_the_file_is_whole_after_every_message(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    sink = Capture(path)
    sink(TracedMessage(1.0, True, IPV4, b"INVITE"))
    assert path.stat().st_size == 24 + 16 + 20 + 8 + len(b"INVITE")
    magic, major, minor, _, _, _, link_type = struct.unpack("=IHHiIII", path.read_bytes()[:24])
    assert (magic, major, minor, link_type) == (0xA1B2C3D4, 2, 4, 101)
    sink.close()


def test_a_closed_capture_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    sink = Capture(path)
    sink.close()
    sink.close()
    sink(TracedMessage(1.0, True, IPV4, b"INVITE"))
    assert packets(path) == []


def test_packets_of_the_media(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    with Capture(path, WALL_CLOCK_OFFSET) as sink:
        sink.packet(TracedPacket(1.0, True, ("192.0.2.1", 4000), ("192.0.2.2", 5000), b"\x80out"))
        sink.packet(TracedPacket(1.5, False, ("192.0.2.1", 4000), ("192.0.2.2", 5000), b"\x80in"))
        sink.packet(TracedPacket(2.0, True, ("::1", 4000), ("::1", 5000, 0, 0), b"\x80six"))
    assert datagrams(path) == [
        ("192.0.2.1", 4000, "192.0.2.2", 5000, b"\x80out"),
        ("192.0.2.2", 5000, "192.0.2.1", 4000, b"\x80in"),
        ("::1", 4000, "::1", 5000, b"\x80six"),
    ]
    assert [float(packet.time) for packet in packets(path)] == [
        WALL_CLOCK_OFFSET + second for second in (1.0, 1.5, 2.0)
    ]
    sink.packet(TracedPacket(3.0, True, ("192.0.2.1", 4000), ("192.0.2.2", 5000), b"\x80late"))


def test_the_keys_of_an_sdp_are_not_written_and_nothing_moves(tmp_path: Path) -> None:
    """RFC 4568: with the key, whoever has the file could decrypt the audio that is in it."""
    told = b"INVITE sip:b@c SIP/2.0\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s|2^20\r\n"
    key = b"c2VjcmV0/+=="
    capture(tmp_path / "call.pcap", TracedMessage(0.0, True, IPV4, told % key))
    ((*_, data),) = datagrams(tmp_path / "call.pcap")
    assert data == told % (b"*" * len(key))
