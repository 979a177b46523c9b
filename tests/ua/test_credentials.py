"""Whose credentials go to whom: by realm, from whoever keeps them, and to nobody whom the account does not
name."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable

import pytest

from sipstack import AuthenticationFailed, CredentialsQuestion, Ha1, LocalProtocolError, UserAgent
from sipstack.message import Request, Response
from sipstack.message.digest import ha1
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from tests.ua.handlers import Answering
from tests.ua.proxy import Proxy
from tests.ua.test_authentication import BOB, PASSWORD, Guarded

pytestmark = pytest.mark.virtual_time

HOST = ["guarded.test"]
Given = tuple[str, str] | None


class Vault:
    """Gives what it has after a second."""

    def __init__(self, *given: Given | Exception) -> None:
        self.given = list(given)
        self.asked: list[CredentialsQuestion] = []

    async def __call__(self, question: CredentialsQuestion) -> Given:
        self.asked.append(question)
        await asyncio.sleep(1)
        given = self.given.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


def asking(world: World, vault: Callable[[CredentialsQuestion], Awaitable[Given]]) -> UserAgent:
    return world.user_agent("alice", credentials=vault, credentials_to=HOST)


# --- whom the account does not name ---


@pytest.mark.parametrize("asker", [False, True])
async def test_a_stranger_who_is_called_gets_no_digest(
    world: World, caplog: pytest.LogCaptureFixture, asker: bool
) -> None:
    vault = Vault()
    known = {"credentials": vault} if asker else {"password": PASSWORD}
    async with Guarded(world, Challenger(PASSWORD)) as stranger:
        async with world.user_agent("alice", **known) as alice:
            with caplog.at_level(logging.WARNING, "sipstack"):
                with pytest.raises(AuthenticationFailed, match="name it in credentials_to") as raised:
                    async with alice.call("sip:guarded.test"):
                        raise AssertionError
                assert raised.value.withheld
                assert (await alice.message("sip:guarded.test", "hello")).status == 401
        assert stranger.methods == ["INVITE", "ACK", "MESSAGE"]
        assert [each for each in stranger.requests if "Authorization" in each.headers] == []
    assert vault.asked == []
    assert "sip:guarded.test asks for credentials: it gets none" in caplog.text


async def test_a_stranger_cannot_claim_the_realm_of_another(world: World) -> None:
    known = {"pbx.test": ("alice", PASSWORD)}
    async with Guarded(world, Challenger(PASSWORD, realm="pbx.test")) as stranger:
        async with world.user_agent("alice", credentials=known) as alice:
            assert (await alice.options("sip:guarded.test")).status == 401
        assert len(stranger.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"credentials_to": ["guarded.test"]},
        {"credentials_to": "GUARDED.test"},
        {"credentials_to": ["*"]},
        {"registrar": "sip:guarded.test"},
        {"aor": "sip:alice@test"},
        {"aor": "sip:alice@guarded.test"},
        {"proxy": "sip:guarded.test"},
    ],
    ids=str,
)
async def test_whom_the_account_names_does(world: World, options: dict[str, object]) -> None:
    async with Guarded(world, Challenger(PASSWORD)):
        async with world.user_agent("alice", password=PASSWORD, **options) as alice:
            assert (await alice.options("sip:guarded.test")).status == 200


async def test_a_name_that_only_ends_alike_is_another(world: World) -> None:
    async with Guarded(world, Challenger(PASSWORD)):
        async with world.user_agent("alice", password=PASSWORD, credentials_to=["ded.test"]) as alice:
            assert (await alice.options("sip:guarded.test")).status == 401


def test_a_host_is_a_host() -> None:
    with pytest.raises(LocalProtocolError, match="is no host name or IP address"):
        UserAgent("sip:a@b", credentials_to=["sip:bob@b"])


# --- by realm ---


async def test_a_proxy_and_the_callee_each_get_what_their_realm_is_given(world: World) -> None:
    """The callee's has an Ha1, which no other realm could be answered with."""
    known = {
        "edge": ("al", "one"),
        "test": ("alice", Ha1(ha1("alice", "test", PASSWORD, "SHA-256"), "SHA-256")),
    }
    guarded = Guarded(world, Challenger(PASSWORD))
    async with guarded, Proxy(world, guarded.address, Challenger("one", realm="edge")) as proxy:
        async with world.user_agent("alice", credentials=known, proxy="sip:proxy.test") as alice:
            assert (await alice.options("sip:guarded.test")).status == 200
            assert (await alice.options("sip:guarded.test")).status == 200
        last = proxy.request.headers
        assert [each.username for each in last.typed("Proxy-Authorization")] == ["al"]
        assert [each.username for each in last.typed("Authorization")] == ["alice"]
        assert len(proxy.requests) == 4  # the second begins with what was taken


