"""WS and WSS, our client against our server (RFC 7118)."""

from __future__ import annotations

import asyncio
import datetime
import socket
from pathlib import Path

import pytest

from sipstack.core.outputs import Flow, Target
from sipstack.errors import TransportError
from sipstack.net import websocket_connection
from sipstack.net.network import Listen
from sipstack.net.settings import Settings
from sipstack.net.websocket import listen_on_websocket
from sipstack.testing.certificates import CertificateAuthority
from tests.net.web import DOMAIN, News, connected, contexts, dialling, listening, settings, tls_of

OPTIONS = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n"


# -- one connection ----------------------------------------------------------------------------------------


async def test_messages_go_both_ways_one_in_a_websocket_message() -> None:
    async with connected() as (client, at_client, server, at_server):
        there, back = at_client.opens[0][1], at_server.accepts[0]
        for data in (OPTIONS, OPTIONS + b"\xc3\xa9", OPTIONS + b"\xff\xfe", b"no SIP at all"):
            client.send(there, data)
            server.send(back, data[::-1])
        await at_server.until(lambda: len(at_server.data) == 4)
        await at_client.until(lambda: len(at_client.data) == 4)
        assert at_server.data == [data[::-1] for data in at_client.data]
        assert at_server.data[2] == OPTIONS + b"\xff\xfe"
        assert {flow for flow, _ in at_server.messages} == {back}


async def test_a_client_is_reached_over_its_connection_only() -> None:
    async with connected() as (client, at_client, server, at_server):
        ((target, flow),) = at_client.opens
        host, _, parameter = flow.contact_address.partition(";")
        assert (target, flow.remote) == (Target("WS", server.local), server.local)
        assert host.endswith(".invalid")
        assert (parameter, flow.via("x")) == ("transport=ws", f"SIP/2.0/WS {host};branch=x;rport")
        assert (flow.reliable, flow.secure, flow.local) == (True, False, at_server.accepts[0].remote)
        assert client.flow_to(server.local).contact_address == flow.contact_address


async def test_two_clients_have_two_names_and_two_connections_of_one_client_have_one() -> None:
    async with listening() as (server, _), dialling() as (one, news), dialling() as (other, _):
        for _ in range(2):
            one.open(Target("WS", server.local))
        await news.until(lambda: len(news.opens) == 2)
        first, second = (flow for _, flow in news.opens)
        assert first != second
        assert first.contact_address == second.contact_address
        assert first.contact_address != other.flow_to(server.local).contact_address


@pytest.mark.parametrize("advertise", ["", "sip.example.com"])
async def test_a_server_names_the_address_at_which_it_listens(advertise: str) -> None:
    async with listening(advertise=advertise) as (server, news), dialling() as (client, _):
        client.open(Target("WS", server.local))
        flow = await news.flow()
        expected = f"{advertise or '127.0.0.1'}:{server.local[1]};transport=ws"
        assert flow.contact_address == server.flow_to(("127.0.0.1", 9)).contact_address == expected


async def test_a_server_opens_connections_too() -> None:
    async with listening() as (one, news), listening() as (other, at_other):
        one.open(Target("WS", other.local))
        flow = await news.flow()
        assert flow.contact_address == f"127.0.0.1:{one.local[1]};transport=ws"
        one.send(flow, OPTIONS)
        await at_other.until(lambda: at_other.data == [OPTIONS])


async def test_a_server_bound_to_ipv4_leaves_ipv6_to_another_endpoint() -> None:
    async with listening() as (server, _):
        with pytest.raises(TransportError, match="not the same IP version"):
            server.open(Target("WS", ("::1", 80)))


async def test_ipv6_is_spoken_in_brackets() -> None:
    async with listening(host="::1") as (server, at_server), dialling() as (client, news):
        client.open(Target("WS", server.local))
        await news.flow()
        flow = await at_server.flow()
        assert flow.contact_address == f"[::1]:{server.local[1]};transport=ws"


