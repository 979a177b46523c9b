"""Who is calling, as a handler sees it, and who we say that calls (RFC 3323, 3325, 5806, 7044)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from sipstack import Account, IncomingRequest, Invitation, LocalProtocolError, UserAgent
from sipstack.message import Headers, Request, Response
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.identity import CallerIdentity

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.9.9\r\ns=-\r\nc=IN IP4 10.0.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
TRUNK = "10.9.9.9"
ALICE = '"Alice" <sip:+12155551212@carrier.test>'
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
Fields = Iterable[tuple[str, object]]


class Looking:
    """Keeps what it is called with, and refuses."""

    def __init__(self) -> None:
        self.invitations: list[Invitation] = []

    async def __call__(self, invitation: Invitation) -> None:
        self.invitations.append(invitation)
        await invitation.reject(486)

    @property
    def identity(self) -> CallerIdentity:
        return self.invitations[-1].identity


async def called(world: World, headers: Fields, trusted: list[str], from_: str = "") -> Invitation:
    """What bob's handler gets when somebody at TRUNK calls with these fields."""
    looking = Looking()
    async with world.user_agent("bob", trusted=trusted) as bob, bob.serving(looking):
        async with ScriptedPeer(world, "trunk", (TRUNK, 5060)) as trunk:
            invite = trunk.write("INVITE", "sip:bob.test", body=SDP)
            invite = invite.replace(headers=invite.headers.joined(Headers(headers)))
            if from_:
                invite = invite.replace(headers=invite.headers.with_("From", f"{from_};tag=1"))
            trunk.send((world.names["bob.test"][0], 5060), invite)
            await trunk.responded(1)
    return looking.invitations[0]


# --- who calls us ---


async def test_what_a_stranger_asserts_is_not_looked_at(world: World) -> None:
    fields = [("P-Asserted-Identity", ALICE), ("P-Asserted-Identity", "<tel:+12155551212>")]
    identity = (await called(world, fields, ["10.9.8.0/24"])).identity
    assert not identity.trusted
    assert identity.asserted == ()
    assert identity.address == identity.from_


async def test_what_a_trusted_peer_asserts_counts(world: World) -> None:
    fields = [("P-Asserted-Identity", f"{ALICE}, <tel:+12155551212>")]
    identity = (await called(world, fields, ["10.9.9.0/24"])).identity
    assert identity.trusted
    assert [str(each.uri) for each in identity.asserted] == [
        "sip:+12155551212@carrier.test",
        "tel:+12155551212",
    ]
    assert identity.address.display_name == "Alice"


async def test_what_cannot_be_called_or_read_is_left_out(world: World) -> None:
    fields = [("P-Asserted-Identity", '<sip:@@@>, nonsense, <mailto:a@b>, <tel:+1215>, "x')]
    identity = (await called(world, fields, [TRUNK])).identity
    assert [str(each.uri) for each in identity.asserted] == ["tel:+1215"]


async def test_a_trusted_peer_that_asserts_nothing(world: World) -> None:
    identity = (await called(world, [], [TRUNK])).identity
    assert identity.trusted
    assert (identity.asserted, identity.address) == ((), identity.from_)


async def test_what_a_caller_prefers_is_his_own_word(world: World) -> None:
    identity = (await called(world, [("P-Preferred-Identity", ALICE)], [])).identity
    assert [each.display_name for each in identity.preferred] == ["Alice"]
    assert identity.address == identity.from_


@pytest.mark.parametrize(
    ("privacy", "anonymous"),
    [("id", True), ("ID;critical", True), ("user", True), ("header;session", True), ("none", False)],
)
async def test_who_is_not_to_be_shown_is_known_all_the_same(
    world: World, privacy: str, anonymous: bool
) -> None:
    """RFC 3325 §7: the identity stays inside of the trust domain, with the wish beside it."""
    fields = [("P-Asserted-Identity", ALICE), ("Privacy", privacy)]
    identity = (await called(world, fields, [TRUNK])).identity
    assert identity.anonymous == anonymous
    assert identity.privacy == tuple(privacy.lower().split(";"))
    assert identity.address.display_name == "Alice"


