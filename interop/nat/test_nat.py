"""A phone behind a NAT: idle, while its mapping changes, while it moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from interop.nat.conftest import IDLE, KEEP_ALIVE, Nat
from interop.nat.elsewhere import over_there
from interop.nat.networks import OTHER_PUBLIC, PUBLIC
from interop.nat.phones import CLIENT_TONE, EXPIRES, SERVER_TONE, Phone, Registrar, dtls, hears, plain
from sipstack import Call, SipError
from sipstack.media.tones import sine
from sipstack.ua.runtime import MediaFactory

ARRIVES = 3.0  # seconds


async def test_after_minutes_of_silence_a_call_comes_in(nat: Nat) -> None:
    """And it does not without keep-alives: the router has forgotten the way."""
    alice, bob = Phone("alice", KEEP_ALIVE), Phone("bob", None)
    async with talking(nat, alice, bob) as registrar:
        assert f"@{PUBLIC}:" in registrar.by_user["alice"]  # learned: we are bound to another
        await asyncio.sleep(IDLE)
        async with called(nat, registrar, alice) as (theirs, ours):
            await both_hear(nat, theirs, ours)
        ended = await nat.home.do(ours.ended())
        assert ended.by == "remote"
        assert await nat.server.do(does_not_arrive(registrar, "bob"))
        assert bob.calls.empty()


async def test_the_mapping_changes_during_a_call(nat: Nat) -> None:
    """The router has another address all of a sudden. That is believed half a minute after the first one."""
    alice, bob = Phone("alice", KEEP_ALIVE, EXPIRES), Phone("bob", KEEP_ALIVE, EXPIRES, dtls)
    async with talking(nat, alice, bob) as registrar:
        async with called(nat, registrar, alice) as plainly, called(nat, registrar, bob) as secured:
            for call in (plainly, secured):
                await both_hear(nat, *call)
            await asyncio.to_thread(nat.networks.give_another_public_address)
            for call in (plainly, secured):
                await both_hear(nat, *call)  # at once: the sound follows its source
            await until(lambda: all(f"@{OTHER_PUBLIC}:" in each for each in registrar.by_user.values()), 50)
            await asyncio.sleep(1)  # the re-INVITE
            for call in (plainly, secured):
                await both_hear(nat, *call)
        for call in (plainly, secured):
            ended = await nat.home.do(call[1].ended())
            assert ended.by == "remote"  # their BYE has found us
        async with called(nat, registrar, alice) as call:
            await both_hear(nat, *call)


@pytest.mark.parametrize("media", [plain, dtls])
async def test_the_phone_moves_into_another_network_during_a_call(nat: Nat, media: MediaFactory) -> None:
    """With ICE, its re-INVITE begins that anew (RFC 8445 §9)."""
    alice = Phone("alice", KEEP_ALIVE, media=media)
    async with talking(nat, alice) as registrar:
        async with called(nat, registrar, alice) as (theirs, ours):
            await both_hear(nat, theirs, ours)
            before, known = registrar.by_user["alice"], len(registrar.contacts)
            await asyncio.to_thread(nat.networks.move_the_client)
            await until(lambda: len(registrar.contacts) > known, 15)
            await until(lambda: registrar.by_user["alice"] != before, 5)
            await asyncio.sleep(1)
            await both_hear(nat, theirs, ours)
        ended = await nat.home.do(ours.ended())
        assert ended.by == "remote"
        async with called(nat, registrar, alice) as (theirs, ours):
            await both_hear(nat, theirs, ours)


# -- the talk ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def talking(nat: Nat, *phones: Phone) -> AsyncIterator[Registrar]:
    """The registrar runs, and the phones are registered there, at the address that they have learned."""
    async with AsyncExitStack() as life:
        registrar = Registrar()
        await over_there(life, nat.server, registrar.open())
        for phone in phones:
            await over_there(life, nat.home, phone.open())
        await until(lambda: all(f"@{PUBLIC}:" in each for each in registrar.by_user.values()), 5)
        yield registrar


@asynccontextmanager
async def called(nat: Nat, registrar: Registrar, phone: Phone) -> AsyncIterator[tuple[Call, Call]]:
    """The registrar calls the phone: both ends of the call. It hangs up when the block is left."""
    async with AsyncExitStack() as life:
        theirs = await over_there(life, nat.server, registrar.place(phone.user, phone.media))
        await over_there(life, nat.server, theirs.playing(sine(SERVER_TONE, 1.0), loop=True))
        yield theirs, await nat.home.do(asyncio.wait_for(phone.calls.get(), ARRIVES))


async def both_hear(nat: Nat, theirs: Call, ours: Call) -> None:
    await asyncio.gather(
        nat.server.do(hears(theirs, CLIENT_TONE)),
        nat.home.do(hears(ours, SERVER_TONE)),
    )


async def does_not_arrive(registrar: Registrar, user: str) -> bool:
    try:
        async with asyncio.timeout(ARRIVES), registrar.place(user, plain):
            return False
    except (SipError, TimeoutError):
        return True


async def until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.1)