# -- keep-alive --------------------------------------------------------------------------------------------


async def test_a_double_crlf_is_answered_and_its_answer_is_a_pong() -> None:
    async with connected() as (client, at_client, server, at_server):
        client.send(at_client.opens[0][1], b"\r\n\r\n")
        server.send(at_server.accepts[0], b"\r\n\r\n")
        await at_client.until(lambda: at_client.pongs)
        await at_server.until(lambda: at_server.pongs)
        assert (at_client.data, at_server.data) == ([], [])


async def test_a_peer_that_is_silent_is_pinged_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "PING", 0.05)
    async with connected() as (_, at_client, _, at_server):
        await at_client.until(lambda: at_client.pongs)
        await at_server.until(lambda: at_server.pongs)
        assert (at_client.failures, at_server.failures) == ([], [])


# -- the end -----------------------------------------------------------------------------------------------


async def test_a_connection_that_we_close_is_told_to_both() -> None:
    async with connected() as (client, at_client, server, at_server):
        server.close_flow(at_server.accepts[0])
        assert at_server.failures == []  # later, not from inside
        port = server.local[1]
        assert (
            await at_client.failure() == f"127.0.0.1:{port}: the peer has closed the connection (1000 (OK))"
        )
        assert (await at_server.failure()).endswith("we have closed the connection")
        assert at_client.failures[0][0] == at_client.opens[0][1]
        await asyncio.sleep(0.02)
        assert (len(at_client.failures), len(at_server.failures)) == (1, 1)


async def test_what_is_sent_on_a_connection_that_is_gone_fails_later() -> None:
    async with connected() as (client, at_client, _, at_server):
        flow = at_client.opens[0][1]
        client.close_flow(flow)
        await at_client.failure()
        client.send(flow, OPTIONS)
        assert len(at_client.failures) == 1
        await at_client.until(lambda: len(at_client.failures) == 2)
        assert at_client.failures[1][1].endswith("the connection is closed")
        assert at_server.data == []


async def test_what_was_sent_before_the_close_arrives() -> None:
    async with connected() as (client, at_client, _, at_server):
        flow = at_client.opens[0][1]
        messages = [OPTIONS + bytes([number]) * 2000 for number in range(50)]
        for message in messages:
            client.send(flow, message)
        client.close_flow(flow)
        await at_server.failure()
        assert at_server.data == messages


async def test_a_connection_that_is_closed_while_its_message_is_served_delivers_no_more() -> None:
    async with connected() as (client, at_client, server, at_server):
        at_server.on_message = lambda flow, _: server.close_flow(flow)
        for _ in range(3):
            client.send(at_client.opens[0][1], OPTIONS)
        await at_server.failure()
        assert at_server.data == [OPTIONS]


async def test_an_endpoint_that_closes_takes_leave_and_is_silent_then() -> None:
    async with connected() as (client, at_client, server, at_server):
        server.close()
        assert "1001" in await at_client.failure()
        await asyncio.sleep(0.02)
        assert at_server.failures == []
        client.open(Target("WS", server.local))
        assert (await at_client.refusal()).endswith("Connection refused")


async def test_an_endpoint_closes_while_it_opens_a_connection() -> None:
    async with dialling() as (client, news):
        client.open(Target("WS", ("127.0.0.1", 9)))
        client.close()
        await asyncio.sleep(0.02)
        assert news.refusals == []


# -- what comes to nothing ---------------------------------------------------------------------------------


async def test_a_port_where_nobody_listens() -> None:
    async with dialling() as (client, news):
        client.open(Target("WS", ("127.0.0.1", 9), DOMAIN))
        assert news.refusals == []  # later, not from inside
        assert await news.refusal() == "pbx.example.com:9: Connection refused"


async def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with dialling(settings(opening=0.1)) as (client, news):
            client.open(Target("WS", mute.getsockname()))
            assert (await news.refusal()).endswith("the handshake took too long")


