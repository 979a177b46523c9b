"""Whole calls over WebSocket (RFC 7118): signalling over real connections on loopback, media beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from sipstack import Invitation, RequestFailed, TracedMessage, TransportError, UserAgent
from sipstack.net.websocket import WebSocketEndpoint
from tests.ua.handlers import Answering, busy

UDP = "udp:127.0.0.1:0"
WS = "ws:127.0.0.1:0"


@asynccontextmanager
async def server(handler: Any, **more: Any) -> AsyncIterator[tuple[UserAgent, str]]:
    """A user agent that listens on WebSocket, and the URI that leads to it."""
    async with UserAgent("sip:bob@127.0.0.1", listen=WS, **more) as bob, bob.serving(handler):
        yield bob, f"sip:bob@127.0.0.1:{bob.listening[0][2]};transport=ws"


def client(**more: Any) -> UserAgent:
    """A user agent that listens on no WebSocket."""
    return UserAgent("sip:alice@127.0.0.1", listen=UDP, **more)


def endpoint(agent: UserAgent) -> WebSocketEndpoint:
    return next(
        each
        for each in agent._runtime.driver.endpoints
        if isinstance(each, WebSocketEndpoint) and each.transport.name == "WS"
    )


async def until(there: Callable[[], Any]) -> None:
    """Until ``there()`` is true."""
    async with asyncio.timeout(5):
        while not there():  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(0.01)


def first_lines(messages: list[TracedMessage]) -> list[str]:
    """What was sent and received, without the URIs."""
    lines = [message.data.decode().partition("\r\n")[0] for message in messages]
    ways = [">" if message.sent else "<" for message in messages]
    return [
        f"{way} {line if line.startswith('SIP/2.0') else line.split()[0]}"
        for way, line in zip(ways, lines, strict=True)
    ]


async def test_a_call_is_placed_held_resumed_and_ended_by_the_caller() -> None:
    callee = Answering()
    async with server(callee) as (bob, target), client() as alice:
        async with alice.call(target) as call:
            await call.hold()
            await until(lambda: callee.calls[0].remote_held)
            await call.resume()
            await until(lambda: not callee.calls[0].remote_held)
        end = await callee.calls[0].ended()
        assert (end.by, alice.calls, bob.calls) == ("remote", [], [])
        assert len(endpoint(alice)._connections) == len(endpoint(bob)._connections) == 1


async def test_the_callee_ends_the_call_over_the_connection_of_the_caller() -> None:
    callee, trace = Answering(), list[TracedMessage]()
    async with server(callee, trace=trace.append) as (_, target), client() as alice:
        async with alice.call(target) as call:
            await callee.calls[0].hang_up()
            assert (await call.ended()).by == "remote"
    assert first_lines(trace) == ["< INVITE", "> SIP/2.0 200 OK", "< ACK", "> BYE", "< SIP/2.0 200 OK"]
    assert {message.flow.transport for message in trace} == {"WS"}
    assert len({message.flow for message in trace}) == 1
    assert b"Contact: <sip:alice@" in trace[0].data
    assert b".invalid;transport=ws>" in trace[0].data
    assert trace[3].data.startswith(b"BYE sip:alice@")
    assert b".invalid;transport=ws SIP/2.0" in trace[3].data


async def test_requests_within_the_dialog_go_both_ways() -> None:
    callee = Answering()
    async with server(callee) as (_, target), client() as alice:
        async with alice.call(target) as call:
            await callee.calls[0].hold()
            await until(lambda: call.remote_held)
            await callee.calls[0].resume()
            await until(lambda: not call.remote_held)


async def test_a_refusal_and_requests_outside_of_a_dialog_share_one_connection() -> None:
    async with server(busy) as (bob, target), client() as alice:
        for _ in range(3):
            with pytest.raises(RequestFailed) as refused:
                async with alice.call(target):
                    pass
            assert refused.value.status == 486
            assert (await alice.options(target)).status == 200
        assert len(endpoint(bob)._connections) == 1


async def test_a_call_that_is_given_up_while_it_rings() -> None:
    callee = Answering(ring=30)
    async with server(callee) as (_, target), client() as alice:

        async def call() -> None:
            async with alice.call(target):
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(), 0.3)
        await until(lambda: callee.cancelled)
        assert callee.calls == []


async def test_a_call_whose_connection_is_closed_under_it() -> None:
    callee = Answering()
    async with server(callee) as (bob, target), client() as alice:
        async with alice.call(target) as call:
            (connection,) = endpoint(bob)._connections.values()
            connection.close()
            await until(lambda: not endpoint(alice)._connections)
            await call.hold()  # over another one
            await until(lambda: callee.calls[0].remote_held)
        assert (await callee.calls[0].ended()).by == "remote"


async def test_nobody_listens() -> None:
    async with client() as alice:
        with pytest.raises(TransportError, match="127.0.0.1:9: Connection refused"):
            await alice.options("sip:bob@127.0.0.1:9;transport=ws")


async def test_what_is_no_sip_is_counted_and_harms_nobody() -> None:
    async with server(busy) as (bob, target), client() as alice:
        await alice.options(target)
        flow = next(iter(endpoint(alice)._connections.values()))
        for garbage in (b"hello", b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n"):
            flow.send(garbage)
        assert (await alice.options(target)).status == 200
        assert bob._runtime.driver.core.counters.malformed == 3


async def test_a_message_without_content_length_is_taken() -> None:
    received: list[bytes] = []

    async def keep(invitation: Invitation) -> None:
        received.append(invitation.request.body)
        await invitation.reject(486)

    def strip(message: TracedMessage) -> None:
        messages.append(message)

    messages: list[TracedMessage] = []
    async with server(keep) as (_, target), client(trace=strip) as alice:
        with pytest.raises(RequestFailed):
            async with alice.call(target):
                pass
        (connection,) = endpoint(alice)._connections.values()
        invite = next(each.data for each in messages if each.data.startswith(b"INVITE"))
        head, _, body = invite.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        again = b"\r\n".join(lines).replace(b"Call-ID: ", b"Call-ID: again-").replace(b"z9hG4bK", b"z9hG4bKx")
        connection.send(again + b"\r\n\r\n" + body)
        await until(lambda: len(received) == 2)
        assert received == [body, body]


async def test_twenty_calls_at_once_over_one_connection() -> None:
    callee = Answering()
    async with server(callee) as (bob, target), client() as alice:

        async def one() -> str:
            async with alice.call(target) as call:
                await asyncio.sleep(0.05)
            return (await call.ended()).by

        assert await asyncio.gather(*(one() for _ in range(20))) == ["local"] * 20
        assert len(endpoint(bob)._connections) == 1


def test_a_call_on_uvloop() -> None:
    def run(work: Coroutine[None, None, None]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)

    run(test_the_callee_ends_the_call_over_the_connection_of_the_caller())