async def test_an_anonymous_from_is_one_without_privacy_too(world: World) -> None:
    assert (await called(world, [], [], ANONYMOUS)).identity.anonymous
    assert not (await called(world, [], [], "<sip:anonymous@example.test>")).identity.anonymous


async def test_a_privacy_that_cannot_be_read_is_none(world: World) -> None:
    identity = (await called(world, [("Privacy", "id;;@")], [])).identity
    assert (identity.privacy, identity.anonymous) == ((), False)


async def test_who_passed_the_call_on(world: World) -> None:
    fields = [
        ("Diversion", "<sip:office@b.test>;reason=no-answer, nonsense"),
        ("Diversion", "<sip:bob@b.test>;reason=user-busy"),
        ("History-Info", "<sip:bob@b.test?Reason=SIP%3Bcause%3D486>;index=1"),
        ("History-Info", "<sip:no-index@b.test>, <sip:office@b.test>;index=1.1;mp=1"),
    ]
    invitation = await called(world, fields, [])
    assert [(each.uri.user, each.reason) for each in invitation.diversion] == [  # type: ignore[union-attr]
        ("office", "no-answer"),
        ("bob", "user-busy"),
    ]
    assert [(str(each.target), each.index) for each in invitation.history] == [
        ("sip:bob@b.test", (1,)),
        ("sip:office@b.test", (1, 1)),
    ]


async def test_a_call_that_nobody_passed_on(world: World) -> None:
    invitation = await called(world, [], [])
    assert (invitation.diversion, invitation.history) == ((), ())


async def test_a_message_has_a_sender_too(world: World) -> None:
    seen: list[CallerIdentity] = []

    async def take(request: IncomingRequest) -> None:
        seen.append(request.identity)
        await request.respond(200)

    near = ["10.0.0.0/8"]
    async with world.user_agent("alice", trusted=near) as alice, world.user_agent("bob", trusted=near) as bob:
        async with bob.serving(requests={"MESSAGE": take}):
            await alice.message("sip:bob@bob.test", "hello", headers={"P-Asserted-Identity": ALICE})
    assert seen[0].address.display_name == "Alice"


# --- whom we call ---


class Callee(ScriptedPeer):
    """Answers each INVITE with these fields, and each BYE."""

    def __init__(self, world: World, name: str = "callee", fields: Fields = ()) -> None:
        self.fields = list(fields)
        super().__init__(world, name, on_request=self.respond)

    def respond(self, request: Request) -> Iterable[Response]:
        if request.method == "INVITE":
            fields = [("Contact", f"<{self.uri}>"), *self.fields, ("Content-Type", "application/sdp")]
            return [request.response(200, to_tag="callee", headers=fields, body=SDP)]
        return [] if request.method == "ACK" else [request.response(200)]


async def placed(world: World, alice: UserAgent, **options: object) -> Request:
    """The INVITE of a call of alice's, as its callee sees it."""
    async with alice, Callee(world) as callee:
        async with alice.call("sip:callee.test", **options):  # type: ignore[arg-type]
            pass
    everything = b"".join(bytes(request) for request in callee.requests)
    if options.get("privacy"):
        assert b"alice" not in everything  # neither the INVITE nor ACK and BYE
    return callee.invite


@pytest.mark.parametrize("privacy", ["", "secret", "id;id", "none;id", "critical", "id,user", "id\r\nX: 1"])
async def test_what_is_no_privacy(world: World, privacy: str) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="is no Privacy"):
            alice.call("sip:callee.test", privacy=privacy)
        with pytest.raises(LocalProtocolError, match="is no Privacy"):
            alice.invite("sip:callee.test", privacy=privacy)


@pytest.mark.parametrize("name", ["Privacy", "P-Preferred-Identity", "Identity", "y"])
async def test_what_is_said_twice(world: World, name: str) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="cannot be given in headers="):
            alice.call("sip:callee.test", privacy="id", headers={name: "x"})


