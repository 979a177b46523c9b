"""Challenges to calls and single requests: a proxy that asks for credentials, a callee that does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from sipstack import AuthenticationFailed, TracedMessage, UserAgent
from sipstack.message import Request, Response
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering
from tests.ua.proxy import Proxy

pytestmark = pytest.mark.virtual_time

PASSWORD = "correct horse battery staple"
BOB = ("10.0.0.1", 5060)
HOST = ["guarded.test"]


def alice_of(world: World, password: str | None = PASSWORD, **options: object) -> UserAgent:
    return world.user_agent("alice", proxy="sip:proxy.test", **({"password": password} | options))


class Guarded(ScriptedPeer):
    """Answers 200 to a user that has the password, and keeps to one nonce for a second."""

    def __init__(self, world: World, challenger: Challenger) -> None:
        super().__init__(world, "guarded", ("10.0.1.3", 5060), on_request=self._respond)
        self._challenger = challenger

    def _respond(self, request: Request) -> Iterable[Response]:
        challenge = self._challenger.challenge(request, self.world.now)
        return [challenge or request.response(200, to_tag="guarded")]


# --- refused ---


@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_call_with_a_wrong_password_or_none(world: World, password: str | None) -> None:
    callee = Answering()
    async with world.user_agent("bob") as bob, bob.serving(callee), alice_of(world, password) as alice:
        async with Proxy(world, BOB, Challenger(PASSWORD)) as proxy:
            with pytest.raises(AuthenticationFailed, match="407") as raised:
                async with alice.call("sip:bob@bob.test"):
                    raise AssertionError
            await asyncio.sleep(100)
            assert (raised.value.status, callee.calls) == (407, [])
            assert proxy.methods == ["INVITE", "ACK"] * (2 if password else 1)
            assert alice._runtime.core.leftovers() == []
    assert world.leftovers == []


async def test_a_request_with_a_wrong_password_brings_the_challenge_as_its_response(world: World) -> None:
    async with Guarded(world, Challenger(PASSWORD)) as guarded:
        async with world.user_agent("alice", password="wrong", credentials_to=HOST) as alice:
            assert (await alice.options("sip:guarded.test")).status == 401
        assert guarded.methods == ["OPTIONS", "OPTIONS"]


# --- accepted ---


async def test_a_call_through_a_proxy_that_challenges_each_request(world: World) -> None:
    callee = Answering()
    challenger = Challenger(PASSWORD)
    async with world.user_agent("bob") as bob, bob.serving(callee), alice_of(world) as alice:
        async with Proxy(world, BOB, challenger) as proxy:
            async with alice.call("sip:bob@bob.test") as call:
                await asyncio.sleep(10)
                await call.hold()
                assert callee.calls[0].remote_held
            await asyncio.sleep(1)
            assert callee.ends == [HUNG_UP]
            assert proxy.methods == [
                *("INVITE", "ACK", "INVITE", "ACK"),
                *("INVITE", "ACK", "INVITE", "ACK"),  # the re-INVITE
                "BYE",  # to the same Request-URI, so it begins with the credentials that were taken
            ]
            numbers = [request.cseq.number for request in proxy.requests]
            assert numbers == [1, 1, 2, 2, 3, 3, 4, 4, 5]
            assert len(challenger.accepted) == 3
            await asyncio.sleep(100)
            assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
    assert world.leftovers == []


async def test_the_ack_repeats_the_credentials_of_its_invite(world: World) -> None:
    """RFC 3261 §22.1: an ACK is not challenged, and must carry what its INVITE was accepted with."""
    callee = Answering()
    async with world.user_agent("bob") as bob, bob.serving(callee), alice_of(world) as alice:
        async with Proxy(world, BOB, Challenger(PASSWORD)) as proxy:
            async with alice.call("sip:bob@bob.test"):
                await asyncio.sleep(0.1)  # the ACK arrives
                _, _, invite, ack = proxy.requests
            given = [request.headers.raw("Proxy-Authorization") for request in (invite, ack)]
            assert given[0] == given[1] != ()


async def test_the_callee_may_hang_up_past_the_proxy(world: World) -> None:
    callee = Answering()
    async with world.user_agent("bob") as bob, bob.serving(callee), alice_of(world) as alice:
        async with Proxy(world, BOB, Challenger(PASSWORD)):
            async with alice.call("sip:bob@bob.test") as call:
                await callee.calls[0].hang_up()
                assert (await call.ended()).by == "remote"
    assert world.leftovers == []


async def test_cancel_follows_the_invite_that_was_accepted(world: World) -> None:
    callee = Answering(ring=100)
    async with world.user_agent("bob") as bob, bob.serving(callee), alice_of(world) as alice:
        async with Proxy(world, BOB, Challenger(PASSWORD)) as proxy:
            async with alice.invite("sip:bob@bob.test"):
                await asyncio.sleep(5)
            await asyncio.sleep(1)
            assert callee.cancelled == 1
            assert proxy.methods == ["INVITE", "ACK", "INVITE", "CANCEL", "ACK"]
            assert proxy.requests[3].via.branch == proxy.requests[2].via.branch
    assert world.leftovers == []


async def test_a_stale_nonce_is_renewed(world: World) -> None:
    challenger = Challenger(PASSWORD, lifetime=10.0)
    async with Guarded(world, challenger) as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            for _ in range(2):
                assert (await alice.options("sip:guarded.test")).status == 200
                await asyncio.sleep(60)
        assert len(guarded.requests) == 4
        assert len(challenger.accepted) == 2


async def test_who_calls_every_nonce_stale_is_not_obeyed_for_ever() -> None:
    world = World(link=Link(delay=0.05))
    async with Guarded(world, Challenger(PASSWORD, lifetime=0.01)) as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            assert (await alice.options("sip:guarded.test")).status == 401
        assert 2 < len(guarded.requests) < 8


async def test_what_was_accepted_once_is_offered_at_once_the_next_time(world: World) -> None:
    challenger = Challenger(PASSWORD)
    async with Guarded(world, challenger) as guarded:
        async with world.user_agent("alice", password=PASSWORD, credentials_to=HOST) as alice:
            assert (await alice.options("sip:guarded.test")).status == 200
            assert (await alice.message("sip:guarded.test", "hello")).status == 200
        assert guarded.methods == ["OPTIONS", "OPTIONS", "MESSAGE"]
        assert challenger.accepted == ["SHA-256", "SHA-256"]


# --- secrecy ---


async def test_the_password_is_nowhere_to_be_seen(world: World) -> None:
    traced: list[TracedMessage] = []
    async with Guarded(world, Challenger("wrong")):
        async with world.user_agent(
            "alice", password=PASSWORD, credentials_to=HOST, trace=traced.append
        ) as alice:
            with pytest.raises(AuthenticationFailed) as raised:
                async with alice.call("sip:guarded.test"):
                    raise AssertionError
            seen = [repr(alice), repr(alice._runtime.core.configuration), repr(traced), repr(raised.value)]
    assert traced
    assert [text for text in seen if PASSWORD in text] == []
    assert [passage for passage in world.trace if PASSWORD.encode() in passage.data] == []