@pytest.mark.parametrize("path", ["/ws\r\nHost: evil", "/ws ", "/ä", "/\x00"])
async def test_a_path_that_would_break_out_of_the_request_line(path: str) -> None:
    async with dialling() as (client, _):
        with pytest.raises(TransportError, match="is no path"):
            client.open(Target("WS", ("127.0.0.1", 9), "", path))


async def test_an_address_that_is_taken() -> None:
    async with listening() as (server, _):
        taken = Listen("ws", *server.local)
        with pytest.raises(
            TransportError, match=r"cannot listen on ws:127.0.0.1:\d+: Address already in use"
        ):
            await listen_on_websocket(taken, News(), Settings(), secure=False)


# -- TLS ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [DOMAIN, "*.example.com"])
async def test_a_secure_connection_proves_the_domain(tmp_path: Path, name: str) -> None:
    tls = settings(contexts(tmp_path, name))
    async with (
        listening(tls, secure=True) as (server, at_server),
        dialling(tls, secure=True) as (client, news),
    ):
        client.open(Target("WSS", server.local, DOMAIN))
        there: Flow = await news.flow()
        back = await at_server.flow()
        assert (there.transport, there.secure, back.secure) == ("WSS", True, True)
        assert there.contact_address.endswith(".invalid;transport=ws")
        client.send(there, OPTIONS * 20_000)
        server.send(back, OPTIONS)
        await at_server.until(lambda: at_server.data == [OPTIONS * 20_000])
        await news.until(lambda: news.data == [OPTIONS])
        client.close_flow(there)
        assert (await at_server.failure()).endswith("the peer has closed the connection (1000 (OK))")


@pytest.mark.parametrize(
    ("name", "words"), [("other.example.com", "is for other.example.com"), (DOMAIN, "expired")]
)
async def test_a_certificate_that_proves_nothing(tmp_path: Path, name: str, words: str) -> None:
    ends = -datetime.timedelta(hours=1) if words == "expired" else datetime.timedelta(days=1)
    tls = settings(contexts(tmp_path, name, ends=ends))
    async with (
        listening(tls, secure=True) as (server, at_server),
        dialling(tls, secure=True) as (client, news),
    ):
        client.open(Target("WSS", server.local, DOMAIN))
        refusal = await news.refusal()
        assert words in refusal
        assert refusal.startswith(f"{DOMAIN}:{server.local[1]}: the certificate of {DOMAIN} ")
        assert at_server.accepts == []


async def test_a_certificate_of_an_authority_that_is_not_trusted(tmp_path: Path) -> None:
    certificate = CertificateAuthority().issue(DOMAIN)
    tls = settings(tls_of(tmp_path, certificate, CertificateAuthority("another")))
    async with listening(tls, secure=True) as (server, _), dialling(tls, secure=True) as (client, news):
        client.open(Target("WSS", server.local, DOMAIN))
        assert "is signed by an unknown authority" in await news.refusal()


async def test_a_server_without_tls(tmp_path: Path) -> None:
    async with (
        listening() as (server, _),
        dialling(settings(contexts(tmp_path, DOMAIN)), secure=True) as (
            client,
            news,
        ),
    ):
        client.open(Target("WSS", server.local, DOMAIN))
        assert "TLS" in await news.refusal()


async def test_a_secure_endpoint_closes_in_the_middle_of_the_handshake(tmp_path: Path) -> None:
    tls = settings(contexts(tmp_path, DOMAIN))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with dialling(tls, secure=True) as (client, news):
            client.open(Target("WSS", mute.getsockname(), DOMAIN))
            await asyncio.sleep(0.05)
            client.close()
            await asyncio.sleep(0.05)
            assert (news.refusals, news.opens) == ([], [])


async def test_listening_securely_needs_a_certificate() -> None:
    with pytest.raises(TransportError, match="certificate"):
        await listen_on_websocket(Listen("wss", "127.0.0.1", 0), News(), Settings(), secure=True)