async def test_an_anonymous_call_names_its_caller_nowhere(world: World) -> None:
    """RFC 3323 §4.1: From, Contact, and all that follows in the dialog."""
    alice = world.user_agent("alice", aor="sip:alice@alice.invalid", listen="udp:10.7.7.7:5060")
    invite = await placed(world, alice, privacy="id")
    assert str(invite.from_.with_parameter("tag", "x")) == f"{ANONYMOUS};tag=x"
    assert invite.headers.get("Privacy") == "id"
    assert str(invite.contacts[0].uri).startswith("sip:10.")
    assert "P-Preferred-Identity" not in invite.headers
    assert "Proxy-Require" not in invite.headers


async def test_what_is_critical_is_demanded_of_proxies(world: World) -> None:
    alice = world.user_agent("alice")
    invite = await placed(world, alice, privacy="Header; critical")
    assert invite.headers.get("Privacy") == "header;critical"
    assert invite.headers.get("Proxy-Require") == "privacy"


async def test_a_call_that_may_be_shown_says_so(world: World) -> None:
    async with world.user_agent("alice") as alice, Callee(world) as callee:
        async with alice.call("sip:callee.test", privacy="none"):
            pass
    assert callee.invite.from_.uri_text == "sip:alice@alice.test"
    assert callee.invite.headers.get("Privacy") == "none"


async def test_a_trusted_proxy_is_told_who_calls_anonymously(world: World) -> None:
    """RFC 3325 §9.2; nobody else is, for he would see it."""
    for trusted, told in ((["10.0.0.0/8"], '"Alice" <sip:alice@alice.test>'), (["192.0.2.0/24"], None)):
        options = {"display_name": "Alice", "trusted": trusted}
        async with world.user_agent("alice", **options) as alice, Callee(world, "proxy") as proxy:
            async with alice.call("sip:bob@proxy.test", privacy="id"):
                pass
        assert proxy.invite.from_.uri_text == "sip:anonymous@anonymous.invalid"
        assert proxy.invite.headers.get("P-Preferred-Identity") == told


async def test_who_has_no_name_prefers_none(world: World) -> None:
    options = {"aor": "sip:anonymous@anonymous.invalid", "trusted": ["10.0.0.0/8"]}
    async with world.user_agent("nobody", **options) as nobody, Callee(world, "proxy") as proxy:
        async with nobody.call("sip:bob@proxy.test", privacy="id"):
            pass
    assert "P-Preferred-Identity" not in proxy.invite.headers


async def test_the_caller_of_another_account_or_of_a_from_is_told(world: World) -> None:
    bob = Account("sip:robert@alice.test")
    options = {"accounts": [bob], "trusted": ["10.0.0.0/8"]}
    async with world.user_agent("alice", **options) as alice, Callee(world, "proxy") as proxy:
        async with alice.call("sip:x@proxy.test", privacy="id", account=bob):
            pass
        async with alice.call("sip:x@proxy.test", privacy="id", from_="sip:carol@alice.test"):
            pass
    told = [each.headers.get("P-Preferred-Identity") for each in proxy.requests if each.method == "INVITE"]
    assert told == ["<sip:robert@alice.test>", "<sip:carol@alice.test>"]


