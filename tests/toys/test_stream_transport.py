"""A toy stream transport behind the public API: what a new transport gets from the core, and gives it.

Every message goes out once, over the connection that exists; a connection that dies is replaced.
"""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation, ResolutionError, TransactionTimeout, TransportError
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.link import Link
from sipstack.testing.network import Fate
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.streams import Cut, anywhere, octet_by_octet, uncut
from sipstack.testing.world import World
from tests.toys.stream_transport import opened, user_agent
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

TOY_ONLY = "toy:0.0.0.0:5060"
BOB = "sip:bob@bob.test;transport=toy"
AT_BOB, AT_ALICE = "sip:bob@10.0.0.2:5060;transport=toy", "sip:alice@10.0.0.1:5060;transport=toy"
SET_UP = ladder(f"""
    alice -> bob    INVITE {BOB} [1]
    bob -> alice    200 OK [1 INVITE]
    alice -> bob    ACK {AT_BOB} [1]
""")
CALL = [*SET_UP, *ladder(f"""
    alice -> bob    BYE {AT_BOB} [2]
    bob -> alice    200 OK [2 BYE]
""")]  # fmt: skip


class Peer(asyncio.Protocol):
    """The far end of a connection, without SIP: keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.losses: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, SimulatedStream)
        self.stream = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.losses.append(exc)


async def hold(invitation: Invitation) -> None:
    """Accept, and take what comes until the end."""
    async with invitation.accept() as call:
        await call.ended()


# --- what goes wrong while it is opened ---


async def test_a_transport_that_no_endpoint_of_ours_speaks(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(ResolutionError, match=r"the transport is not available \(we have udp\)"):
            await alice.options(BOB)
    assert (world.sent, world.leftovers) == ([], [])


async def test_an_address_in_use(world: World) -> None:
    async with user_agent(world, "alice"):
        with pytest.raises(
            TransportError, match=r"cannot listen on toy:10\.0\.0\.1:5060: Address already in use"
        ):
            async with user_agent(world, "alice", listen=TOY_ONLY):
                pass
    assert world.leftovers == []


async def test_a_connection_that_is_refused(world: World) -> None:
    async with user_agent(world, "alice") as alice, world.user_agent("bob"):
        with pytest.raises(TransportError, match=r"10\.0\.0\.2:5060: Connection refused"):
            async with alice.call(BOB):
                pass
        assert (world.ladder(), opened(alice)) == ([], 1)
    assert world.leftovers == []


async def test_a_connection_that_is_refused_to_many(world: World) -> None:
    async with user_agent(world, "alice") as alice, world.user_agent("bob"):
        errors = await asyncio.gather(*(alice.options(BOB) for _ in range(3)), return_exceptions=True)
        assert opened(alice) == 1
    assert [(type(error), str(error)) for error in errors] == [
        (TransportError, "10.0.0.2:5060: Connection refused")
    ] * 3


async def test_giving_up_while_it_is_opened(world: World) -> None:
    """Nothing is sent; the connection is there for the next request."""
    world.network.set_link(Link(delay=1))
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), alice.call(BOB):
                pass
        assert asyncio.get_running_loop().time() == 1
        await asyncio.sleep(2)
        assert world.ladder() == []
        await alice.options(BOB)
        assert opened(alice, bob) == 1


async def test_leaving_while_it_is_opened(world: World) -> None:
    world.network.set_link(Link(delay=1))
    async with user_agent(world, "bob"):
        async with user_agent(world, "alice") as alice:
            asking = asyncio.ensure_future(alice.options(BOB))
            await asyncio.sleep(0.5)
        with pytest.raises(TransportError, match="the user agent was closed"):
            await asking
        await asyncio.sleep(10)
    await asyncio.sleep(10)
    assert (world.ladder(), world.leftovers) == ([], [])


# --- silence ---


async def test_a_request_without_an_answer_is_sent_once(world: World) -> None:
    world.names["bob.test"] = ["10.9.9.9"]
    world.streams.listen("10.9.9.9", 5060, Peer)
    async with user_agent(world, "alice") as alice:
        with pytest.raises(TransactionTimeout):
            await alice.options(BOB)
        assert world.timed_ladder() == timed(f"0.0 alice -> bob OPTIONS {BOB} [1]")
        assert world.now == 32
        with pytest.raises(TransactionTimeout):
            async with alice.call(BOB):
                pass
        assert world.timed_ladder() == timed(f"32.0 alice -> bob INVITE {BOB} [1]")


async def test_a_bad_link_delays_and_repeats_nothing() -> None:
    """What gets lost is the stream's business, not that of the transactions."""
    world = World(Link(delay=0.5, loss=0.5), seed=5)
    async with user_agent(world, "alice") as alice, user_agent(world, "bob"):
        for _ in range(5):
            await alice.options(BOB)
        assert world.ladder() == 5 * ladder(f"""
            alice -> bob    OPTIONS {BOB} [1]
            bob -> alice    200 OK [1 OPTIONS]
        """)
    assert [passage.fate for passage in world.trace].count(Fate.LOST) == 14


