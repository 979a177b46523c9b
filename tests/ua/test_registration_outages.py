"""A registration while its registrar is away, refuses a refresh, or forgets us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest

from sipstack import Account, AuthenticationFailed, Backoff, Registration, UserAgent
from sipstack.message import Request, Response
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.registration import RegistrationState

pytestmark = pytest.mark.virtual_time

OTHERS = "sip:alice@192.0.2.77"
RETRY = Backoff(1, 60)


def alice_at(world: World, **options: object) -> UserAgent:
    return world.user_agent("alice", **({"registrar": "sip:registrar.test"} | options))


async def recorded(registration: Registration) -> list[RegistrationState]:
    return [state async for state in registration.states()]


@pytest.mark.parametrize("outage", ["silent", 503, 500, 480])
async def test_registering_is_retried_until_the_registrar_comes_back(world: World, outage: str | int) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.silent, registrar.status = outage == "silent", 200 if outage == "silent" else int(outage)
        async with alice.register(retry=Backoff(1, 8)) as registration:
            seen = [registration.active]
            await asyncio.sleep(200)
            seen.append(registration.active)
            registrar.silent, registrar.status = False, 200
            await asyncio.sleep(45)
            seen.append(registration.active)
        assert seen == [False, False, True]
        assert registrar.bindings == {}
    assert world.leftovers == []


async def test_the_waits_between_attempts_grow_to_the_longest(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.status = 503
        async with alice.register(retry=Backoff(1, 60)):
            await asyncio.sleep(1000)
        waits = [after - before for before, after in pairwise(registrar.times)]
    longest = [1, 2, 4, 8, 16, 32] + [60] * (len(waits) - 6)
    assert all(high / 2 <= wait <= high for high, wait in zip(longest, waits, strict=True))


async def test_the_states_across_an_outage(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100, retry=Backoff(1, 4)) as registration:
            states = asyncio.create_task(recorded(registration))
            await asyncio.sleep(20)
            registrar.status = 503
            await asyncio.sleep(60)
            registrar.status = 200
            await asyncio.sleep(10)
            back = loop.time()
        seen = await states
    assert [state.active for state in seen] == [True, *[False] * (len(seen) - 3), True, False]
    assert seen[0] == RegistrationState(True, 100.0, None)
    assert all(state.retry_at is not None for state in seen[1:-2])
    assert [str(state.error) for state in seen[1:-2]] == ["503 Service Unavailable"] * (len(seen) - 3)
    assert seen[-2].expires_at == pytest.approx(back + 100, abs=15)
    assert seen[-1] == RegistrationState(False, None, None)
    assert len(seen) > 5


@pytest.mark.parametrize("outage", ["silent", 503, 500])
async def test_a_refresh_that_fails_is_tried_again_even_without_retry(
    world: World, outage: str | int
) -> None:
    """Who only answers calls would never learn that nobody can call it any more."""
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100) as registration:
            registrar.silent, registrar.status = (
                outage == "silent",
                200 if outage == "silent" else int(outage),
            )
            await asyncio.sleep(200)
            assert (registration.active, registrar.bindings[alice.contact] < world.now) == (False, True)
            registrar.silent, registrar.status = False, 200
            await asyncio.sleep(100)
            assert (registration.active, registrar.bindings[alice.contact] > world.now) == (True, True)
        assert registrar.bindings == {}
    assert world.leftovers == []


async def test_the_end_of_a_registration_is_written_to_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100):
            registrar.status = 403
            await asyncio.sleep(1000)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "the registration of sip:alice@alice.test failed: 403 Forbidden",
        "sip:alice@alice.test is not registered any more, and will not try again",
    ]


class Forgetful(ScriptedRegistrar):
    """From ``forgets`` on it answers 200 and takes our binding away."""

    forgets = False

    def listed(self, granted: int) -> list[tuple[str, object]]:
        lines = super().listed(granted)
        if not self.forgets or not granted:
            return lines
        ours = next(uri for uri in self.bindings if uri != OTHERS)
        return [("Contact", f"<{OTHERS}>;expires=600"), ("Contact", f"<{ours}>;expires=0")]


@pytest.mark.parametrize("retry", [None, RETRY], ids=["refresh", "retried"])
async def test_a_refresh_that_takes_our_binding_away_is_followed_by_another(
    world: World, retry: Backoff | None
) -> None:
    async with Forgetful(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100, retry=retry) as registration:
            registrar.forgets = True
            await asyncio.sleep(95)
            assert (registration.active, str(registration.error)) == (False, "200 OK")
            registrar.forgets = False
            await asyncio.sleep(60)
            assert registration.active
    assert world.leftovers == []


@pytest.mark.parametrize("status", [403, 404, 423, 500, 503, 501, 603])
async def test_with_retry_a_refresh_is_tried_again_whatever_it_is_refused_with(
    world: World, status: int
) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100, retry=RETRY) as registration:
            registrar.status = status
            await asyncio.sleep(1000)
            assert (registration.active, getattr(registration.error, "status", None)) == (False, status)
            assert registration.retry_at is not None
            assert 0 <= registration.retry_at - world.now <= 60
            registrar.status = 200
            await asyncio.sleep(61)
            assert registration.state == RegistrationState(True, registration.expires_at, None)
    assert world.leftovers == []


# --- short outages ---


@pytest.mark.parametrize("start", range(0, 60, 3))
async def test_an_outage_of_ten_seconds_does_not_end_a_binding_of_a_minute(world: World, start: int) -> None:
    """Whenever the network is away: the refresh has time for another attempt."""
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=60):
            await asyncio.sleep(start)
            world.network.down(registrar.address[0])
            await asyncio.sleep(10)
            world.network.up(registrar.address[0])
            for _ in range(120):
                await asyncio.sleep(1)
                assert registrar.bindings[alice.contact] > world.now
    assert world.leftovers == []


async def test_a_refresh_that_is_lost_altogether_does_not_end_a_binding_of_a_minute(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=60):
            await asyncio.sleep(10)
            registrar.silent = True
            await registrar.received(2)
            await asyncio.sleep(31)  # all of Timer F but a second
            registrar.silent = False
            for _ in range(60):
                await asyncio.sleep(1)
                assert registrar.bindings[alice.contact] > world.now
    assert world.leftovers == []


@pytest.mark.parametrize("status", [503, 500, 480, 486])
async def test_a_retry_after_is_obeyed(world: World, status: int) -> None:
    class Busy(ScriptedRegistrar):
        def _respond(self, request: Request) -> Iterator[Response]:
            for response in super()._respond(request):
                later = [("Retry-After", 120)] if response.status != 200 else []
                yield request.response(response.status, to_tag="r", headers=later)

    async with Busy(world) as registrar, alice_at(world) as alice:
        async with alice.register(expires=100, retry=Backoff(1, 4)) as registration:
            registrar.status = status
            await registrar.received(2)
            await asyncio.sleep(1)
            assert registration.retry_at is not None
            assert 119 <= registration.retry_at - world.now <= 132
            await asyncio.sleep(118)
            assert len(registrar.requests) == 2
            registrar.status = 200
            await asyncio.sleep(14)
            assert registration.active
    assert world.leftovers == []


async def test_a_refresh_whose_password_is_refused_waits_for_a_human(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world, password="wrong") as alice:
        async with alice.register(expires=100, retry=True) as registration:
            registrar.challenger = Challenger("secret")
            states = await recorded(registration)
            assert isinstance(states[-1].error, AuthenticationFailed)
            assert states[-1].retry_at is None
            asked = len(registrar.requests)
            await asyncio.sleep(4000)
            assert len(registrar.requests) == asked
    assert world.leftovers == []


async def test_one_account_that_fails_disturbs_no_other(world: World) -> None:
    others = [Account(f"sip:{name}@{name}.test", registrar="sip:other.test") for name in ("bob", "carol")]
    async with ScriptedRegistrar(world) as registrar, ScriptedRegistrar(world, name="other") as other:
        async with alice_at(world, accounts=others) as alice:
            async with (
                alice.register(expires=100, retry=True) as first,
                alice.register(expires=100, account=others[0]) as second,
                alice.register(expires=100, account=others[1]) as third,
            ):
                registrar.status = 403
                await asyncio.sleep(1000)
                assert [each.active for each in (first, second, third)] == [False, True, True]
        assert len({request.call_id for request in other.requests}) == 2
        assert {str(request.from_.uri) for request in other.requests} == {each.aor for each in others}
    assert world.leftovers == []
