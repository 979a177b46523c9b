"""What a TURN server lends, and why it does not. The server itself: ``interop/nat/test_ice.py``."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import aioice
import pytest
from aioice import stun
from aioice.turn import TurnTransport

from sipstack.errors import TransportError
from sipstack.media.ice_settings import IceServer
from sipstack.media.webrtc import turn
from sipstack.media.webrtc.turn import Relay, borrow
from sipstack.testing.certificates import CertificateAuthority

PEER, STRANGER = ("192.0.2.2", 4000), ("192.0.2.3", 4000)
CHANNEL = 0x4001
SECRET = "a-password"


class Client:
    """aioice's, with one channel."""

    def __init__(self) -> None:
        self.transport = self
        self.sent: list[bytes] = []
        self.slow: list[tuple[bytes, Any]] = []
        self.closing = False
        self.peer_to_channel = {PEER: CHANNEL}
        self.channel_refresh_at = {CHANNEL: time.time() + 100}

    def is_closing(self) -> bool:
        return self.closing

    def _send(self, data: bytes) -> None:
        self.sent.append(data)

    async def send_data(self, data: bytes, address: Any) -> None:
        self.slow.append((data, address))


def relay() -> tuple[Relay, Client]:
    client = Client()
    return Relay(TurnTransport(client)), client  # type: ignore[arg-type]


async def test_over_a_channel_packets_go_out_at_once() -> None:
    over, client = relay()
    before = asyncio.all_tasks()
    over.sendto(b"packet", PEER)
    assert client.sent == [b"\x40\x01\x00\x06packet"]
    assert asyncio.all_tasks() == before


async def test_who_has_no_channel_yet_or_an_old_one_waits_for_it() -> None:
    over, client = relay()
    over.sendto(b"one", STRANGER)
    client.channel_refresh_at[CHANNEL] = time.time() - 1
    over.sendto(b"two", PEER)
    await asyncio.sleep(0)
    assert (client.sent, client.slow) == ([], [(b"one", STRANGER), (b"two", PEER)])


async def test_after_the_allocation_is_lost_nothing_is_sent() -> None:
    over, client = relay()
    client.closing = True
    over.sendto(b"packet", PEER)
    assert (client.sent, client.slow) == ([], [])


# -- why there is none -------------------------------------------------------------------------------------


def refusal(code: int, words: str) -> stun.TransactionFailed:
    response = stun.Message(stun.Method.ALLOCATE, stun.Class.ERROR)
    response.attributes["ERROR-CODE"] = (code, words)
    return stun.TransactionFailed(response)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refusal(401, "Unauthorized"), "refuses the password of 'alice', or does not know that user (401)"),
        (refusal(441, "Wrong Credentials"), "refuses the password of 'alice'"),
        (refusal(486, "Allocation Quota Reached"), "lends us no address (486 Allocation Quota Reached)"),
        (stun.TransactionTimeout(), "does not answer"),
        (ConnectionRefusedError("refused"), "cannot be reached: refused"),
        (socket.gaierror("no such name"), "cannot be reached: no such name"),
        (ConnectionError("TURN allocation response is missing LIFETIME"), "cannot be reached: TURN alloc"),
    ],
)
async def test_why_there_is_no_relay(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(turn, "create_turn_endpoint", fail)
    told = await refused(IceServer("turn:192.0.2.9", "alice", SECRET))
    assert told.startswith(f"the TURN server 192.0.2.9:3478 {words}")


async def test_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert (await refused(IceServer(f"turn:127.0.0.1:{port}", "alice", SECRET))).endswith(
            f"127.0.0.1:{port} does not answer"
        )


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*CertificateAuthority().issue("127.0.0.1").write(tmp_path, "server"))
    async with await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        told = await refused(IceServer(f"turns:127.0.0.1:{port}", "alice", SECRET))
    assert "has a certificate that is not trusted" in told


async def refused(server: IceServer) -> str:
    with pytest.raises(TransportError) as caught:
        await borrow(server, 1, aioice.Connection(ice_controlling=True))
    assert SECRET not in str(caught.value)
    return str(caught.value)