async def test_every_request_of_a_call_is_challenged_anew(world: World) -> None:
    """Nonces that are good for a moment: INVITE, PRACK, re-INVITE and BYE go out again each."""
    callee = Answering(ring=1)
    async with world.user_agent("bob", reliable=True) as bob, bob.serving(callee):
        async with world.user_agent(
            "alice", password=PASSWORD, proxy="sip:proxy.test", reliable=True
        ) as alice:
            challenger = Challenger(PASSWORD, lifetime=0.05)
            async with Proxy(world, BOB, challenger) as proxy:
                async with alice.call("sip:bob@bob.test") as call:
                    await asyncio.sleep(10)
                    await call.hold()
                    await asyncio.sleep(1)
                await asyncio.sleep(1)
                counts = {method: proxy.methods.count(method) for method in ("INVITE", "PRACK", "BYE")}
    assert counts == {"INVITE": 4, "PRACK": 2, "BYE": 2}
    assert ([by for by, _ in callee.ends], world.leftovers) == (["remote"], [])


# --- whoever is asked ---


async def test_who_keeps_the_credentials_is_asked_once_a_realm(world: World) -> None:
    vault = Vault(("alice", PASSWORD))
    async with Guarded(world, Challenger(PASSWORD)) as guarded, asking(world, vault) as alice:
        assert (await alice.options("sip:guarded.test")).status == 200
        assert (await alice.message("sip:guarded.test", "hello")).status == 200
        assert guarded.methods == ["OPTIONS", "OPTIONS", "MESSAGE"]
    assert vault.asked == [CredentialsQuestion("test", "sip:guarded.test", "OPTIONS", proxy=False)]


async def test_a_call_and_a_registration_wait_for_the_answer(world: World) -> None:
    vault, callee = Vault(("alice", PASSWORD), ("alice", PASSWORD)), Answering()
    options = {"credentials": vault, "registrar": "sip:registrar.test"}
    async with world.user_agent("bob") as bob, bob.serving(callee), Proxy(world, BOB, Challenger(PASSWORD)):
        async with world.user_agent("alice", proxy="sip:proxy.test", **options) as alice:
            async with alice.call("sip:bob@bob.test") as call:
                await call.hang_up()
    async with ScriptedRegistrar(world, Challenger(PASSWORD)), world.user_agent("carol", **options) as carol:
        async with carol.register() as registration:
            assert registration.active
    assert [(each.method, each.proxy) for each in vault.asked] == [("INVITE", True), ("REGISTER", False)]
    assert world.leftovers == []


async def test_requests_that_wait_for_the_same_answer_ask_once(world: World) -> None:
    vault = Vault(("alice", PASSWORD))
    async with Guarded(world, Challenger(PASSWORD)), asking(world, vault) as alice:
        both = await asyncio.gather(*(alice.options("sip:guarded.test") for _ in range(2)))
    assert ([response.status for response in both], len(vault.asked)) == ([200, 200], 1)


async def test_none_leaves_the_challenge_as_the_answer_and_the_next_request_asks_again(world: World) -> None:
    vault = Vault(None, ("alice", PASSWORD))
    async with Guarded(world, Challenger(PASSWORD)), asking(world, vault) as alice:
        assert [(await alice.options("sip:guarded.test")).status for _ in range(2)] == [401, 200]


async def test_what_is_refused_is_forgotten(world: World) -> None:
    vault = Vault(("alice", "mistyped"), ("alice", PASSWORD))
    async with Guarded(world, Challenger(PASSWORD)), asking(world, vault) as alice:
        assert [(await alice.options("sip:guarded.test")).status for _ in range(2)] == [401, 200]


@pytest.mark.parametrize("given", [OSError("sealed"), ("alice", b"octets"), "nonsense"], ids=str)
async def test_a_vault_that_fails_is_reported_and_the_challenge_stands(world: World, given: object) -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    vault = Vault(given)  # type: ignore[arg-type]
    async with Guarded(world, Challenger(PASSWORD)), asking(world, vault) as alice:
        assert (await alice.options("sip:guarded.test")).status == 401
    assert [context["message"] for context in reported] == [
        "no credentials for the realm 'test': who was asked raised"
    ]


