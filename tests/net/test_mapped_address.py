"""The address that a STUN server tells, asked from the socket that SIP uses: real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from sipstack import LocalProtocolError, UserAgent, stun
from sipstack.core.outputs import Address
from sipstack.net import mapped_address
from sipstack.net.mapped_address import INTERVAL, REQUESTS, MappedAddress
from sipstack.net.network import stun_server
from sipstack.testing.loopback import Loopback
from sipstack.testing.peer import ScriptedPeer

SERVER, SEEN, OTHER = ("192.0.2.3", 3478), ("203.0.113.9", 41000), ("203.0.113.9", 41001)


class Asking:
    """A question in virtual time; what is sent is kept, the test answers."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes, Address]] = []
        self.told: list[Address] = []
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.mapped = MappedAddress(self.loop, SERVER, self._send, self.told.append)
        self.mapped.ask()

    def _send(self, data: bytes, server: Address) -> None:
        self.sent.append((round(self.loop.time() - self.began, 3), data, server))

    @property
    def question(self) -> bytes:
        return stun.transaction_of(self.sent[-1][1])

    def answer(self, address: Address, source: Address = SERVER, question: bytes | None = None) -> None:
        self.mapped.received(stun.response(question or self.question, address), source)


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    asking = Asking()
    yield asking
    asking.mapped.close()


# --- loss ---


@pytest.mark.virtual_time
async def test_a_question_is_repeated_with_the_same_number_and_doubled_waits(asking: Asking) -> None:
    await asyncio.sleep(40)
    first = asking.sent[:REQUESTS]
    assert [time for time, _, _ in first] == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert len({data for _, data, _ in first}) == 1
    assert (asking.told, len(asking.sent)) == ([], REQUESTS)


@pytest.mark.virtual_time
async def test_silence_is_told_once_and_we_ask_again(
    asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.sleep(300)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the STUN server 192.0.2.3:3478 does not tell our address: no answer"
    ]
    assert len({data for _, data, _ in asking.sent}) >= 3  # a new question each time
    asking.answer(SEEN)
    assert asking.told == [SEEN]


# --- answers ---


@pytest.mark.virtual_time
async def test_it_is_asked_again_and_only_news_is_told(asking: Asking) -> None:
    asking.answer(SEEN)
    for _ in range(3):
        count = len(asking.sent)
        await asyncio.sleep(INTERVAL)
        assert len(asking.sent) > count
        asking.answer(SEEN)
    assert asking.told == [SEEN]
    await asyncio.sleep(INTERVAL)
    asking.answer(OTHER)
    assert asking.told == [SEEN, OTHER]


@pytest.mark.virtual_time
async def test_what_others_say_is_not_believed(asking: Asking) -> None:
    asking.answer(OTHER, source=("192.0.2.66", 3478))
    asking.answer(OTHER, source=(SERVER[0], 3479))
    asking.answer(OTHER, question=bytes(12))
    assert asking.told == []
    asking.answer(SEEN)
    asking.answer(OTHER)  # the question has had its answer
    assert asking.told == [SEEN]


@pytest.mark.virtual_time
async def test_a_broken_answer_does_not_keep_the_right_one_out(asking: Asking) -> None:
    data = stun.response(asking.question, SEEN)
    asking.mapped.received(data[:-1] + bytes([data[-1] ^ 1]), SERVER)
    asking.mapped.received(data, SERVER)
    assert asking.told == [SEEN]


@pytest.mark.virtual_time
async def test_after_the_end_nothing_is_sent_or_told(asking: Asking) -> None:
    asking.mapped.close()
    asking.answer(SEEN)
    await asyncio.sleep(100)
    assert (len(asking.sent), asking.told) == (1, [])


# --- how it is written ---


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("stun:stun.example.com:3479", ("stun.example.com", 3479)),
        ("STUN:192.0.2.3", ("192.0.2.3", 3478)),
        ("stun:[2001:db8::3]:3479", ("2001:db8::3", 3479)),
        ("stun:[2001:db8::3]", ("2001:db8::3", 3478)),
        ("pbx.example.com", None),
        ("2001:db8::3", None),
        ("", None),
    ],
)
def test_how_a_server_is_written(text: str, server: Address | None) -> None:
    assert stun_server(text) == server


@pytest.mark.parametrize("text", ["stun:", "stun:host:0", "stun:host:65536", "stun:host:x", "stun::3478"])
def test_what_names_no_server(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="stun:HOST:PORT"):
        UserAgent(advertise=text)


# --- a user agent ---


class Server(asyncio.DatagramProtocol):
    """A STUN server that sees everybody at ``seen``; None: it is silent."""

    def __init__(self) -> None:
        self.seen: Address | None = SEEN
        self.asked: list[Address] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: Address) -> None:
        assert stun.is_request(data)
        self.asked.append(source)
        if self.seen is not None:
            self.transport.sendto(stun.response(stun.transaction_of(data), self.seen), source)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Server, ("127.0.0.1", 0), family=socket.AF_INET
    )
    yield protocol
    transport.close()


def agent_at(server: Server) -> UserAgent:
    return UserAgent(listen="udp:127.0.0.1:0", advertise=f"stun:127.0.0.1:{server.port}")


async def test_a_user_agent_names_what_the_server_sees(server: Server) -> None:
    async with (
        ScriptedPeer(
            Loopback(), "bob", on_request=lambda request: [request.response(200, to_tag="b")]
        ) as bob,
        agent_at(server) as alice,
    ):
        assert alice.contact == "sip:anonymous@203.0.113.9:41000"
        await alice.options(bob.uri)
        assert bob.requests[0].via.sent_by == "203.0.113.9:41000"
        ((_, _, port),) = alice.listening
    assert server.asked == [("127.0.0.1", port)]  # the socket that SIP uses


async def test_a_server_that_is_silent_is_told_and_not_waited_for_long(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.seen = None
    monkeypatch.setattr("sipstack.net.host.PATIENCE", 0.1)
    async with agent_at(server) as alice:
        ((_, host, port),) = alice.listening
        assert alice.contact == f"sip:anonymous@{host}:{port}"
    assert "does not answer: we go on" in caplog.text


async def test_a_server_whose_name_is_not_found_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with UserAgent(listen="udp:127.0.0.1:0", advertise="stun:stun.invalid:3478") as alice:
        assert alice.listening
    assert "the STUN server stun.invalid is not found" in caplog.text


async def test_another_address_later_is_news(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_address, "INTERVAL", 0.05)
    async with agent_at(server) as alice:
        server.seen = OTHER
        await _until(lambda: alice.contact == "sip:anonymous@203.0.113.9:41001")


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# --- another network ---


@pytest.mark.virtual_time
async def test_asked_anew_it_tells_what_it_told_before(asking: Asking) -> None:
    """The old answer was one of another network, even where it is the same."""
    asking.answer(SEEN)
    asking.mapped.ask_anew()
    assert asking.mapped.address is None
    asking.answer(SEEN)
    assert asking.told == [SEEN, SEEN]
