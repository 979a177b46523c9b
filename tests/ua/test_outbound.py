"""Registrations by outbound, through the public API: two flows, one of which dies (RFC 5626)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sipstack import (
    Account,
    AuthenticationFailed,
    LocalProtocolError,
    RegistrationRejected,
    TransactionTimeout,
)
from sipstack.message import Request
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
EDGES = ["sip:one.test", "sip:two.test"]


class Edge(ScriptedRegistrar):
    """An edge proxy and its registrar in one: it does outbound, and names a Service-Route."""

    extra: tuple[tuple[str, object], ...] = (("Require", "outbound"),)

    def listed(self, granted: int) -> list[tuple[str, object]]:
        return [*super().listed(granted), *self.extra]

    @property
    def registers(self) -> list[Request]:
        return [request for request in self.requests if request.method == "REGISTER"]


@contextlib.asynccontextmanager
async def edges(world: World) -> AsyncIterator[tuple[Edge, Edge]]:
    async with Edge(world, name="one") as one, Edge(world, name="two") as two:
        yield one, two


def parameter(request: Request, name: str) -> str | None:
    return request.contacts[0].parameters.get(name)


# --- what cannot be ---


@pytest.mark.parametrize("outbound", [[], "sip:one.test", ["one"], ["sip:one.test", "sip:one.test"]])
async def test_edge_proxies_that_are_none(world: World, outbound: list[str]) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError):
            alice.register(outbound=outbound)


@pytest.mark.parametrize("instance", ["", "f81d4fae", "urn:uuid", "urn:uuid:1>;q=2", "urn:uuid:1\r\nX: y"])
def test_an_instance_that_is_no_urn(instance: str) -> None:
    with pytest.raises(LocalProtocolError, match="URN"):
        Account("sip:alice@example.com", instance=instance)


async def test_entering_fails_when_no_flow_comes_up(world: World) -> None:
    async with edges(world) as (one, two), world.user_agent("alice") as alice:
        one.silent, two.status = True, 403
        with pytest.raises((RegistrationRejected, TransactionTimeout)):
            async with alice.register(outbound=EDGES):
                raise AssertionError
    assert world.leftovers == []


async def test_a_wrong_password_fails_at_once_even_with_retry(world: World) -> None:
    async with edges(world) as (one, two), world.user_agent("alice", password="wrong") as alice:
        one.challenger = two.challenger = Challenger("secret")
        with pytest.raises(AuthenticationFailed):
            async with alice.register(outbound=EDGES, retry=True):
                raise AssertionError
    assert world.leftovers == []


# --- two flows ---


async def test_two_flows_of_one_instance(world: World) -> None:
    async with edges(world) as (one, two), world.user_agent("alice", instance=URN) as alice:
        async with alice.register(outbound=EDGES) as registration:
            await asyncio.sleep(1)
            assert [state.active for state in registration.flows] == [True, True]
        firsts = [edge.registers[0] for edge in (one, two)]
        assert [parameter(request, "reg-id") for request in firsts] == ["1", "2"]
        assert {parameter(request, "+sip.instance") for request in firsts} == {f'"<{URN}>"'}
        assert len({request.call_id for request in firsts}) == 2
        assert [str(request.routes[0].uri) for request in firsts] == ["sip:one.test;lr", "sip:two.test;lr"]
        assert (one.bindings, two.bindings) == ({}, {})
    assert world.leftovers == []


async def test_calls_go_over_the_flow_that_lives_and_we_stay_registered(world: World) -> None:
    async with edges(world) as (one, two), world.user_agent("alice") as alice:
        async with alice.register(expires=60, outbound=EDGES) as registration:
            await alice.options("sip:bob@bob.test")
            assert one.methods[-1] == "OPTIONS"
            world.network.down(one.address[0])
            await asyncio.sleep(60)  # a refresh over it is lost: known after 32 s
            assert registration.active
            assert [state.active for state in registration.flows] == [False, True]
            assert isinstance(registration.error, TransactionTimeout)
            assert registration.retry_at is not None
            await alice.options("sip:bob@bob.test")
            assert two.methods[-1] == "OPTIONS"
            world.network.up(one.address[0])
            await asyncio.sleep(1800)
            assert [state.active for state in registration.flows] == [True, True]
    assert world.leftovers == []


async def test_a_flow_that_is_refused_at_first_is_tried_again_once_the_other_is_up(world: World) -> None:
    async with edges(world) as (one, two), world.user_agent("alice") as alice:
        one.status = 503
        async with alice.register(outbound=EDGES) as registration:
            assert registration.active
            one.status = 200
            await asyncio.sleep(181)
            assert [state.active for state in registration.flows] == [True, True]
    assert world.leftovers == []


async def test_leaving_the_user_agent_unregisters_both(world: World) -> None:
    async with edges(world) as (one, two):
        async with world.user_agent("alice") as alice:
            block = alice.register(outbound=EDGES)
            registration = await block.__aenter__()
            await asyncio.sleep(1)
        assert [state.active async for state in registration.states()][-1] is False
        assert (one.bindings, two.bindings) == ({}, {})
        await block.__aexit__(None, None, None)
    assert world.leftovers == []


async def test_what_the_registrar_says_is_shown_and_obeyed(world: World) -> None:
    async with edges(world) as (one, _), world.user_agent("alice", registrar="sip:one.test") as alice:
        one.extra = (
            ("Path", "<sip:p.test;lr>"),
            ("Service-Route", "<sip:two.test;lr>"),
            ("P-Associated-URI", "<sip:alice@one.test>"),
        )
        async with alice.register() as registration:
            assert registration.path == ("<sip:p.test;lr>",)
            assert registration.service_route == ("<sip:two.test;lr>",)
            assert registration.associated_uris == ("<sip:alice@one.test>",)
            assert (registration.gruu, registration.temporary_gruu) == ("", "")
            await alice.options("sip:bob@bob.test")
        assert list(registration.service_route) == []
    assert world.ladder("alice")[1] == "alice -> two OPTIONS sip:bob@bob.test [1]"
    assert world.leftovers == []
