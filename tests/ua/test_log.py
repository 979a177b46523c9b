"""What happens to calls, registrations and requests, as the log tells it; and what it never tells."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sipstack import (
    Accept,
    Backoff,
    CallRejected,
    IncomingRequest,
    InvitationReceived,
    RegistrationRejected,
    Reject,
    ResolutionError,
    SipError,
    TransactionTimeout,
    TransportError,
    UserAgent,
    session_description,
)
from sipstack.media.events import MediaFailed, PeerLost
from sipstack.message import Request, Response
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.policy import Decision
from tests.log_lines import lines, listen
from tests.ua.handlers import CLEARED, Answering, busy
from tests.ua.test_invitation import VIDEO, Caller

pytestmark = pytest.mark.virtual_time

ALICE = "sip:alice@alice.test"
CAROL = "sip:carol@carol.test"
INVITED = "call: ID: INVITE from sip:alice@alice.test to sip:bob@bob.test"
CALLING = "call: ID: calling sip:bob@bob.test"


# --- calls that come to nothing ---


async def test_a_call_that_is_refused(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(busy):
        listen(caplog)
        with pytest.raises(CallRejected):
            await alice.call("sip:bob@bob.test").__aenter__()
        assert lines(caplog) == [
            CALLING,
            INVITED,
            "call: ID: refused by us with 486",
            "call: ID: refused with 486 Busy Here",
        ]


async def test_a_call_that_nobody_serves(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        listen(caplog)
        with pytest.raises(CallRejected):
            await alice.call("sip:bob@bob.test").__aenter__()
        assert lines(caplog) == [
            CALLING,
            INVITED,
            "call: ID: refused with 480: there is no handler of calls",
            "call: ID: refused with 480 Temporarily Unavailable",
        ]


async def test_a_call_that_is_given_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering(ring=60)):
            listen(caplog)
            with pytest.raises(TransactionTimeout):
                await alice.call("sip:bob@bob.test", ring_timeout=5).__aenter__()
            assert lines(caplog) == [
                CALLING,
                INVITED,
                "call: ID: given up by us",
                'call: ID: given up by the caller: Q.850;cause=19;text="No answer from user"',
                "call: ID: refused with 487 Request Terminated",
            ]


async def test_a_host_that_is_not_found(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("alice") as alice:
        listen(caplog)
        with pytest.raises(ResolutionError):
            await alice.call("sip:alice:secret@nowhere.test").__aenter__()
        assert lines(caplog) == [
            "call: ID: calling sip:alice:***@nowhere.test",
            "call: ID: failed: no address for sip:alice:***@nowhere.test: there is no such name",
        ]


async def test_a_peer_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    world = World(icmp=True)
    async with world.user_agent("alice") as alice:
        listen(caplog)
        with pytest.raises(TransportError):
            await alice.call("sip:10.0.0.9").__aenter__()
        assert lines(caplog) == [
            "call: ID: calling sip:10.0.0.9",
            "transport: UDP with 10.0.0.9:5060 failed: [Errno 111] Connection refused",
            "call: ID: failed: [Errno 111] Connection refused",
        ]


async def test_an_offer_that_we_cannot_take(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("bob") as bob, Caller(world, VIDEO) as caller, bob.serving(Answering()):
        listen(caplog)
        caller.call()
        await asyncio.sleep(1)
        assert [line.replace(caller._ours.call_id, "ID") for line in lines(caplog)] == [
            "call: ID: INVITE from sip:caller@example.com to sip:bob@10.0.0.1:5060",
            "call: ID: the offer cannot be taken: the offer has no stream that we can take",
            "call: ID: refused by us with 488",
        ]


async def test_an_answer_that_cannot_be_followed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The call is answered, and ends at once."""

    fields = (("Contact", "<sip:10.0.0.2>"), ("Content-Type", "application/sdp"))

    def nonsense(request: Request) -> list[Response]:
        if request.method == "ACK":
            return []
        return [request.response(200, to_tag="x", headers=fields, body=b"v=0\r\no=-\r\nm=\x1b")]

    async with world.user_agent("alice") as alice, ScriptedPeer(world, "carol", on_request=nonsense):
        listen(caplog)
        with pytest.raises(SipError):
            await alice.call(CAROL).__aenter__()
        assert lines(caplog) == [
            "call: ID: calling sip:carol@carol.test",
            "call: ID: answered",
            "call: ID: the answer cannot be taken:"
            r" m= needs a kind, a port, a protocol and formats: '\x1b'",
            "call: ID: ended by local after 0.0 s: no reason given",
        ]


