"""We ask those who begin something with us for credentials (RFC 3261 §22.2, RFC 7616, RFC 8760)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import (
    Account,
    Authentication,
    AuthenticationFailed,
    Ha1,
    IncomingRequest,
    Invitation,
    LocalProtocolError,
    UserAgent,
)
from sipstack.core.lockout import FREE_TRIES
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response
from sipstack.message.auth import Challenge
from sipstack.message.digest import DigestAccount, DigestClient, ha1
from sipstack.message.secret import Secret
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.ua.policy import Accept
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

REALM = "bob.test"
USERS = {"alice": "open sesame", "carol": "s3cret"}
INVITE, MESSAGE = "INVITE", "MESSAGE"


class Front:
    """Notes who comes in, and by what name."""

    def __init__(self) -> None:
        self.users: list[tuple[str, str | None]] = []

    async def call(self, invitation: Invitation) -> None:
        self.users.append(("INVITE", invitation.user))
        async with invitation.accept() as call:
            await call.ended()

    async def take(self, request: IncomingRequest) -> None:
        self.users.append((request.method, request.user))
        await request.respond(200)


def caller(world: World, user: str = "alice", password: str | Ha1 | None = "open sesame") -> UserAgent:
    known: dict[str, Any] = {} if password is None else {"credentials": {REALM: (user, password)}}
    return world.user_agent("alice", credentials_to=["bob.test"], **known)


class Stranger(ScriptedPeer):
    """Writes its own requests and credentials."""

    def __init__(self, world: World, name: str = "mallory") -> None:
        super().__init__(world, name)
        self.bob = (world.names["bob.test"][0], 5060)
        self.count = 0

    async def ask(self, *fields: tuple[str, object], method: str = MESSAGE) -> Response:
        """The response to a request outside of a dialog with these fields."""
        self.count += 1
        request = self.write(
            method, "sip:bob.test", cseq=self.count, headers=fields, call_id=f"c{self.count}"
        )
        before = len(self.responses)
        self.send(self.bob, request)
        await self.responded(before + 1)
        return self.response

    async def challenge(self) -> Challenge:
        (first, *_) = (await self.ask()).headers.typed("WWW-Authenticate")
        assert isinstance(first, Challenge)
        return first

    async def guess(self, password: str, user: str = "alice") -> int:
        """The status that credentials made for a new challenge get."""
        client = DigestClient(DigestAccount(user, password))
        given = client.authorize(await self.challenge(), MESSAGE, "sip:bob.test", b"", "c")
        return (await self.ask(("Authorization", given))).status


# --- let in ---


async def test_calls_messages_and_subscriptions_are_let_in_by_their_password(world: World) -> None:
    front = Front()
    requests = {"MESSAGE": front.take, "SUBSCRIBE": front.take}
    async with world.user_agent("bob") as bob, caller(world) as alice:
        async with bob.serving(front.call, requests, authenticate=Authentication(REALM, USERS)):
            async with alice.call("sip:bob.test") as call:
                await call.hold()
                await asyncio.sleep(1)
            assert (await alice.message("sip:bob.test", "hello")).status == 200
            assert (await alice.request("SUBSCRIBE", "sip:bob.test", headers={"Event": "x"})).status == 200
    assert front.users == [("INVITE", "alice"), ("MESSAGE", "alice"), ("SUBSCRIBE", "alice")]
    assert world.leftovers == []


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
async def test_of_three_challenges_each_caller_answers_what_it_can(world: World, algorithm: str) -> None:
    front, three = Front(), ("SHA-512-256", "SHA-256", "MD5")
    account = Ha1(ha1("alice", REALM, USERS["alice"], algorithm), algorithm)
    async with (
        world.user_agent("bob") as bob,
        bob.serving(front.call, authenticate=Authentication(REALM, USERS, three)),
        caller(world, password=account) as alice,
    ):
        async with alice.call("sip:bob.test"):
            pass
    assert front.users == [("INVITE", "alice")]


async def test_what_a_server_stores_will_do(world: World) -> None:
    front = Front()
    stored = {"alice": Ha1(ha1("alice", REALM, USERS["alice"], "SHA-256"), "SHA-256")}

    def look_up(user: str, algorithm: str) -> str | None:
        return ha1(user, REALM, USERS[user], algorithm) if user in USERS else None

    for users in (stored, look_up):
        async with world.user_agent("bob") as bob, caller(world) as alice:
            async with bob.serving(front.call, authenticate=Authentication(REALM, users)):
                async with alice.call("sip:bob.test"):
                    pass
    assert len(front.users) == 2


async def test_requests_that_overtake_one_another_are_no_replay(world: World) -> None:
    front = Front()
    async with world.user_agent("bob") as bob, Stranger(world) as alice:
        async with bob.serving(None, {"MESSAGE": front.take}, authenticate=Authentication(REALM, USERS)):
            challenge = await alice.challenge()
            client = DigestClient(DigestAccount("alice", USERS["alice"]))
            given = [client.authorize(challenge, MESSAGE, "sip:bob.test", b"", "c") for _ in range(4)]
            order = [given[index] for index in (0, 3, 1, 2, 1, 3)]
            statuses = [(await alice.ask(("Authorization", each))).status for each in order]
    assert statuses == [200, 200, 200, 200, 401, 401]


async def test_options_of_a_monitor_need_none_and_a_bye_of_no_call_gets_481(world: World) -> None:
    async with world.user_agent("bob") as bob, Stranger(world) as monitor:
        async with bob.serving(Answering(), authenticate=Authentication(REALM, USERS)):
            assert (await monitor.ask(method="OPTIONS")).status == 200
            assert (await monitor.ask(method="BYE")).status == 481


# --- kept out ---


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "x"), ("alice", None)])
async def test_nobody_else_is_let_in(world: World, user: str, password: str | None) -> None:
    front = Front()
    async with world.user_agent("bob") as bob, caller(world, user, password) as alice:
        async with bob.serving(
            front.call, {"MESSAGE": front.take}, authenticate=Authentication(REALM, USERS)
        ):
            with pytest.raises(AuthenticationFailed, match="401"):
                async with alice.call("sip:bob.test"):
                    raise AssertionError
            assert (await alice.message("sip:bob.test", "hello")).status == 401
    assert front.users == []
    assert world.leftovers == []


async def test_the_policy_decides_on_those_alone_who_are_let_in(world: World) -> None:
    asked: list[str] = []

    def policy(event: Any) -> Accept:
        asked.append(event.request.from_.uri_text)
        return Accept(event.request.body)

    async with world.user_agent("bob", policy=policy) as bob, caller(world, password="wrong") as alice:
        async with bob.serving(authenticate=Authentication(REALM, USERS)):
            with pytest.raises(AuthenticationFailed):
                async with alice.call("sip:bob.test"):
                    raise AssertionError
    assert asked == []


async def test_a_name_in_from_proves_nothing(world: World) -> None:
    front = Front()
    async with world.user_agent("bob") as bob:
        carol = Account("sip:alice@bob.test", credentials={REALM: ("carol", "s3cret")})
        async with world.user_agent("carol", accounts=[carol]) as agent:
            async with bob.serving(None, {"MESSAGE": front.take}, authenticate=Authentication(REALM, USERS)):
                assert (await agent.message("sip:bob.test", "I am Alice", account=carol)).status == 200
    assert front.users == [("MESSAGE", "carol")]


async def test_a_nonce_is_no_good_from_elsewhere_nor_later(world: World) -> None:
    """Credentials that somebody has overheard open nothing."""
    front = Front()
    async with world.user_agent("bob") as bob, Stranger(world) as alice, Stranger(world, "eve") as eve:
        guard = Authentication(REALM, USERS, lifetime=60)
        async with bob.serving(None, {"MESSAGE": front.take}, authenticate=guard):
            challenge = await alice.challenge()
            client = DigestClient(DigestAccount("alice", USERS["alice"]))

            def given() -> tuple[str, object]:
                return "Authorization", client.authorize(challenge, MESSAGE, "sip:bob.test", b"", "c")

            stolen = await eve.ask(given())
            assert (stolen.status, stolen.headers.typed("WWW-Authenticate")[0].stale) == (401, True)
            used = given()
            assert [(await alice.ask(used)).status for _ in range(2)] == [200, 401]
            await asyncio.sleep(61)
            late = await alice.ask(given())
            assert (late.status, late.headers.typed("WWW-Authenticate")[0].stale) == (401, True)
    assert front.users == [("MESSAGE", "alice")]


@pytest.mark.parametrize(
    "given",
    [
        "?",
        "Digest",
        "Basic YWxpY2U6b3BlbiBzZXNhbWU=",
        'Digest realm="bob.test"',
        'Digest username="alice", realm="bob.test", nonce="", uri="", response=""',
        f'Digest username="{"a" * 5000}", realm="bob.test", nonce="n", uri="u", response="r"',
        'Digest username="alice", realm="bob.test", nonce="\udcff", uri="u", response="r", nc=zz, qop=auth',
        'Digest username="", realm="bob.test", nonce="n", uri="u", response="r", algorithm=ROT13',
    ],
)
async def test_odd_credentials_are_no_credentials(world: World, given: str) -> None:
    async with world.user_agent("bob") as bob, Stranger(world) as mallory:
        async with bob.serving(None, {"MESSAGE": Front().take}, authenticate=Authentication(REALM, USERS)):
            assert (await mallory.ask(("Authorization", given))).status == 401
        assert bob._runtime.core.counters.faults == 0


# --- guessing ---


async def test_who_guesses_has_to_wait_even_for_the_right_one(world: World) -> None:
    front = Front()
    async with world.user_agent("bob") as bob, Stranger(world) as mallory:
        async with bob.serving(None, {"MESSAGE": front.take}, authenticate=Authentication(REALM, USERS)):
            statuses = [await mallory.guess(f"guess {number}") for number in range(FREE_TRIES + 1)]
            assert statuses == [401] * FREE_TRIES + [403]
            assert await mallory.guess("open sesame") == 403
            await asyncio.sleep(1.1)
            assert await mallory.guess("open sesame") == 200


async def test_whoever_sends_in_the_name_of_another_does_not_lock_him_out(world: World) -> None:
    """UDP: a source can be forged, but who forges it does not see the challenge."""
    front = Front()
    async with world.user_agent("bob") as bob, Stranger(world, "alice") as alice:
        async with bob.serving(None, {"MESSAGE": front.take}, authenticate=Authentication(REALM, USERS)):
            for number in range(50):
                forged = f'Digest username="alice", realm="{REALM}", nonce="n{number}", uri="u", response="r"'
                assert (await alice.ask(("Authorization", forged))).status == 401
            assert await alice.guess("open sesame") == 200


# --- mistakes ---


async def test_only_one_asks(world: World) -> None:
    async with world.user_agent("bob") as bob, caller(world, password=None) as alice:
        async with bob.serving(Answering(), authenticate=Authentication(REALM, USERS)):
            with pytest.raises(LocalProtocolError, match="asks for credentials already"):
                async with bob.serving(None, {"MESSAGE": Front().take}, authenticate=Authentication("x", {})):
                    raise AssertionError
        async with bob.serving(None, {"MESSAGE": Front().take}):
            assert (await alice.message("sip:bob.test", "hello")).status == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a\r\nb", {}), "cannot hold CR"),
        (("r", {"a": 1}), "a password is a str"),
        (("r", {}, ["SHA-3"]), "no digest algorithm"),
        (("r", {}, []), "no algorithm that all users can be asked for"),
        (("r", {"a": Ha1("0" * 32)}, ["SHA-256"]), "no algorithm that all users can be asked for"),
        (("r", {}, ["MD5"], 0.0), "leaves no time to answer"),
    ],
)
def test_what_cannot_be_asked_for(arguments: Any, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        Authentication(*arguments)


def test_no_password_is_shown() -> None:
    users: dict[str, str | Secret | Ha1] = {"alice": "open sesame", "bob": Ha1("0" * 32)}
    shown = repr(Authentication("r", users))
    assert (
        shown == "Authentication(realm='r', algorithms=('SHA-256', 'MD5'), lifetime=300.0, again_after=None)"
    )


def test_an_ha1_says_what_is_offered() -> None:
    stored = Authentication("r", {"a": Ha1("0" * 32, "MD5"), "b": "x"})
    assert stored._offered == ["MD5"]


def test_a_request_in_a_dialog_proves_nobody() -> None:
    keeper = Authentication(REALM, USERS)._gatekeeper(Identifiers())
    forged = [("Authorization", f'Digest username="alice", realm="{REALM}"'), ("To", "<sip:b@h>;tag=1")]
    assert keeper.user_of(Request("MESSAGE", "sip:b@h", forged)) is None
