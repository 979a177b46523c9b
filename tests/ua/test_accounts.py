"""Several accounts in one user agent, and requests in another's name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack import Account, LocalProtocolError, UserAgent
from sipstack.message.digest import DigestAccount
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.account import ANONYMOUS
from tests.ua.handlers import echo

pytestmark = pytest.mark.virtual_time

WORK = Account(
    "sip:alice@work.test",
    password="general",
    display_name="Alice at Work",
    credentials={"proxy.work.test": ("a.liddell", "special")},
    registrar="sip:registrar.test",
)


def test_an_account_says_who_we_are_and_where_to_register() -> None:
    plain = Account("sip:bob@example.com:5070")
    assert [(each.from_, each.registrar_uri, each.route, each.digest) for each in (plain, WORK)] == [
        ("<sip:bob@example.com:5070>", "sip:example.com:5070", None, ()),
        (
            '"Alice at Work" <sip:alice@work.test>',
            "sip:registrar.test",
            None,
            (DigestAccount("a.liddell", "special", "proxy.work.test"), DigestAccount("alice", "general")),
        ),
    ]
    assert Account("sips:bob@example.com", proxy="sip:proxy.test").route == "<sip:proxy.test;lr>"
    assert Account("sips:bob@example.com").registrar_uri == "sips:example.com"


def test_an_account_shows_no_password() -> None:
    assert [secret in repr(WORK) for secret in ("general", "special")] == [False, False]


MISTAKES: list[tuple[Callable[[UserAgent], object], str]] = [
    (
        lambda agent: agent.call("sip:bob.test", account=WORK),
        "not an account of this user agent: give it accounts=",
    ),
    (lambda agent: agent.invite("sip:bob.test", account=WORK), "not an account of this user agent"),
    (lambda agent: agent.register(account=WORK), "not an account of this user agent"),
    (lambda agent: agent.call("sip:bob.test", from_="bob"), "cannot be a From"),
    (lambda agent: agent.invite("sip:bob.test", max_forwards=256), "max_forwards is 0 to 255"),
    (lambda agent: agent.call("sip:bob.test", headers={"f": "sip:bob@bob.test"}), "give from_= or account="),
    (lambda agent: agent.invite("sip:bob.test", headers={"Contact": "x"}), "the stack writes our address"),
    (lambda agent: agent.register(headers=[("Contact", "x")]), "the stack writes our address"),
]


@pytest.mark.parametrize(("ask", "error"), MISTAKES)
async def test_mistakes_are_raised_at_once(
    world: World, ask: Callable[[UserAgent], object], error: str
) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match=error):
            ask(alice)


async def test_the_user_agents_own_account_is_the_first(world: World) -> None:
    async with world.user_agent("alice", accounts=[WORK]) as alice, world.user_agent("bob") as bob:
        assert [account.aor for account in alice.accounts] == ["sip:alice@alice.test", "sip:alice@work.test"]
        async with bob.serving(echo), alice.call("sip:bob.test", account=alice.accounts[0]) as call:
            assert str(call.local) == "sip:alice@alice.test"
    assert world.leftovers == []


async def test_a_call_goes_out_in_the_name_of_the_account_that_it_names(world: World) -> None:
    async with world.user_agent("alice", accounts=[WORK]) as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo), alice.call("sip:bob.test", account=WORK) as call:
            assert str(call.local) == "sip:alice@work.test"
            assert b'\r\nFrom: "Alice at Work" <sip:alice@work.test>;tag=' in world.trace[0].data


async def test_each_account_registers_at_its_registrar_with_its_credentials(world: World) -> None:
    challenger = Challenger("special", realm="proxy.work.test")
    async with (
        ScriptedRegistrar(world, challenger) as registrar,
        world.user_agent("alice", accounts=[WORK]) as alice,
    ):
        async with alice.register(account=WORK) as registration:
            assert registration.active
        assert {str(request.to.uri) for request in registrar.requests} == {"sip:alice@work.test"}


async def test_a_back_to_back_user_agent_passes_on_the_caller_and_the_hops_that_are_left(
    world: World,
) -> None:
    async with world.user_agent("switch") as switch, world.user_agent("bob") as bob:
        caller = '"Alice" <sip:alice@alice.test>'
        async with bob.serving(echo), switch.call("sip:bob.test", from_=caller, max_forwards=12) as call:
            assert str(call.local) == "sip:alice@alice.test"
            assert b'\r\nFrom: "Alice" <sip:alice@alice.test>;tag=' in world.trace[0].data
            assert b"\r\nMax-Forwards: 12\r\n" in world.trace[0].data


async def test_a_single_request_goes_out_in_another_name(world: World) -> None:
    async with world.user_agent("alice", accounts=[WORK]) as alice, world.user_agent("bob"):
        await alice.options("sip:bob.test", account=WORK, max_forwards=0)
        await alice.message("sip:bob.test", "hello", from_="sip:carol@carol.test")
        sent = [passage.data for passage in world.trace if passage.source[0] == "10.0.0.1"]
    assert b'\r\nFrom: "Alice at Work" <sip:alice@work.test>;tag=' in sent[0]
    assert b"\r\nMax-Forwards: 0\r\n" in sent[0]
    assert b"\r\nFrom: <sip:carol@carol.test>;tag=" in sent[1]


# --- a user name and no address-of-record ---


class Heard(ScriptedRegistrar):
    @property
    def froms(self) -> list[str]:
        return [str(request.from_.uri) for request in self.requests]


@pytest.mark.parametrize(
    ("username", "from_"),
    [("alice", "sip:alice@registrar.test"), ("a#1", "sip:a%231@registrar.test")],
)
async def test_a_user_name_alone_is_a_user_at_the_host_that_is_asked(
    world: World, username: str, from_: str
) -> None:
    """Asterisk looks in From for who it is, and says 401 for ever to one that it does not know."""
    async with Heard(world, Challenger("secret")) as registrar:
        options = {"username": username, "password": "secret", "registrar": "sip:registrar.test"}
        async with world.user_agent("alice", aor=ANONYMOUS, **options) as alice:
            async with alice.register():
                await alice.options("sip:600@registrar.test:5060;transport=udp")
    assert set(registrar.froms) == {from_}
    assert [request.method for request in registrar.requests].count("OPTIONS") >= 1
    to = {str(request.to.uri) for request in registrar.requests if request.method == "REGISTER"}
    assert to == {from_}


async def test_who_wants_to_be_anonymous_says_so(world: World) -> None:
    async with Heard(world) as registrar:
        async with world.user_agent("alice", aor=ANONYMOUS, username="alice", password="secret") as alice:
            await alice.options("sip:registrar.test", from_=ANONYMOUS)
        async with world.user_agent("alice", aor=ANONYMOUS) as alice:
            await alice.options("sip:registrar.test")
        async with world.user_agent("alice", aor="sip:a@b", username="alice", password="secret") as alice:
            await alice.options("sip:registrar.test")
    assert registrar.froms == [ANONYMOUS, ANONYMOUS, "sip:a@b"]
