"""What cannot be written is refused at the door, with nothing left behind; what others write cannot hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipstack import AuthenticationFailed, Invitation, LocalProtocolError, UserAgent
from sipstack.core.core import Core
from sipstack.errors import InternalError
from sipstack.message import Response, parse
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.standalone import StandaloneRequest
from tests.ua.handlers import busy, echo

pytestmark = pytest.mark.virtual_time

LONE = "\ud800"
NUL = '"\\\0"'


async def call(agent: UserAgent, target: str, **options: Any) -> None:
    async with agent.call(target, **options):
        raise AssertionError


async def register(agent: UserAgent, target: str, **options: Any) -> None:
    async with agent.register(**options):
        raise AssertionError


ASKED: list[Callable[[UserAgent], Awaitable[object]]] = [
    lambda agent: call(agent, f"sip:{LONE}@bob.test"),
    lambda agent: call(agent, f"sip:bob@bob.test;x={LONE}"),
    lambda agent: call(agent, "sip:bob.test", headers={"Subject": LONE}),
    lambda agent: call(agent, "sip:bob.test", from_=f"sip:{LONE}@alice.test"),
    lambda agent: register(agent, "", headers={"X": LONE}),
    lambda agent: agent.options(f"sip:{LONE}@bob.test"),
    lambda agent: agent.options("sip:bob.test", headers={"X": LONE}),
    lambda agent: agent.message("sip:bob.test", LONE),
    lambda agent: agent.message("sip:bob.test", "hello", content_type=f"text/{LONE}"),
    lambda agent: agent.request("MOO", "sip:bob.test", headers={"X": LONE}),
]


@pytest.mark.parametrize("ask", ASKED)
async def test_a_lone_surrogate_is_refused_and_leaves_nothing(
    world: World, ask: Callable[[UserAgent], Awaitable[object]]
) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        with pytest.raises(LocalProtocolError, match=r"cannot be written in UTF-8|cannot be a From"):
            await ask(alice)
        assert world.sent == []
        assert [media for media in world._media if not media.closed] == []
    assert world.leftovers == []


async def test_a_refusal_that_cannot_be_written_leaves_the_call_unanswered(world: World) -> None:
    async def handler(invitation: Invitation) -> None:
        for refuse in (
            invitation.reject(486, LONE),
            invitation.redirect(f"sip:{LONE}@h"),
            invitation.progress(180, headers={"X": LONE}),
        ):
            with pytest.raises(LocalProtocolError):
                await refuse
        assert not invitation.answered
        await busy(invitation)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(handler):
        with pytest.raises(Exception, match="486"):
            await call(alice, "sip:bob.test")
    assert world.leftovers == []


@pytest.mark.parametrize("credentials", [{}, {"password": "secret"}])
async def test_a_nul_in_the_realm_of_a_challenge_hangs_nobody(credentials: dict[str, str]) -> None:
    world = World()
    challenge = [("WWW-Authenticate", f'Digest realm={NUL}, nonce="n"')]

    def refuse(request: Any) -> list[Response]:
        return [] if request.method == "ACK" else [request.response(401, to_tag="t", headers=challenge)]

    peer = ScriptedPeer(world, "bob", on_request=refuse)
    async with world.user_agent("alice", registrar="sip:bob.test", **credentials) as alice:
        for ask in (call, register):
            with pytest.raises(AuthenticationFailed):
                await ask(alice, "sip:bob.test")
        with pytest.raises(AuthenticationFailed):
            (await alice.options("sip:bob.test")).raise_for_status()
    tries = 2 if credentials else 1
    assert [method for method in peer.methods if method != "ACK"] == (
        ["INVITE"] * tries + ["REGISTER"] * tries + ["OPTIONS"] * tries
    )
    assert world.leftovers == []


async def test_a_nul_in_the_from_of_a_caller_can_be_hung_up(world: World) -> None:
    async with world.user_agent("bob") as bob, ScriptedPeer(world, "carol") as carol:
        done = asyncio.Event()

        async def handler(invitation: Invitation) -> None:
            async with invitation.accept():
                pass
            done.set()

        async with bob.serving(handler):
            host, port = bob.listening[0][1:]
            offer = b"v=0\r\no=- 1 1 IN IP4 10.0.1.9\r\ns=-\r\nc=IN IP4 10.0.1.9\r\nt=0 0\r\n"
            offer += b"m=audio 4000 RTP/AVP 0\r\n"
            invite = carol.write("INVITE", f"sip:bob@{host}", body=offer)
            headers = invite.headers.with_("From", f"{NUL} <{carol.uri}>;tag=c")
            carol.send((host, port), invite.replace(headers=headers))
            await carol.responded(1)
            carol.send((host, port), carol.inside(carol.response, "ACK", 1))
            await carol.received(1)
            carol.answer(carol.request, 200, None)
            await done.wait()
    assert carol.methods == ["BYE"]
    assert world.leftovers == []


async def test_a_fault_of_the_core_is_told_once_and_costs_one_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(f"{context['message']}: {context['exception']!r}")
    )
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        with monkeypatch.context() as patch:
            patch.setattr(StandaloneRequest, "response_received", broken)
            for _ in range(20):
                with pytest.raises(InternalError, match="ZeroDivisionError: a bug"):
                    await alice.options("sip:bob.test")
            patch.setattr(Core, "_receive_response", broken)
            flow = alice._runtime.driver.endpoints[0].flow_to(("10.0.0.2", 5060))
            response = parse(world.sent[-1].data)
            for _ in range(20):
                alice._runtime.driver.received(flow, bytes(response))
        assert (await alice.options("sip:bob.test")).status == 200
    message = "a fault in the protocol core; it has ended one request or call"
    assert reported == [f"{message}: ZeroDivisionError('a bug')"]
    assert world.leftovers == []
