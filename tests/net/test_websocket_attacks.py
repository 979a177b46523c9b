"""Peers of a WebSocket server that mean harm, or know no better."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sipstack.core.outputs import Flow, Target
from sipstack.net import websocket_connection
from sipstack.net.websocket_connection import HANDSHAKE
from sipstack.net.websocket_handshake import LONGEST
from tests.net.web import (
    BINARY,
    CLOSE,
    CONTINUATION,
    DOMAIN,
    PING,
    PONG,
    TEXT,
    News,
    Stranger,
    contexts,
    dialling,
    frame,
    listening,
    settings,
    stranger,
)

OPTIONS = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n"


@asynccontextmanager
async def attacked(**limits: Any) -> AsyncIterator[tuple[Stranger, News]]:
    """A stranger with an open WebSocket, and the news of the server."""
    async with listening(settings(**limits)) as (server, news), stranger(server.local) as peer:
        assert await peer.shake_hands() == "HTTP/1.1 101 Switching Protocols"
        await news.flow()
        yield peer, news


# -- handshakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\x16\x03\x01"])
async def test_who_never_finishes_the_handshake_is_let_go(tmp_path: Path, secure: bool, said: bytes) -> None:
    limits = settings(contexts(tmp_path, DOMAIN), opening=0.1)
    async with listening(limits, secure=secure) as (server, news), stranger(server.local) as peer:
        peer.writer.write(said)
        started = time.monotonic()
        await peer.rest()
        assert time.monotonic() - started < 2
        assert (news.accepts, news.failures) == ([], [])
        assert server._connections == {}


async def test_who_drips_its_handshake_is_let_go_in_the_same_time() -> None:
    async with listening(settings(opening=0.15)) as (server, _), stranger(server.local) as peer:
        peer.writer.write(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        while server._connections or time.monotonic() < started + 0.1:
            peer.writer.write(b"X: y\r\n")
            await asyncio.sleep(0.01)
        assert time.monotonic() - started < 1


async def test_a_handshake_without_end_is_cut_off() -> None:
    async with listening() as (server, news), stranger(server.local) as peer:
        peer.writer.write(b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"y" * 1000) * (HANDSHAKE // 1000 + 2))
        assert await peer.rest() == b""
        assert (news.accepts, server._connections) == ([], {})


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_WebSocket_Protocol": None}, 400),
        ({"Sec_WebSocket_Protocol": "xmpp, mqtt"}, 400),
        ({"Sec_WebSocket_Protocol": ","}, 400),
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Upgrade": None}, 426),
        ({"Connection": "close"}, 426),
    ],
)
async def test_a_handshake_that_is_wrong_is_answered_and_over(
    changes: dict[str, str | None], status: int
) -> None:
    async with listening() as (server, news), stranger(server.local) as peer:
        assert (await peer.shake_hands("/", **changes)).startswith(f"HTTP/1.1 {status} ")
        await peer.rest()
        assert (news.accepts, server._connections) == ([], {})


async def test_sip_among_other_subprotocols_is_taken() -> None:
    async with listening() as (server, _), stranger(server.local) as peer:
        assert (await peer.shake_hands(Sec_WebSocket_Protocol="xmpp, sip")).startswith("HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "octets",
    [b"\x00" * 9000, OPTIONS, b"\r\n" * 5000, b"POST / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA: \0\r\n\r\n"],
)
async def test_what_is_no_handshake_at_all(octets: bytes) -> None:
    async with listening() as (server, news), stranger(server.local) as peer:
        peer.writer.write(octets)
        await peer.rest()
        assert (news.accepts, news.data, server._connections) == ([], [], {})


async def test_messages_in_one_segment_with_the_handshake_are_not_lost() -> None:
    async with listening() as (server, news), stranger(server.local) as peer:
        peer.writer.write(handshake() + frame(TEXT, OPTIONS) + frame(BINARY, OPTIONS))
        await news.until(lambda: news.data == [OPTIONS, OPTIONS])
        assert (await peer.reader.readline()).startswith(b"HTTP/1.1 101 ")


def handshake() -> bytes:
    return (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: sip\r\n\r\n"
    )


# -- frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\x81\x05hello", "breaks the rules of WebSocket"),  # not masked
        (b"\xf1\x80\0\0\0\0", "breaks the rules of WebSocket"),  # reserved bits
        (frame(3, b"x"), "breaks the rules of WebSocket"),  # no such opcode
        (frame(CONTINUATION, b"x"), "breaks the rules of WebSocket"),  # of nothing
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), "breaks the rules of WebSocket"),
        (frame(PING, b"x", fin=False), "breaks the rules of WebSocket"),
        (frame(PING, b"x" * 126), "breaks the rules of WebSocket"),
        (frame(CLOSE, b"x"), "breaks the rules of WebSocket"),
        (frame(TEXT, b"\xff\xfe"), "text that is no UTF-8"),
        (b"\x81\xff\x7f" + b"\xff" * 7, "longer than"),  # an exabyte
        (frame(TEXT, b"x" * LONGEST, fin=False) + frame(CONTINUATION, b"y"), "longer than"),
    ],
)
async def test_frames_that_break_the_rules_end_their_connection(octets: bytes, words: str) -> None:
    async with attacked() as (peer, news):
        peer.frame(TEXT, OPTIONS)
        peer.writer.write(octets)
        assert words in await news.failure()
        assert news.data == [OPTIONS]


async def test_fragments_without_end_take_no_more_than_a_message_may() -> None:
    async with attacked() as (peer, news):
        peer.frame(BINARY, b"x" * 1000, fin=False)
        for _ in range(LONGEST // 1000):
            peer.frame(CONTINUATION, b"x" * 1000, fin=False)
        assert "longer than" in await news.failure()
        assert news.data == []


async def test_empty_fragments_without_end_are_bounded_in_time() -> None:
    async with attacked(message=0.2) as (peer, news):
        peer.frame(BINARY, OPTIONS, fin=False)
        while not news.failures:
            peer.writer.write(frame(CONTINUATION, fin=False) * 10 + frame(PING))
            await asyncio.sleep(0.01)
        assert "a message took longer than 0.2 s" in await news.failure()


async def test_a_message_that_drips_in_is_bounded_in_time() -> None:
    async with attacked(message=0.2) as (peer, news):
        whole = frame(TEXT, OPTIONS)
        for at in range(len(whole)):
            peer.writer.write(whole[at : at + 1])
            await asyncio.sleep(0.02)
            if news.failures:
                break
        assert "a message took longer than 0.2 s" in await news.failure()
        assert news.data == []


async def test_many_messages_one_after_the_other_are_no_slow_message() -> None:
    async with attacked(message=0.1) as (peer, news):
        whole = frame(TEXT, OPTIONS)
        peer.writer.write(whole[:20])
        for _ in range(30):
            peer.writer.write(whole[20:] + whole[:20])
            await asyncio.sleep(0.01)
        peer.writer.write(whole[20:])
        await news.until(lambda: len(news.data) == 31)
        assert news.failures == []


async def test_who_never_says_anything_after_the_handshake_is_let_go() -> None:
    async with attacked(first_message=0.1) as (peer, news):
        peer.frame(PONG)
        peer.frame(TEXT, b"\r\n\r\n")
        assert "no message came" in await news.failure()


async def test_who_has_spoken_once_may_be_silent_until_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "CLOSING", 0.1)
    async with attacked(first_message=0.1, idle=0.3) as (peer, news):
        peer.frame(TEXT, OPTIONS)
        await asyncio.sleep(0.2)
        assert news.failures == []
        assert "nothing was said for 0.3 s" in await news.failure()


async def test_who_answers_no_ping_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "PING", 0.05)
    monkeypatch.setattr(websocket_connection, "PONG", 0.05)
    async with attacked() as (peer, news):
        peer.frame(TEXT, OPTIONS)
        assert "has not answered a ping" in await news.failure()
        assert b"\x89\x00" in await peer.rest()


async def test_who_does_not_answer_the_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "CLOSING", 0.1)
    async with attacked() as (peer, news):
        flow = news.accepts[0]
        flow.endpoint.close_flow(flow)
        flow.endpoint.send(flow, OPTIONS)  # too late
        peer.frame(TEXT, OPTIONS)
        assert "we have closed the connection" in await news.failure()
        assert await peer.rest() == b"\x88\x02\x03\xe8"
        assert news.data == []


# -- floods ------------------------------------------------------------------------------------------------


async def test_who_never_reads_costs_so_much_memory_and_is_closed() -> None:
    async with attacked(unsent=100_000) as (_, news):
        flow, message, sent = news.accepts[0], OPTIONS * 100, 0
        while not flow.endpoint._connections[flow.connection]._reason:
            flow.endpoint.send(flow, message)
            sent += len(message)
            assert sent < 50_000_000
        assert news.failures == []  # later, not from inside of send
        assert "the peer does not read" in await news.failure()


@pytest.mark.parametrize("asked", [frame(PING, b"x" * 100), frame(TEXT, b"\r\n\r\n")])
async def test_who_asks_for_answers_and_never_reads_is_closed(asked: bytes) -> None:
    async with (
        listening(settings(unsent=50_000)) as (server, news),
        stranger(server.local, receive_buffer=4096) as peer,
    ):
        await peer.shake_hands()
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        while not news.failures:
            peer.writer.write(asked * 1000)
            await asyncio.sleep(0)
        assert "the peer does not read" in await news.failure()


@pytest.mark.parametrize("message", [b"x", b"", OPTIONS])
async def test_a_flood_leaves_the_loop_to_others(message: bytes) -> None:
    async with attacked() as (peer, news):

        def work(_: Flow, __: bytes) -> None:
            until = time.perf_counter() + 0.0002
            while time.perf_counter() < until:
                pass

        news.on_message = work
        peer.writer.write(frame(BINARY, message) * 2000 + frame(BINARY, b"the last"))
        longest, before = 0.0, time.process_time()
        while b"the last" not in news.data[-1:]:
            await asyncio.sleep(0)
            now = time.process_time()
            longest, before = max(longest, now - before), now
        assert longest < 0.2  # one turn is 5 ms and a slice, of 0.4 s in all
        assert news.failures == []


async def test_what_waits_when_the_peer_goes_is_served_all_the_same(tmp_path: Path) -> None:
    tls = settings(contexts(tmp_path, DOMAIN))
    async with listening(tls, secure=True) as (server, news), dialling(tls, secure=True) as (client, ours):

        def work(_: Flow, __: bytes) -> None:
            time.sleep(0.001)  # noqa: ASYNC251 a core that is busy

        news.on_message = work
        client.open(Target("WSS", server.local, DOMAIN))
        flow = await ours.flow()
        for number in range(200):
            client.send(flow, OPTIONS + b"%d" % number)
        client.close_flow(flow)
        await news.failure()
        assert news.data == [OPTIONS + b"%d" % number for number in range(200)]


async def test_one_source_may_hold_so_many_connections(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(settings(per_source=3)) as (server, news), AsyncExitStack() as stack:
        for _ in range(3):
            peer = await stack.enter_async_context(stranger(server.local))
            await peer.shake_hands()
        for _ in range(3):
            turned_away = await stack.enter_async_context(stranger(server.local))
            assert await turned_away.rest() == b""
        other = await stack.enter_async_context(stranger(server.local, "127.0.0.2"))
        assert (await other.shake_hands()).startswith("HTTP/1.1 101 ")
        assert len(news.accepts) == 4
        peer.writer.transport.abort()
        await news.failure()
        again = await stack.enter_async_context(stranger(server.local))
        assert (await again.shake_hands()).startswith("HTTP/1.1 101 ")
        told = [record.getMessage() for record in caplog.records if "too many" in record.getMessage()]
        assert len(told) == 2  # the first and the second of three


async def test_all_sources_may_hold_so_many_connections() -> None:
    async with listening(settings(connections=2)) as (server, news), AsyncExitStack() as stack:
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            peer = await stack.enter_async_context(stranger(server.local, host))
        assert await peer.rest() == b""
        assert len(server._connections) == 2


async def test_who_sits_in_the_handshake_of_tls_is_counted(tmp_path: Path) -> None:
    limits = settings(contexts(tmp_path, DOMAIN), per_source=2)
    async with listening(limits, secure=True) as (server, _), AsyncExitStack() as stack:
        for _ in range(3):
            peer = await stack.enter_async_context(stranger(server.local))
        assert await peer.rest() == b""
        assert len(server._connections) == 2


async def test_a_thousand_connections_come_and_go() -> None:
    async with listening() as (server, news):
        async with dialling() as (client, ours):
            for _ in range(1000):
                client.open(Target("WS", server.local))
            await ours.until(lambda: len(ours.opens) + len(ours.refusals) == 1000)
            assert ours.refusals == []
            for _, flow in ours.opens:
                client.send(flow, OPTIONS)
            await news.until(lambda: len(news.data) == 1000)
            assert {flow for flow, _ in news.messages} == set(news.accepts)
        await news.until(lambda: len(news.failures) == 1000)
        assert (server._connections, server._sources, server._accepted) == ({}, {}, 0)
