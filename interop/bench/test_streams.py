"""The clients of the stream benchmarks say what they are meant to, and read what they get."""

from __future__ import annotations

import resource
import socket
import subprocess
from concurrent import futures
from pathlib import Path

import pytest

from interop.bench import connections, idle_connections, streams
from interop.bench.connections import Idle
from interop.bench.pipes import TRANSPORTS, Pipe, frame, split, unframe
from interop.bench.server import Server, StartError
from interop.bench.stream_calls import Calls
from interop.bench.streams import Answered
from sipstack.message import Request, parse
from sipstack.message.validation import validate

LOCAL = ("127.0.0.1", 5070)
EMPTY = b"SIP/2.0 200 OK\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
FULL = b"SIP/2.0 200 OK\r\nContent-Length: 4\r\nCall-ID: 1\r\n\r\n\r\n\r\n"


def response(request: bytes, status: int) -> bytes:
    message = parse(request)
    assert isinstance(message, Request)
    return bytes(message.response(status, to_tag="theirs"))


# -- messages in a stream ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(len(FULL + EMPTY)))
def test_messages_are_found_wherever_the_stream_is_cut(cut: int) -> None:
    stream = FULL + EMPTY
    first, rest = split(stream[:cut])
    second, left = split(rest + stream[cut:])
    assert (first + second, left) == ([FULL, EMPTY], b"")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_frames_of_a_server_are_found_wherever_the_stream_is_cut(size: int) -> None:
    content = bytes(size)
    stream = server_frame(content) + server_frame(b"second")
    for cut in {0, 1, 2, 3, 9, 10, len(stream) - 8, len(stream) - 1}:
        first, rest = unframe(stream[:cut])
        second, left = unframe(rest + stream[cut:])
        assert (first + second, left) == ([(0x82, content), (0x82, b"second")], b"")


def server_frame(content: bytes) -> bytes:
    """RFC 6455 §5.2, without a mask."""
    size = len(content)
    if size < 126:
        return bytes([0x82, size]) + content
    short = size < 1 << 16
    return (b"\x82\x7e" + size.to_bytes(2) if short else b"\x82\x7f" + size.to_bytes(8)) + content


def test_the_ping_of_a_server_is_answered_and_its_close_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, futures.ThreadPoolExecutor(1) as other:
        opening = other.submit(Pipe, "ws", server.getsockname()[1])
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            pipe = opening.result()
            peer.sendall(b"\x89\x00" + server_frame(EMPTY))
            assert pipe.receive() == [EMPTY]
            assert peer.recv(6) == b"\x8a\x80" + bytes(4)
            peer.sendall(b"\x88\x02\x03\xe8")
            with pytest.raises(ConnectionError, match="closed the WebSocket"):
                pipe.receive()
            pipe.close()


@pytest.mark.parametrize("size", [0, 125, 126, 1_500])
def test_a_frame_of_ours_is_masked_and_tells_its_length(size: int) -> None:
    framed = frame(b"x" * size)
    assert framed[0] == 0x82
    assert framed[1] & 0x80
    assert framed[-size or len(framed) :] == b"x" * size
    told = framed[1] & 0x7F
    assert (int.from_bytes(framed[2:4]) if told == 126 else told) == size


# -- calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_call_goes_from_its_invite_to_the_answer_to_its_bye(transport: str) -> None:
    calls = Calls(transport, LOCAL)
    invite = calls.place()
    assert calls.answered(response(invite, 180)) == []
    ack, bye = calls.answered(response(invite, 200))
    for data, method in ((invite, "INVITE"), (ack, "ACK"), (bye, "BYE")):
        request = parse(data)
        validate(request)
        assert isinstance(request, Request)
        assert (request.method, request.call_id) == (method, "1-5070")
        assert f"SIP/2.0/{transport.upper()} ".encode() in data
    assert (calls.open, calls.done) == (1, 0)
    assert calls.answered(response(bye, 200)) == []
    assert (calls.open, calls.done, calls.failed) == (0, 1, 0)


def test_a_call_that_is_refused_has_failed() -> None:
    calls = Calls("tcp", LOCAL)
    assert calls.answered(response(calls.place(), 503)) == []
    assert (calls.open, calls.done, calls.failed) == (0, 0, 1)


# -- figures -----------------------------------------------------------------------------------------------


def test_the_ratios_are_to_udp_and_tcp() -> None:
    best = {"udp": Answered(400.0, 1.0, 0.1, 0, 0.0), "tcp": Answered(200.0, 2.0, 0.1, 0, 0.0)}
    best["tls"] = Answered(100.0, 3.0, 0.1, 2, 0.0)
    found = {row.subject: row for row in streams.rows(best, {"ws": "no certificate"})}
    assert found["tls"].figures["ratio to udp"] == 0.25
    assert found["tls"].figures["ratio to tcp"] == 0.5
    assert found["tls"].figures["failed"] == 2
    assert found["ws"].missing == "no certificate"


def test_no_ratio_without_what_it_is_to() -> None:
    rows = streams.rows({"tls": Answered(100.0, 3.0, 0.1, 0, 0.0)}, {})
    assert [row.figures.get("ratio to udp") for row in rows if row.subject == "tls"] == [None]


def test_no_more_connections_than_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 1024))
    assert connections.affordable(10_000) == 1024 - connections.SPARE
    assert connections.affordable(100) == 100


def test_no_address_opens_more_connections_than_a_server_takes_from_one() -> None:
    found = [idle_connections.source(number) for number in range(10_000)]
    assert max(found.count(each) for each in set(found)) <= 5_000


def test_the_figures_of_idle_connections() -> None:
    row = Idle(10, 2.5, 100.0, 0.2, 1.0, 0.0, 0.01).row("tls")
    assert (row.subject, row.figures["KB each"], row.figures["% CPU idle"]) == ("tls", 2.5, 1.0)


# -- for real ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_calls_over_each_transport(tmp_path: Path, transport: str) -> None:
    streams.write_certificates(tmp_path)
    with Server(streams.uas(transport, tmp_path), tmp_path, None) as server:
        figures = streams.place(transport, server.port, tmp_path, 0.2)
    assert figures["done"] >= 64
    assert figures["failed"] == 0


def test_connections_are_held_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENCE", 0.1)
    streams.write_certificates(tmp_path)
    found = connections.measure("wss", tmp_path, 20)
    assert 0 < found.median <= found.worst


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    streams.write_certificates(tmp_path)
    with pytest.raises(subprocess.SubprocessError):
        streams.place("tcp", 1, tmp_path, 0.1)
    with pytest.raises(StartError, match="the client has ended"), connections._held("tcp", 1, tmp_path, 1):
        pass
