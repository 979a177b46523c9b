"""Registrations through the public API, at a scripted registrar."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from sipstack import (
    AuthenticationFailed,
    Backoff,
    LocalProtocolError,
    Registration,
    RegistrationRejected,
    ResolutionError,
    TransactionTimeout,
    TransportError,
    UserAgent,
)
from sipstack.errors import FlowClosed
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.registration import RegistrationState

pytestmark = pytest.mark.virtual_time

OTHERS = "sip:alice@192.0.2.77"
RETRY = Backoff(1, 60)
ALGORITHMS = [
    (("MD5",), ("auth",)),
    (("MD5",), ()),
    (("MD5",), ("auth-int",)),
    (("SHA-256",), ("auth",)),
    (("SHA-512-256",), ("auth",)),
    (("MD5-sess",), ("auth",)),
    (("SHA-256-sess",), ("auth",)),
    (("MD5", "SHA-256"), ("auth",)),
]


def alice_at(world: World, **options: object) -> UserAgent:
    return world.user_agent("alice", **({"registrar": "sip:registrar.test"} | options))


async def recorded(registration: Registration) -> list[RegistrationState]:
    return [state async for state in registration.states()]


# --- refusals ---


@pytest.mark.parametrize("retry", [None, RETRY], ids=["once", "retried"])
async def test_a_refusal_is_raised_on_entry(world: World, retry: Backoff | None) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.status = 403
        with pytest.raises(RegistrationRejected, match="403 Forbidden") as raised:
            async with alice.register(retry=retry):
                raise AssertionError
        await asyncio.sleep(1000)
        assert (raised.value.status, registrar.asked) == (403, [600])
    assert world.leftovers == []


@pytest.mark.parametrize("retry", [None, RETRY], ids=["once", "retried"])
@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_and_none_fail_the_authentication(
    world: World, password: str | None, retry: Backoff | None
) -> None:
    challenger = Challenger("secret")
    async with ScriptedRegistrar(world, challenger) as registrar, alice_at(world, password=password) as alice:
        with pytest.raises(AuthenticationFailed) as raised:
            async with alice.register(retry=retry):
                raise AssertionError
        await asyncio.sleep(1000)
        refused = "the password of 'alice' was refused by the realm 'test'"
        said = refused if password else "credentials are wanted by the realm 'test'"
        assert str(raised.value) == f"401 Unauthorized: {said}"
        username = "alice" if password else None
        assert (raised.value.status, raised.value.realm, raised.value.username) == (401, "test", username)
        assert registrar.asked == ([600, 600] if password else [600])
        assert (registrar.bindings, challenger.accepted) == ({}, [])
    assert world.leftovers == []


async def test_an_interval_that_stays_too_brief_is_a_refusal(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.status = 423  # without Min-Expires
        with pytest.raises(RegistrationRejected, match="423"):
            async with alice.register():
                raise AssertionError
        assert registrar.asked == [600]
    assert world.leftovers == []


async def test_a_silent_registrar_is_a_timeout(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.silent = True
        with pytest.raises(TransactionTimeout):
            async with alice.register():
                raise AssertionError
        assert asyncio.get_running_loop().time() == pytest.approx(32)
    assert world.leftovers == []


async def test_a_closed_port_and_an_unknown_name_are_transport_errors() -> None:
    world = World(icmp=True)
    async with alice_at(world, registrar="sip:10.0.0.9") as alice:
        with pytest.raises(TransportError, match="refused"):
            async with alice.register():
                raise AssertionError
    async with alice_at(world, registrar="sip:nowhere.test") as alice:
        with pytest.raises(ResolutionError, match=r"nowhere\.test"):
            async with alice.register():
                raise AssertionError
    assert world.leftovers == []


async def test_a_registrar_that_is_no_uri_is_the_callers_mistake(world: World) -> None:
    with pytest.raises(LocalProtocolError, match="write it like sip:example.com"):
        alice_at(world, registrar="registrar.test")


async def test_a_binding_of_no_time_is_a_refusal_and_no_reason_to_ask_for_ever(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.longest, registrar.writes_expires_in = 0, "field"
        with pytest.raises(RegistrationRejected):
            async with alice.register():
                raise AssertionError
        await asyncio.sleep(100)
        assert registrar.asked == [600]
    assert world.leftovers == []


async def test_a_broken_contact_in_the_response_counts_as_what_we_asked_for(world: World) -> None:
    class Broken(ScriptedRegistrar):
        def listed(self, granted: int) -> list[tuple[str, object]]:
            return [("Contact", "<sip:alice@10.0.0.1")]

    async with Broken(world) as registrar, alice_at(world) as alice:
        async with alice.register() as registration:
            assert registration.expires_at == 600
        assert registrar.asked == [600, 0]
    assert world.leftovers == []


# --- registering ---


async def test_register_and_leave(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register() as registration:
            assert (registration.active, registration.expires_at, registration.error) == (True, 600, None)
            assert registrar.bindings == {alice.contact: 600}
            await asyncio.sleep(10)
        assert registrar.bindings == {}
        assert registration.active is False
    assert world.leftovers == []
    assert registrar.asked == [600, 0]
    first, last = registrar.requests
    assert first.start_line == "REGISTER sip:registrar.test SIP/2.0"
    assert [str(first.from_.uri), str(first.to)] == ["sip:alice@alice.test", "<sip:alice@alice.test>"]
    assert (first.call_id, first.from_) == (last.call_id, last.from_)
    assert [first.cseq.number, last.cseq.number] == [1, 2]


async def test_the_domain_of_the_address_of_record_is_the_registrar(world: World) -> None:
    async with (
        ScriptedRegistrar(world) as registrar,
        world.user_agent("alice", aor="sip:alice@registrar.test") as alice,
    ):
        async with alice.register(expires=60):
            assert [str(request.uri) for request in registrar.requests] == ["sip:registrar.test"]
    assert registrar.asked == [60, 0]


async def test_a_proxy_is_passed_first(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        async with alice_at(world, registrar="sip:example.com", proxy="sip:registrar.test") as alice:
            async with alice.register():
                request = registrar.requests[0]
    assert str(request.uri) == "sip:example.com"
    assert [str(route) for route in request.routes] == ["<sip:registrar.test;lr>"]


@pytest.mark.parametrize("seed", range(5))
async def test_it_is_refreshed_before_it_expires(seed: int) -> None:
    world = World(seed=seed)
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=1200) as registration:
            for _ in range(60):
                await asyncio.sleep(600)
                assert registration.active
                assert registrar.bindings[alice.contact] >= asyncio.get_running_loop().time()
        waits = [after - before for before, after in pairwise(registrar.times[:-1])]
        assert min(waits) >= 0.75 * 1200
        assert max(waits) <= 0.9 * 1200
        assert len(set(waits)) == len(waits)
    assert registrar.asked == [1200] * (len(waits) + 1) + [0]


@pytest.mark.parametrize(
    ("written", "granted"), [("contact", 60), ("field", 60), ("nowhere", 600)], ids=lambda value: str(value)
)
async def test_what_the_registrar_grants_counts(world: World, written: str, granted: int) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.longest = 60
        registrar.writes_expires_in = written
        registrar.bindings[OTHERS] = 5000.0  # another device's, which says nothing of ours
        async with alice.register() as registration:
            assert registration.expires_at == granted
            await asyncio.sleep(granted)
        latest = min(0.9 * granted, max(granted - 72, granted / 3))
        assert latest * 5 / 6 <= registrar.times[1] <= latest
        assert list(registrar.bindings) == [OTHERS]


async def test_an_interval_too_brief_is_lengthened(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.minimum = 1800
        async with alice.register(expires=60) as registration:
            assert registration.expires_at == 1800
        assert registrar.asked == [60, 1800, 0]


@pytest.mark.parametrize(("algorithms", "qop"), ALGORITHMS)
async def test_a_challenge_is_answered(
    world: World, algorithms: tuple[str, ...], qop: tuple[str, ...]
) -> None:
    challenger = Challenger("secret", algorithms, qop)
    async with ScriptedRegistrar(world, challenger) as registrar, alice_at(world, password="secret") as alice:
        async with alice.register(expires=100):
            await asyncio.sleep(40)
        assert registrar.bindings == {}
    assert challenger.accepted == [algorithms[-1]] * 3  # registered, refreshed, un-registered; the strongest
    # only the first is challenged, the others begin with the credentials that were taken (§22.3); without qop
    # there is no nonce count, and this server takes each nonce once
    sent = 4 if qop else 6
    assert [request.cseq.number for request in registrar.requests] == list(range(1, sent + 1))
    assert world.leftovers == []


async def test_another_user_name_for_the_authentication(world: World) -> None:
    async with (
        ScriptedRegistrar(world, Challenger("secret")) as registrar,
        alice_at(world, username="alice-17", password="secret") as alice,
        alice.register(),
    ):
        (credentials,) = registrar.requests[-1].headers.typed("Authorization")
    assert credentials.username == "alice-17"


# --- leaving ---


async def test_leaving_a_silent_registrar_is_bounded(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register():
            registrar.silent = True
            left = loop.time()
        assert loop.time() == pytest.approx(left + alice._grace)
    assert loop.time() == pytest.approx(left + alice._grace)
    assert world.leftovers == []


async def test_who_never_got_in_has_nothing_to_leave(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.status = 503
        async with alice.register(retry=Backoff(1000, 1000)):
            left = loop.time()
        assert loop.time() == left
        assert registrar.asked == [600]
    assert world.leftovers == []


async def test_leaving_while_a_refresh_is_under_way_waits_for_it() -> None:
    """RFC 3261 §10.2: no REGISTER overtakes another."""
    world = World(link=Link(delay=0.2))
    challenger = Challenger("secret", lifetime=10)
    async with ScriptedRegistrar(world, challenger) as registrar, alice_at(world, password="secret") as alice:
        async with alice.register(expires=100):
            await registrar.received(
                3
            )  # two to register, one that refreshes with a nonce that is stale by now
        assert registrar.bindings == {}
        assert registrar.asked == [100, 100, 100, 100, 0]
        numbers = [request.cseq.number for request in registrar.requests]
        assert numbers == sorted(set(numbers))
        await asyncio.sleep(1000)
        assert len(registrar.requests) == 5
    assert world.leftovers == []


async def test_leaving_while_a_refresh_outlasts_the_binding_unregisters(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=10):
            await asyncio.sleep(5)
            registrar.silent = True  # the refresh is repeated past the end of the binding
            await asyncio.sleep(10)
        registrar.silent = False
        await asyncio.sleep(100)
        assert registrar.asked[-1] == 0
        sent = len(registrar.requests)
        await asyncio.sleep(1000)
        assert len(registrar.requests) == sent
    assert world.leftovers == []


async def test_leaving_the_user_agent_unregisters(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        async with alice_at(world) as alice:
            task = asyncio.create_task(hold(alice, asyncio.Event()))
            await asyncio.sleep(1)
            assert list(registrar.bindings) == [alice.contact]
        assert registrar.bindings == {}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert world.leftovers == []


async def test_leaving_the_user_agent_while_entering(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        registrar.silent = True
        async with alice_at(world) as alice:
            task = asyncio.create_task(hold(alice, asyncio.Event()))
            await asyncio.sleep(1)
        with pytest.raises(FlowClosed, match="the user agent was closed"):
            await task
    assert world.leftovers == []


async def hold(alice: UserAgent, entered: asyncio.Event) -> None:
    """Stay registered until cancelled."""
    async with alice.register(expires=2):
        entered.set()
        await asyncio.Event().wait()


# Over this link, with a challenge: REGISTER at 0, again at 0.1, registered at 0.2, refreshed about 1.7.
MOMENTS = [moment / 50 for moment in range(0, 110, 2)]


@pytest.mark.parametrize("twice", [False, True], ids=["cancelled", "cancelled-twice"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_at_every_moment(moment: float, twice: bool) -> None:
    world = World(link=Link(delay=0.05))
    challenger = Challenger("secret")
    async with ScriptedRegistrar(world, challenger) as registrar, alice_at(world, password="secret") as alice:
        task = asyncio.create_task(hold(alice, asyncio.Event()))
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.sleep(0)
        if twice:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(200)
        assert registrar.bindings == {}
        assert alice._runtime.core.leftovers() == []
        sent = len(registrar.requests)
        await asyncio.sleep(1000)
        assert len(registrar.requests) == sent
    assert world.leftovers == []


# --- all bindings ---


async def test_unregister_all(world: World) -> None:
    async with (
        ScriptedRegistrar(world, Challenger("secret")) as registrar,
        alice_at(world, password="secret") as alice,
    ):
        registrar.bindings = {OTHERS: 5000.0}
        await alice.unregister_all()
        assert registrar.bindings == {}
        request = registrar.requests[-1]
    assert (request.headers.raw("Contact"), request.headers.raw("Expires")) == (("*",), ("0",))
    assert world.leftovers == []


async def test_unregister_all_raises_what_went_wrong(world: World) -> None:
    async with (
        ScriptedRegistrar(world, Challenger("secret")) as registrar,
        alice_at(world, password="wrong") as alice,
    ):
        with pytest.raises(AuthenticationFailed):
            await alice.unregister_all()
        registrar.challenger = None
        registrar.status = 403
        with pytest.raises(RegistrationRejected):
            await alice.unregister_all()
        registrar.silent = True
        with pytest.raises(TransactionTimeout):
            await alice.unregister_all()
    assert world.leftovers == []


async def test_two_registrations_are_two(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=1000), alice.register(expires=2000):
            await asyncio.sleep(5000)
        assert len({request.call_id for request in registrar.requests}) == 2
    assert world.ladder()[-4:] == ladder("""
        alice -> registrar    REGISTER sip:registrar.test [5]
        registrar -> alice    200 OK [5 REGISTER]
        alice -> registrar    REGISTER sip:registrar.test [8]
        registrar -> alice    200 OK [8 REGISTER]
    """)
    assert world.leftovers == []