# --- calls that end badly ---


async def test_a_peer_that_is_lost_in_the_middle_of_a_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(10)
            world.network.down("10.0.0.2")
            listen(caplog)
            await call.hang_up()
        assert lines(caplog) == [
            "call: ID: ended by local after 14.0 s: no answer to our BYE",
            "call: ID: ended by local after 18.0 s: no answer to our BYE",
        ]


@pytest.mark.parametrize(
    ("event", "told", "ended"),
    [
        (
            MediaFailed(TransportError("the port is gone")),
            "the media failed: the port is gone",
            "transport after 10.0 s: the port is gone",
        ),
        (
            PeerLost(30.0),
            "nothing is heard any more, for 30.0 s",
            "timeout after 10.0 s: nothing heard for 30 s",
        ),
    ],
)
async def test_media_that_is_lost_is_a_warning(
    world: World,
    caplog: pytest.LogCaptureFixture,
    event: MediaFailed | PeerLost,
    told: str,
    ended: str,
) -> None:
    media = SilentMedia("10.0.0.1")
    async with world.user_agent("alice", media=lambda host: media) as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test"):
            await asyncio.sleep(10)
            listen(caplog)
            media.report(event)
            assert lines(caplog) == [f"WARNING media: ID: {told}", f"call: ID: ended by {ended}"]


async def test_the_reason_of_a_stranger_is_one_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()) as _, alice.call("sip:bob@bob.test") as call:
            listen(caplog)
            await call.hang_up('SIP;cause=200;text="\x1b[2Jpaid"')
        assert lines(caplog) == [
            r'call: ID: ended by remote after 0.0 s: SIP;cause=200;text="\x1b[2Jpaid"',
            "call: ID: ended by local after 0.0 s: no reason given",
        ]


# --- calls ---