async def test_the_2xx_to_an_invite_is_repeated_end_to_end(world: World) -> None:
    """Whatever the transport: a proxy behind may use another one (RFC 3261 §13.3.1.4)."""
    world.network.set_link(Link(delay=0.3))
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(hold):
        async with alice.call(BOB):
            await asyncio.sleep(10)
        assert world.ladder() == ladder(f"""
            alice -> bob    INVITE {BOB} [1]
            bob -> alice    200 OK [1 INVITE]
            alice -> bob    ACK {AT_BOB} [1]
            bob -> alice    200 OK [1 INVITE]
            alice -> bob    ACK {AT_BOB} [1]
            alice -> bob    BYE {AT_BOB} [2]
            bob -> alice    200 OK [2 BYE]
        """)


# --- nonsense ---


@pytest.mark.parametrize("octets", [b"\0" * 9000, b"INVITE sip:bob SIP/2.0\r\n\r\n", b"\xff\r\n\r\n"])
async def test_octets_that_are_no_sip_end_their_connection_only(world: World, octets: bytes) -> None:
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(hold):
        async with alice.call(BOB):
            mallory = Peer()
            stream = world.streams.connect(("10.6.6.6", 0), ("10.0.0.2", 5060), mallory)
            stream.write(octets)
            await asyncio.sleep(10)
            assert mallory.losses == [None]
    await asyncio.sleep(0)
    assert world.leftovers == []


async def test_a_message_before_the_nonsense_is_answered(world: World) -> None:
    async with user_agent(world, "bob"):
        peer = Peer()
        stream = world.streams.connect(("10.6.6.6", 6000), ("10.0.0.1", 5060), peer)
        request = (
            "OPTIONS sip:bob@bob.test SIP/2.0\r\nVia: SIP/2.0/TOY 10.6.6.6;branch=z9hG4bK1;rport\r\n"
            "From: <sip:x@x.test>;tag=1\r\nTo: <sip:bob@bob.test>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        stream.write(b"\r\n\r\n")  # RFC 5626 §4.4.1
        await asyncio.sleep(1)
        assert peer.heard == b"\r\n"
        stream.write(request.encode() + b"\0\r\n\r\n")
        await asyncio.sleep(1)
        assert peer.heard.startswith(b"\r\nSIP/2.0 200 OK\r\n")
        assert peer.losses != []


# --- what works ---


@pytest.mark.parametrize("cut", [uncut, octet_by_octet, anywhere])
async def test_a_call_over_one_connection(world: World, cut: Cut) -> None:
    world.streams.cut = cut
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(hold):
        async with alice.call(BOB):
            await asyncio.sleep(60)
        assert (world.ladder(), opened(alice, bob)) == (CALL, 1)
    await asyncio.sleep(0)
    assert world.leftovers == []


@pytest.mark.parametrize("seed", range(20))
async def test_a_call_wherever_the_stream_is_cut(seed: int) -> None:
    world = World(Link(delay=0.01, jitter=0.02), seed=seed)
    world.streams.cut = anywhere
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(hold):
        async with alice.call(BOB):
            await asyncio.sleep(1)
        assert world.ladder() == CALL


async def test_the_callees_requests_take_the_connection_that_the_invite_came_on(world: World) -> None:
    callee = Answering()
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(callee):
        async with alice.call(BOB) as call:
            await callee.calls[0].hang_up()
            await call.ended()
        assert world.ladder() == [*SET_UP, *ladder(f"""
            bob -> alice    BYE {AT_ALICE} [1]
            alice -> bob    200 OK [1 BYE]
        """)]  # fmt: skip
        assert opened(alice, bob) == 1


async def test_one_connection_is_opened_for_all_that_wait_for_it(world: World) -> None:
    world.network.set_link(Link(delay=0.5))
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob:
        answers = await asyncio.gather(*(alice.options(BOB) for _ in range(5)))
        assert [answer.status for answer in answers] == [200] * 5
        assert world.timed_ladder()[:5] == timed(f"1.0 alice -> bob OPTIONS {BOB} [1]") * 5
        await alice.options(AT_BOB)  # and for those that come later
        assert opened(alice, bob) == 1


async def test_a_refusal_is_acknowledged_once(world: World) -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(486)

    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(refuse):
        response = await alice.options("sip:bob@bob.test")  # where both can, UDP is usual
        assert (response.status, opened(alice, bob)) == (200, 0)
        world.ladder()
        async with alice.invite(BOB) as outgoing:
            with pytest.raises(Exception, match="486"):
                await outgoing.answered()
        await asyncio.sleep(64)
        assert world.ladder() == ladder(f"""
            alice -> bob    INVITE {BOB} [1]
            bob -> alice    486 Busy Here [1 INVITE]
            alice -> bob    ACK {BOB} [1]
        """)


async def test_a_user_agent_with_nothing_else_speaks_it_without_being_told(world: World) -> None:
    async with (
        user_agent(world, "alice", listen=TOY_ONLY) as alice,
        user_agent(world, "bob") as bob,
    ):
        assert alice.contact == AT_ALICE
        assert alice.listening == [("toy", "10.0.0.1", 5060)]
        assert (await alice.options("sip:bob@bob.test")).status == 200
        assert opened(alice, bob) == 1
