"""The address that peers are told, where it is not the one that we are bound to (NAT, Docker)."""

from __future__ import annotations

import pytest

from sipstack import Account, CallRejected, Invitation, LocalProtocolError, UserAgent
from sipstack.core.trace import TracedMessage
from sipstack.message import Request, Response, parse
from sipstack.testing.loopback import Loopback
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.world import World
from tests.toys.stream_transport import user_agent
from tests.ua.handlers import Answering

PUBLIC = "203.0.113.9"
WORK = Account("sip:a.liddell@work.test", registrar="sip:registrar.test")


def sent(world: World, host: str) -> list[Request | Response]:
    """What this host has sent, in order."""
    return [parse(data) for _, source, _, data in world.sent if source[0] == host]


def named(message: Request | Response) -> tuple[str, list[str]]:
    """The addresses that a message names as its sender's: sent-by of the Via, and Contact."""
    return message.via.sent_by, [str(contact.uri) for contact in message.contacts]


# --- what cannot be advertised ---


@pytest.mark.parametrize("host", ["", "pbx.test:5060", "sip:pbx.test", "pbx test", "pbx.test\r\nX: y"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(LocalProtocolError):
        UserAgent(advertise=host)


# --- requests ---


@pytest.mark.virtual_time
async def test_requests_name_it_and_leave_from_the_address_that_is_bound(world: World) -> None:
    traced: list[TracedMessage] = []
    async with (
        world.user_agent("alice", advertise=PUBLIC, trace=traced.append) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        async with alice.call("sip:bob@bob.test") as call:
            await call.hold()
    contact = f"sip:alice@{PUBLIC}:5060"
    assert [(message.cseq.method, *named(message)) for message in sent(world, "10.0.0.1")] == [
        ("INVITE", f"{PUBLIC}:5060", [contact]),
        ("ACK", f"{PUBLIC}:5060", []),
        ("INVITE", f"{PUBLIC}:5060", [contact]),
        ("ACK", f"{PUBLIC}:5060", []),
        ("BYE", f"{PUBLIC}:5060", []),
    ]
    assert {(trace.flow.local, trace.flow.advertised) for trace in traced} == {
        (("10.0.0.1", 5060), (PUBLIC, 5060))
    }
    assert [str(message.contacts[0].uri) for message in sent(world, "10.0.0.2") if message.contacts] == [
        "sip:bob@10.0.0.2:5060"
    ] * 2  # the other side is as it was


@pytest.mark.virtual_time
async def test_every_account_names_it(world: World) -> None:
    async with (
        world.user_agent("alice", advertise=PUBLIC, accounts=[WORK]) as alice,
        ScriptedPeer(world, "bob", on_request=lambda request: [request.response(486, to_tag="b")]) as bob,
    ):
        for account in alice.accounts:
            with pytest.raises(CallRejected):
                async with alice.call("sip:bob@bob.test", account=account):
                    pass
    invites = [request for request in bob.requests if request.method == "INVITE"]
    assert [named(request) for request in invites] == [
        (f"{PUBLIC}:5060", [f"sip:alice@{PUBLIC}:5060"]),
        (f"{PUBLIC}:5060", [f"sip:a.liddell@{PUBLIC}:5060"]),
    ]


@pytest.mark.virtual_time
async def test_it_is_registered(world: World) -> None:
    async with (
        ScriptedRegistrar(world) as registrar,
        world.user_agent("alice", advertise=PUBLIC, accounts=[WORK]) as alice,
    ):
        async with alice.register(account=WORK):
            pass
        registers = [named(request) for request in registrar.requests]
    assert registers == [(f"{PUBLIC}:5060", [f"sip:a.liddell@{PUBLIC}:5060"])] * 2


# --- responses ---


@pytest.mark.virtual_time
async def test_the_callees_responses_name_it(world: World) -> None:
    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        async with invitation.accept() as call:
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", advertise=PUBLIC) as bob,
        bob.serving(ring),
        ScriptedPeer(world, "public", (PUBLIC, 5060)) as front,
    ):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            await outgoing.answered()
            await front.received(1)
            front.close()  # the ACK has gone where the Contact says: that is all that is wanted here
    responses = [message for message in sent(world, "10.0.0.2") if isinstance(message, Response)]
    assert [(message.status, named(message)[1]) for message in responses][:2] == [
        (180, [f"sip:bob@{PUBLIC}:5060"]),
        (200, [f"sip:bob@{PUBLIC}:5060"]),
    ]
    assert responses[0].via.sent_by == "10.0.0.1:5060"  # the Via is the caller's own


# --- what does not change ---


@pytest.mark.virtual_time
async def test_what_we_listen_on_is_told_as_bound(world: World) -> None:
    async with world.user_agent("alice", advertise=PUBLIC) as alice:
        assert alice.listening == [("udp", "10.0.0.1", 5060)]
        assert alice.contact == f"sip:alice@{PUBLIC}:5060"


@pytest.mark.virtual_time
async def test_media_of_ones_own_is_made_at_the_address_that_is_bound(world: World) -> None:
    made: list[str] = []

    def make(host: str) -> SilentMedia:
        made.append(host)
        return SilentMedia(host)

    async with (
        world.user_agent("alice", advertise=PUBLIC, media=make) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        assert made == ["10.0.0.1"]


# --- other forms of it ---


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("advertise", "written"),
    [
        ("2001:db8::9", "[2001:db8::9]"),
        ("[2001:db8::9]", "[2001:db8::9]"),
        ("pbx.example.com", "pbx.example.com"),
    ],
)
async def test_ipv6_and_names(world: World, advertise: str, written: str) -> None:
    async with world.user_agent("alice", advertise=advertise) as alice, world.user_agent("bob"):
        await alice.options("sip:bob@bob.test")
        assert alice.contact == f"sip:alice@{written}:5060"
    assert sent(world, "10.0.0.1")[0].via.sent_by == f"{written}:5060"


@pytest.mark.virtual_time
async def test_connections_name_the_port_where_we_listen(world: World) -> None:
    async with (
        user_agent(world, "alice", advertise=PUBLIC) as alice,
        user_agent(world, "bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test;transport=toy"),
    ):
        pass
    (_, source, _, _), *_ = world.sent
    assert source == ("10.0.0.1", 49152)
    assert named(sent(world, "10.0.0.1")[0]) == (
        f"{PUBLIC}:5060",
        [f"sip:alice@{PUBLIC}:5060;transport=toy"],
    )


async def test_the_session_description_names_it() -> None:
    """With real sockets: UDP and RTP are bound to the loopback address."""
    traced: list[TracedMessage] = []
    async with (
        ScriptedPeer(
            Loopback(), "bob", on_request=lambda request: [request.response(486, to_tag="b")]
        ) as bob,
        UserAgent(advertise=PUBLIC, listen="udp:127.0.0.1:0", trace=traced.append) as alice,
    ):
        ((_, _, port),) = alice.listening
        with pytest.raises(CallRejected):
            async with alice.call(bob.uri):
                pass
    lines = bob.invite.body.decode().split("\r\n")
    assert [line.split()[-1] for line in lines if line.startswith(("o=", "c="))] == [PUBLIC, PUBLIC]
    assert named(bob.invite) == (f"{PUBLIC}:{port}", [f"sip:anonymous@{PUBLIC}:{port}"])
    assert {trace.flow.local for trace in traced} == {("127.0.0.1", port)}