async def test_a_call_that_is_given_up_waits_for_nobody(world: World) -> None:
    vault = Vault(("alice", PASSWORD))
    async with Guarded(world, Challenger(PASSWORD)) as guarded, asking(world, vault) as alice:
        async with alice.invite("sip:guarded.test") as outgoing:
            await asyncio.sleep(0.5)
            outgoing_cancelled = asyncio.get_running_loop().time()
            await outgoing.cancel()
            assert asyncio.get_running_loop().time() - outgoing_cancelled < 0.5
        await asyncio.sleep(2)
        assert guarded.methods == ["INVITE", "ACK"]
    assert world.leftovers == []


async def test_a_person_is_not_asked_any_longer_for_a_call_that_is_given_up(world: World) -> None:
    left_in_peace: list[str] = []

    async def person(question: CredentialsQuestion) -> None:
        try:
            await asyncio.sleep(10_000)
        except asyncio.CancelledError:
            left_in_peace.append(question.method)
            raise

    async with Guarded(world, Challenger(PASSWORD)), asking(world, person) as alice:
        for pause in (0.0, 0.5):
            async with alice.invite("sip:guarded.test") as outgoing:
                await asyncio.sleep(pause)
                await outgoing.cancel()
            await asyncio.sleep(1)
        assert left_in_peace == ["INVITE"]
    assert world.leftovers == []


async def test_leaving_does_not_wait_for_a_person(world: World) -> None:
    async def never(question: CredentialsQuestion) -> None:
        await asyncio.sleep(10_000)

    async with Guarded(world, Challenger(PASSWORD)):
        async with asking(world, never) as alice:
            waiting = asyncio.create_task(alice.options("sip:guarded.test"))
            await asyncio.sleep(1)
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 30
        with pytest.raises(Exception, match="closed"):
            await waiting
    assert world.leftovers == []


# --- what the server says of itself (RFC 7616 §3.5) ---


class Informing(Guarded):
    """Guarded; its 200 has an Authentication-Info."""

    def __init__(self, world: World, info: str) -> None:
        super().__init__(world, Challenger(PASSWORD))
        self.info = info

    def _respond(self, request: Request) -> list[Response]:
        (response,) = super()._respond(request)
        if response.status == 200:
            response = request.response(200, to_tag="guarded", headers=[("Authentication-Info", self.info)])
        return [response]


async def test_the_next_nonce_is_taken(world: World) -> None:
    async with Informing(world, 'nextnonce="a new one"') as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            await alice.options("sip:guarded.test")
            await alice.options("sip:guarded.test")
        (given,) = guarded.requests[2].headers.typed("Authorization")
        assert (given.nonce, given.nc) == ("a new one", 1)


async def test_who_does_not_know_the_password_is_not_believed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with Informing(world, f'rspauth="{"0" * 64}", nextnonce="a new one"') as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            with caplog.at_level(logging.WARNING, "sipstack"):
                await alice.options("sip:guarded.test")
            await alice.options("sip:guarded.test")
        assert "Authorization" not in guarded.requests[2].headers
    assert "the 200 to OPTIONS is not of one who knows our password: its rspauth is wrong" in caplog.text


class Proving(ScriptedPeer):
    """Proves with each 200 that it knows the password."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "guarded", ("10.0.1.3", 5060), on_request=self._respond)
        self._challenger = Challenger(PASSWORD, realm="r", qop=("auth",))

    def _respond(self, request: Request) -> list[Response]:
        challenge = self._challenger.challenge(request, self.world.now)
        if challenge is not None:
            return [challenge]
        (given,) = request.headers.typed("Authorization")
        # RFC 7616 §3.5 by hand: A2 is ":" and the URI
        hashed = [ha1("alice", "r", PASSWORD, "SHA-256"), given.nonce, given.text("nc"), given.cnonce, "auth"]
        a2 = _sha256(f":{given.uri}")
        proof = _sha256(":".join([*map(str, hashed), a2]))
        info = f'rspauth="{proof.upper()}", nextnonce="next", qop=auth, cnonce="{given.cnonce}", nc=00000001'
        return [request.response(200, to_tag="guarded", headers=[("Authentication-Info", info)])]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_who_knows_it_is_believed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with Proving(world) as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            with caplog.at_level(logging.WARNING, "sipstack"):
                await alice.options("sip:guarded.test")
                await alice.options("sip:guarded.test")
        assert guarded.requests[2].headers.typed("Authorization")[0].nonce == "next"
    assert caplog.text == ""


@pytest.mark.parametrize("info", ["?", 'rspauth="x', "nextnonce", ""])
async def test_an_odd_one_is_as_good_as_none(world: World, info: str) -> None:
    async with Informing(world, info) as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            statuses = [(await alice.options("sip:guarded.test")).status for _ in range(2)]
        assert (statuses, len(guarded.requests)) == ([200, 200], 3)
