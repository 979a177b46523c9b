"""TCP on loopback: connections made, refused, limited and ended (RFC 3261 §18)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest

from sipstack.core.outputs import Flow, Target
from sipstack.errors import TransportError
from sipstack.net.host import HostNetwork
from sipstack.net.network import Listen
from sipstack.net.settings import Settings
from sipstack.net.stream_endpoint import StreamEndpoint
from sipstack.net.stream_limits import StreamLimits
from tests.net.streams import MESSAGE, PATIENCE, REQUEST, Told, dialling, listening


async def reader_of(endpoint: StreamEndpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stranger that has connected."""
    return await asyncio.open_connection(*endpoint.local)


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that the endpoint sends until it ends the connection."""
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        return


def limits(**values: float) -> Settings:
    return Settings(streams=StreamLimits(**values))  # type: ignore[arg-type]


# --- a connection that comes to nothing ---


async def test_a_connection_that_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = Target("TCP", closed.getsockname())
        async with dialling() as (endpoint, told):
            endpoint.open(target)
            assert told.refusals == []
            await told.wait(refusals=1)
    assert told.refusals == [(target, f"127.0.0.1:{target.address[1]}: Connection refused")]


async def test_a_peer_that_does_not_answer_is_given_up() -> None:
    """Its queue of connections is full, so that nothing answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        async with dialling(settings=limits(opening=0.2)) as (endpoint, told):
            endpoint.open(Target("TCP", deaf.getsockname()))
            await told.wait(refusals=1)
        for filler in fillers:
            filler.close()
    assert told.refusals[0][1].endswith(": no connection within 0.2 s")


async def test_the_other_ip_version_cannot_be_reached_from_a_listening_address() -> None:
    async with listening() as (endpoint, _):
        with pytest.raises(TransportError, match="not the same IP version"):
            endpoint.open(Target("TCP", ("::1", 5060)))


async def test_a_port_in_use() -> None:
    async with listening() as (endpoint, _):
        with pytest.raises(TransportError, match=r"cannot listen on tcp:127\.0\.0\.1:\d+: Address already"):
            await HostNetwork().listen(Listen("tcp", *endpoint.local), Told())


async def test_leaving_while_it_is_opened() -> None:
    async with listening() as (server, _), dialling() as (endpoint, told):
        endpoint.open(Target("TCP", server.local))
    await asyncio.sleep(0.05)
    assert (told.there, told.refusals) == ([], [])


async def test_a_connection_tells_whether_somebody_listens_at_the_address_that_it_advertises() -> None:
    async with (
        listening() as (server, at_server),
        dialling() as (client, at_client),
        listening() as (both, at_both),
    ):
        for endpoint, told in ((client, at_client), (both, at_both)):
            endpoint.open(Target("TCP", server.local))
            await told.wait(there=1)
        await at_server.wait(visitors=2)
        assert [told.there[0][1].dialled for told in (at_client, at_both)] == [True, False]
        assert not any(visitor.dialled for visitor in at_server.visitors)


# --- messages ---


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_messages_go_both_ways(host: str) -> None:
    async with listening(f"tcp:{host}:0") as (server, at_server), dialling() as (client, at_client):
        target = Target("TCP", server.local)
        client.open(target)
        await at_client.wait(there=1)
        await at_server.wait(visitors=1)
        there, here = at_client.there[0][1], at_server.visitors[0]
        client.send(there, MESSAGE[:100])
        client.send(there, MESSAGE[100:] + MESSAGE)
        server.send(here, MESSAGE)
        await at_server.wait(messages=2)
        await at_client.wait(messages=1)
    assert at_server.messages == [(here, MESSAGE)] * 2
    assert at_client.messages == [(there, MESSAGE)]
    assert there == Flow("TCP", here.remote, server.local, True, connection=1)
    assert here == Flow("TCP", server.local, there.local, True, connection=1)
    assert (there.advertised, here.advertised) == (there.local, server.local)


async def test_a_listening_endpoint_is_reached_where_it_listens() -> None:
    async with listening() as (server, _), listening() as (caller, told):
        caller.open(Target("TCP", server.local))
        await told.wait(there=1)
        flow = told.there[0][1]
        assert flow.local != caller.local
        assert flow.advertised == caller.local == caller.flow_to(server.local).advertised


async def test_a_ping_is_answered_and_a_pong_is_told() -> None:
    async with listening() as (server, told):
        reader, writer = await reader_of(server)
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(2) == b"\r\n"
        writer.write(b"\r\n")
        await told.wait(pongs=1)
        assert told.pongs == told.visitors
        await leave(writer)


async def test_a_connection_without_delay_and_with_keep_alive() -> None:
    async with listening() as (server, told):
        _, writer = await reader_of(server)
        await told.wait(visitors=1)
        transport = server.connections[1].transport
        assert transport is not None
        opened = transport.get_extra_info("socket")
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await leave(writer)


# --- the end ---


async def test_sending_over_a_connection_that_is_gone_is_told_later() -> None:
    async with listening() as (server, told):
        _, writer = await reader_of(server)
        await told.wait(visitors=1)
        flow = told.visitors[0]
        await leave(writer)
        await told.wait(failures=1)
        server.send(flow, MESSAGE)
        assert len(told.failures) == 1
        await told.wait(failures=2)
    words = f"127.0.0.1:{flow.remote[1]}: the connection is closed"
    assert told.failures == [(flow, words)] * 2
    assert server.connections == {}


async def test_a_reset_is_told() -> None:
    async with listening() as (server, told):
        _, writer = await reader_of(server)
        await told.wait(visitors=1)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        await told.wait(failures=1)
        flow = told.visitors[0]
        assert told.failures == [(flow, f"127.0.0.1:{flow.remote[1]}: Connection reset by peer")]