async def test_a_call(world: World, caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test"):
            await asyncio.sleep(12.3)
    assert lines(caplog) == [
        "transport: listening on udp:10.0.0.1:5060",
        "transport: listening on udp:10.0.0.2:5060",
        CALLING,
        INVITED,
        "call: ID: answered by us",
        "call: ID: answered",
        f"call: ID: ended by remote after 12.3 s: {CLEARED}",
        "call: ID: ended by local after 12.3 s: no reason given",
    ]


@pytest.mark.parametrize(("decision", "status"), [(Accept(b"a=crypto:1 secret"), 200), (Reject(603), 603)])
async def test_what_a_policy_decides(
    world: World, caplog: pytest.LogCaptureFixture, decision: Decision, status: int
) -> None:
    listen(caplog)
    bob = world.user_agent("bob", policy=lambda event: decision)
    async with world.user_agent("alice") as alice, bob:
        lines(caplog)
        with pytest.raises(SipError):
            await alice.call("sip:bob@bob.test").__aenter__()
        assert lines(caplog)[:2] == [CALLING, f"{INVITED} is answered by the policy with {status}"]


async def test_a_policy_is_called_directly_unless_its_decisions_are_wanted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def decide(event: InvitationReceived) -> None:
        return None

    listen(caplog, logging.WARNING)
    async with world.user_agent("bob", policy=decide) as bob:
        assert bob._server is not None
        assert bob._server._policy is decide


async def test_nothing_becomes_text_unless_it_is_wanted(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(caplog, logging.ERROR)
    monkeypatch.setattr("sipstack.log.legible", None)
    registrar = ScriptedRegistrar(world, Challenger("secret"))
    alice = world.user_agent("alice", password="secret", registrar="sip:registrar.test")
    async with registrar, alice, world.user_agent("bob") as bob, alice.register():
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test"):
            pass
        assert (await alice.options("sip:bob@bob.test")).status == 200
    assert lines(caplog) == []


# --- secrets ---


async def test_no_secret_is_ever_written(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the password nor what is made of it, nor the keys in a session description (RFC 4568)."""
    listen(caplog, logging.DEBUG)
    offers: list[bytes] = []

    def decide(event: InvitationReceived) -> Accept:
        offers.append(session_description(event.request))
        return Accept(offers[0] + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\n")

    challenger = Challenger("secret")
    alice = world.user_agent("alice", password="secret", registrar="sip:registrar.test")
    async with ScriptedRegistrar(world, challenger), alice, world.user_agent("bob", policy=decide):
        async with alice.register(), alice.call("sip:bob:secret@bob.test"):
            pass
        told = lines(caplog)
    assert challenger.accepted == ["SHA-256", "SHA-256"]
    assert len(told) > 20
    words = ("secret", "response=", "nonce", "realm", "Digest", "crypto", "inline")
    assert [line for line in told if any(word in line for word in words)] == []


# --- registrations ---


async def test_a_registration(world: World, caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog, logging.DEBUG)
    registrar = ScriptedRegistrar(world, Challenger("secret"))
    async with (
        registrar,
        world.user_agent("alice", password="secret", registrar="sip:registrar.test") as alice,
    ):
        async with alice.register():
            pass
        register = "REGISTER sip:registrar.test SIP/2.0 (Call-ID ID, CSeq"
        assert lines(caplog) == [
            "transport: listening on udp:10.0.0.2:5060",
            "DEBUG transport: registrar.test is found at 10.0.0.1",
            "DEBUG transport: UDP to 10.0.0.1:5060 is open",
            f"DEBUG transport: -> UDP 10.0.0.1:5060 {register} 1 REGISTER)",
            "DEBUG transport: <- UDP 10.0.0.1:5060 SIP/2.0 401 Unauthorized (Call-ID ID, CSeq 1 REGISTER)",
            f"DEBUG transport: -> UDP 10.0.0.1:5060 {register} 2 REGISTER)",
            "DEBUG transport: <- UDP 10.0.0.1:5060 SIP/2.0 200 OK (Call-ID ID, CSeq 2 REGISTER)",
            f"transaction: {ALICE} is registered for 600.0 s",
            f"DEBUG transport: -> UDP 10.0.0.1:5060 {register} 3 REGISTER)",
            "DEBUG transport: <- UDP 10.0.0.1:5060 SIP/2.0 200 OK (Call-ID ID, CSeq 3 REGISTER)",
            "transaction: sip:alice@alice.test is not registered any more",
        ]


async def test_a_registration_that_is_refused_at_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is raised: so it is no warning."""
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.status = 403
        listen(caplog)
        with pytest.raises(RegistrationRejected):
            await alice.register().__aenter__()
        assert lines(caplog) == [f"transaction: the registration of {ALICE} failed: 403 Forbidden"]


async def test_an_outage_of_the_registrar_is_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        listen(caplog)
        async with alice.register(retry=Backoff(4, 4)):
            registrar.status = 503
            await asyncio.sleep(542)
            registrar.status = 200
            await asyncio.sleep(30)
            registrar.silent = True
        failed = f"WARNING transaction: the registration of {ALICE} failed: 503 Service Unavailable"
        told = lines(caplog)
        assert [line for line in told if "again in" not in line] == [
            f"transaction: {ALICE} is registered for 600.0 s",
            *[failed] * told.count(failed),
            f"transaction: {ALICE} is registered for 600.0 s",
            f"WARNING transaction: {ALICE} may still be registered: the registrar does not answer",
        ]
        planned = [line.partition(" again in ")[0] for line in told if "again in" in line]
        assert planned == ["WARNING transaction: sip:alice@alice.test will register"] * told.count(failed)
        assert planned


def alice_at(world: World) -> UserAgent:
    return world.user_agent("alice", registrar="sip:registrar.test")


# --- single requests ---


async def test_requests_and_their_answers(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def take(request: IncomingRequest) -> None:
        await request.respond(202)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": take}):
            listen(caplog)
            await alice.message("sip:bob@bob.test", "secret")
            with pytest.raises(TransactionTimeout):
                await alice.options("sip:10.0.0.9")
        assert lines(caplog) == [
            "transaction: MESSAGE to sip:bob@bob.test",
            "transaction: ID: MESSAGE from sip:alice@alice.test",
            "transaction: ID: MESSAGE is answered by us with 202",
            "transaction: MESSAGE to sip:bob@bob.test is answered 202 Accepted",
            "transaction: OPTIONS to sip:10.0.0.9",
            "transaction: OPTIONS to sip:10.0.0.9 came to nothing: no response to OPTIONS",
        ]
