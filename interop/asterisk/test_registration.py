"""REGISTER (RFC 3261 §10) with the digests of RFC 2617 and RFC 8760."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import ACCOUNTS, AgentFactory
from interop.asterisk.listening import answering, eventually, hear_tone, next_call
from interop.asterisk.server import Asterisk
from sipstack import AuthenticationFailed, RegistrationRejected


@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_a_wrong_password_or_user_is_refused(
    asterisk: Asterisk, agent: AgentFactory, name: str
) -> None:
    async with agent(name, password="wrong") as ua:
        with pytest.raises((AuthenticationFailed, RegistrationRejected)) as refused:
            async with ua.register():
                pytest.fail("registered")
    assert refused.value.status == 401
    assert await asterisk.contacts(name) == []


async def test_a_second_binding_is_refused_where_one_is_the_limit(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    async with agent("carol") as first, first.register(), agent("carol") as second:
        with pytest.raises(RegistrationRejected) as refused:
            async with second.register():
                pytest.fail("registered")
        assert refused.value.status == 403
        assert await asterisk.contacts("carol") == [first.contact]


@pytest.mark.parametrize("name", ACCOUNTS.values(), ids=ACCOUNTS)
async def test_the_binding_lasts_as_long_as_the_registration(
    asterisk: Asterisk, agent: AgentFactory, name: str
) -> None:
    async with agent(name) as ua:
        async with ua.register(expires=60) as registration:
            assert registration.active
            assert await asterisk.contacts(name) == [ua.contact]
        assert await asterisk.contacts(name) == []


async def test_a_registered_user_agent_can_be_called(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("bob") as bob, bob.register(), answering(bob) as calls:
        await asterisk.originate("bob", "milliwatt")
        call = await next_call(calls)
        await hear_tone(call.audio, 1004)
        await call.hang_up()


async def test_all_bindings_are_removed_with_an_asterisk(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("alice") as desk, desk.register(), agent("alice") as mobile, mobile.register():
        assert sorted(await asterisk.contacts("alice")) == sorted([desk.contact, mobile.contact])
        await desk.unregister_all()
        assert await asterisk.contacts("alice") == []


async def test_the_binding_is_refreshed_in_time(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("stale") as ua, ua.register(expires=6) as registration:
        first = registration.expires_at
        await asyncio.sleep(7)  # longer than the first binding lasts, and its nonce
        await eventually(lambda: registration.expires_at != first)
        assert registration.active
        assert await asterisk.contacts("stale") == [ua.contact]