async def test_a_flow_that_is_closed_sends_what_was_written() -> None:
    async with listening() as (server, told):
        reader, writer = await reader_of(server)
        await told.wait(visitors=1)
        server.send(told.visitors[0], MESSAGE)
        server.close_flow(told.visitors[0])
        assert await heard(reader) == MESSAGE
        await told.wait(failures=1)
        await leave(writer)


async def test_closing_ends_all_connections_and_tells_nothing() -> None:
    async with listening() as (server, told):
        reader, writer = await reader_of(server)
        await told.wait(visitors=1)
        server.send(told.visitors[0], MESSAGE)
        server.close()
        server.close()
        assert await heard(reader) == MESSAGE
        await leave(writer)
        with pytest.raises(ConnectionRefusedError):
            await reader_of(server)
    assert told.failures == []


# --- who means harm ---


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (REQUEST + b"\r\n", b"SIP/2.0 400 "),
        (REQUEST + b"Content-Length: 99999999\r\n\r\n", b"SIP/2.0 413 "),
        (REQUEST + b"X: " + b"x" * 500_000, b"SIP/2.0 513 "),
        (REQUEST.replace(b"sip:b ", b"sip:" + b"b" * 500_000), b""),
        (b"\0" * 500_000, b""),
        (b"GET / HTTP/1.1\r\n\r\n", b""),
    ],
)
async def test_what_is_no_sip_is_refused_and_ends_the_connection(octets: bytes, answer: bytes) -> None:
    async with listening() as (server, told):
        reader, writer = await reader_of(server)
        writer.write(octets)
        await told.wait(failures=1)
        try:
            assert (await heard(reader)).startswith(answer)
        except ConnectionResetError:  # it had more to say when we had heard enough
            assert len(octets) > 400_000
        await leave(writer)
    assert told.messages == []
    assert "the peer sent what is no SIP: " in told.failures[0][1]


async def test_a_message_before_the_nonsense_counts() -> None:
    async with listening() as (server, told):
        _, writer = await reader_of(server)
        writer.write(MESSAGE + b"nonsense\r\n\r\n" + MESSAGE)
        await told.wait(messages=1, failures=1)
        assert told.messages == [(told.visitors[0], MESSAGE)]
        await leave(writer)


async def test_a_peer_that_says_nothing_is_put_out() -> None:
    async with listening(settings=limits(first_message=0.1)) as (server, told):
        reader, writer = await reader_of(server)
        assert await heard(reader) == b""
        assert told.failures[0][1].endswith(": the peer sent nothing within 0.1 s")
        await leave(writer)


async def test_a_slow_sender_is_put_out_however_it_keeps_on() -> None:
    async with listening(settings=limits(message=0.3)) as (server, told):
        reader, writer = await reader_of(server)
        writer.write(MESSAGE)
        for octet in MESSAGE:
            writer.write(bytes([octet]))
            await asyncio.sleep(0.02)
            if told.failures:
                break
        assert told.failures[0][1].endswith(": the peer sent no whole message within 0.3 s")
        assert len(told.messages) == 1
        await leave(writer)


async def test_a_silent_connection_is_closed() -> None:
    async with listening(settings=limits(idle=0.2)) as (server, told):
        reader, writer = await reader_of(server)
        writer.write(MESSAGE)
        assert await heard(reader) == b""
        assert told.failures[0][1].endswith(": nothing was sent or received for 0.2 s")
        await leave(writer)


async def test_a_peer_that_does_not_read_is_not_heard_and_then_put_out() -> None:
    async with listening(settings=limits(unsent=500_000)) as (server, told):
        _, writer = await reader_of(server)
        await told.wait(visitors=1)
        flow = told.visitors[0]
        sent = 0
        while server.connections[1].is_closing is False:
            server.send(flow, MESSAGE * 100)
            sent += 1
            assert sent < 10_000
        await told.wait(failures=1)
        assert "the peer does not read what we send: " in told.failures[0][1]
        writer.transport.abort()


async def test_more_connections_of_one_source_than_allowed_are_closed_at_once() -> None:
    async with listening(settings=limits(per_source=2)) as (server, told):
        first = [await reader_of(server) for _ in range(2)]
        await told.wait(visitors=2)
        for _ in range(5):
            reader, writer = await reader_of(server)
            with contextlib.suppress(ConnectionResetError):
                assert await heard(reader) == b""
            await leave(writer)
        assert server.turned_away == 5
        await leave(first[0][1])
        await told.wait(failures=1)
        again = await reader_of(server)
        await told.wait(visitors=3)
        await leave(first[1][1])
        await leave(again[1])


async def test_one_connection_does_not_starve_the_others() -> None:
    """A peer that floods has its turn; a stranger is heard between."""
    async with listening() as (server, told):
        _, flood = await reader_of(server)
        _, other = await reader_of(server)
        await told.wait(visitors=2)
        order: list[int] = []
        done = asyncio.Event()

        def slow(flow: Flow, data: bytes) -> None:
            order.append(flow.connection)
            if len(order) == 301:
                done.set()
            until = asyncio.get_running_loop().time() + 0.001
            while asyncio.get_running_loop().time() < until:
                pass

        server.received = slow
        for _ in range(300):
            flood.write(MESSAGE)
        other.write(MESSAGE)
        async with asyncio.timeout(PATIENCE):
            await done.wait()
        assert order.index(2 if order.count(2) == 1 else 1) < 250
        await leave(flood)
        await leave(other)