async def test_an_anonymous_call_goes_by_the_binding_and_does_not_show_its_gruu(world: World) -> None:
    """RFC 5627 §4.4: a public GRUU has the address-of-record in it."""

    class Registrar(ScriptedRegistrar):
        def listed(self, granted: int) -> list[tuple[str, object]]:
            gruu = ';pub-gruu="sip:alice@alice.test;gr=urn:uuid:1"'
            fields = [
                (name, f"{value}{gruu}") if name == "Contact" else (name, value)
                for name, value in super().listed(granted)
            ]
            return [*fields, ("Service-Route", "<sip:callee.test;lr>")]

    options = {"registrar": "sip:registrar.test", "instance": "urn:uuid:1"}
    async with world.user_agent("alice", **options) as alice, Callee(world) as callee:
        async with Registrar(world, name="registrar") as registrar:
            async with alice.register():
                async with alice.call("sip:bob@nowhere.test"):
                    pass
                async with alice.call("sip:bob@nowhere.test", privacy="id"):
                    pass
    plain, hidden = [each for each in callee.requests if each.method == "INVITE"]
    assert registrar.requests
    assert plain.headers.get("Route") == hidden.headers.get("Route") == "<sip:callee.test;lr>"
    assert str(plain.contacts[0].uri) == "sip:alice@alice.test;gr=urn:uuid:1"
    assert "alice" not in str(hidden.contacts[0])


# --- who answers ---


@pytest.mark.parametrize(("trusted", "names"), [(["10.0.0.0/8"], ["Bob"]), ([], [])])
async def test_who_has_answered(world: World, trusted: list[str], names: list[str]) -> None:
    fields = [("P-Asserted-Identity", '"Bob" <sip:bob@carrier.test>')]
    async with world.user_agent("alice", trusted=trusted) as alice, Callee(world, fields=fields):
        async with alice.call("sip:callee.test") as call:
            assert [each.display_name for each in call.asserted] == names


async def test_a_stranger_s_answer_is_not_believed_because_its_contact_is_trusted(world: World) -> None:
    """The ACK goes to the trusted proxy already, when the application asks who has answered."""
    fields = [("P-Asserted-Identity", '"Bob" <sip:bob@carrier.test>')]

    class Stranger(Callee):
        def respond(self, request: Request) -> Iterable[Response]:
            for response in super().respond(request):
                yield response.replace(headers=response.headers.with_("Contact", f"<sip:{TRUNK}>"))

    async with ScriptedPeer(world, "trunk", (TRUNK, 5060), on_request=lambda it: [it.response(200)]) as trunk:
        async with world.user_agent("alice", trusted=[TRUNK]) as alice, Stranger(world, fields=fields):
            async with alice.call("sip:callee.test") as call:
                await asyncio.sleep(1)
                assert call.asserted == ()
        assert trunk.methods == ["ACK", "BYE"]


async def test_a_call_that_we_answered_was_answered_by_nobody_else(world: World) -> None:
    found: list[object] = []

    async def take(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            found.append(call.asserted)
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob", trusted=["10.0.0.0/8"]) as bob:
        async with bob.serving(take), alice.call("sip:bob@bob.test"):
            await asyncio.sleep(1)
    assert found == [()]


# --- what an application asserts by hand ---


@pytest.mark.parametrize("trusted", [(), ("192.0.2.1",)], ids=["nobody", "somebody-else"])
async def test_who_calls_is_not_asserted_to_strangers(world: World, trusted: tuple[str, ...]) -> None:
    """RFC 3325 §5: not to a peer that is not trusted; the application hears of it, and nothing goes out."""
    async with world.user_agent("alice", trusted=trusted) as alice, world.user_agent("bob"):
        with pytest.raises(LocalProtocolError, match="trusted peers alone"):
            async with alice.call("sip:bob.test", headers={"p-asserted-identity": ALICE}):
                raise AssertionError
    assert world.ladder() == []
    assert world.leftovers == []


async def test_a_request_asserts_nothing_where_nobody_is_trusted(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="trusted peers alone"):
            await alice.message("sip:bob.test", "hello", headers={"P-Asserted-Identity": ALICE})
    assert world.ladder() == []


async def test_who_calls_is_asserted_to_a_trusted_peer(world: World) -> None:
    async with Callee(world, "bob") as bob, world.user_agent("alice", trusted=["10.0.0.0/8"]) as alice:
        async with alice.call("sip:bob.test", headers={"P-Asserted-Identity": ALICE}):
            assert bob.invite.headers.get("P-Asserted-Identity") == ALICE
    assert world.leftovers == []
