"""Calls through the public API, on a perfect network."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import (
    CallEnded,
    CallRejected,
    IncomingRequest,
    Invitation,
    LocalProtocolError,
    NegotiationError,
    ResolutionError,
    TransactionTimeout,
    TransportError,
    bridge,
)
from sipstack.errors import RequestFailed
from sipstack.media.audio import Frame
from sipstack.sdp import Direction
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering, busy, echo

pytestmark = pytest.mark.virtual_time


async def test_a_call_is_set_up_and_ended_by_the_caller(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(60)
            assert call.codec == "PCMU"
            assert str(call.remote) == "sip:bob@bob.test"
            assert str(call.local) == "sip:alice@alice.test"
            assert call.id == callee.calls[0].id
        assert call.duration == pytest.approx(60)
        assert (await call.ended()).by == "local"
        await asyncio.sleep(0)
        assert callee.ends == [HUNG_UP]
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)


async def test_the_caller_sees_the_response_that_answered(world: World) -> None:
    received: list[object] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept(headers={"Server": "Bob 1.0"}) as call:
            received.append(call.response)
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answer):
        async with alice.call("sip:bob@bob.test") as call:
            assert call.response is not None
            assert (call.response.status, call.response.headers.get("Server")) == (200, "Bob 1.0")
    assert received == [None]
    assert world.leftovers == []


async def test_the_callee_hangs_up_with_a_reason(world: World) -> None:
    async def leave(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await asyncio.sleep(5)
            await call.hang_up("Q.850;cause=16")

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(leave):
        async with alice.call("sip:bob@bob.test") as call:
            end = await call.ended()
    assert (end.by, end.reason) == ("remote", "Q.850;cause=16")
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        bob -> alice    BYE sip:alice@10.0.0.1:5060 [1]
        alice -> bob    200 OK [1 BYE]
    """)


async def test_what_is_in_progress_when_the_call_ends_raises(world: World) -> None:
    async def leave(invitation: Invitation) -> None:
        async with invitation.accept():
            await asyncio.sleep(5)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(leave):
        async with alice.call("sip:bob@bob.test") as call:
            with pytest.raises(CallEnded) as raised:
                await asyncio.gather(*(call.audio.send(Frame(bytes(320))) for _ in range(100)))
            assert raised.value.by == "remote"
            with pytest.raises(CallEnded):
                await call.hold()
            assert [frame async for frame in call.audio] == []
    assert world.leftovers == []


async def test_a_refusal_raises_with_its_status(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(busy):
        with pytest.raises(CallRejected, match="486 Busy Here") as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError("the call was refused")
        assert raised.value.status == 486
        await asyncio.sleep(0.1)  # the ACK arrives
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    486 Busy Here [1 INVITE]
        alice -> bob    ACK sip:bob@bob.test [1]
    """)


async def test_nobody_serves(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        with pytest.raises(CallRejected) as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
    assert raised.value.status == 480


async def test_a_handler_that_does_not_answer_refuses_with_480(world: World) -> None:
    async def shy(invitation: Invitation) -> None:
        await invitation.progress(180)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(shy):
        with pytest.raises(CallRejected) as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        await asyncio.sleep(0.1)  # the ACK arrives
    assert raised.value.status == 480
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    480 Temporarily Unavailable [1 INVITE]
        alice -> bob    ACK sip:bob@bob.test [1]
    """)


async def test_a_handler_that_raises_refuses_with_500_and_the_server_lives_on(world: World) -> None:
    reported: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(str(context["exception"])))

    async def broken(invitation: Invitation) -> None:
        raise RuntimeError("a bug")

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(broken):
        for _ in range(2):
            with pytest.raises(CallRejected) as raised:
                async with alice.call("sip:bob@bob.test"):
                    raise AssertionError
            assert raised.value.status == 500
    assert reported == ["a bug", "a bug"]


async def test_a_phone_may_ring_longer_than_32_seconds(world: World) -> None:
    callee = Answering(ring=100)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(100)
            assert alice.calls == [call]
    assert world.leftovers == []
    assert world.ladder()[:4] == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    200 OK [1 INVITE]
    """)


async def test_ring_timeout_cancels(world: World) -> None:
    callee = Answering(ring=100)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        with pytest.raises(TransactionTimeout, match="nobody answered within 20 s"):
            async with alice.call("sip:bob@bob.test", ring_timeout=20):
                raise AssertionError
        await asyncio.sleep(0.1)  # the ACK arrives
    assert callee.cancelled == 1
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    180 Ringing [1 INVITE]
        alice -> bob    CANCEL sip:bob@bob.test [1]
        bob -> alice    200 OK [1 CANCEL]
        bob -> alice    487 Request Terminated [1 INVITE]
        alice -> bob    ACK sip:bob@bob.test [1]
    """)


async def test_silence_is_a_timeout_after_32_seconds(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        world.network.down("10.0.0.2")
        with pytest.raises(TransactionTimeout):
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        assert loop.time() == pytest.approx(32)
    assert world.leftovers == []


async def test_a_closed_port_is_a_transport_error() -> None:
    world = World(icmp=True, link=Link(delay=0.01))
    async with world.user_agent("alice") as alice:
        with pytest.raises(TransportError):
            async with alice.call("sip:nobody@10.0.0.1:9"):
                raise AssertionError
    assert world.leftovers == []


async def test_an_unknown_name_is_a_resolution_error(world: World) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(ResolutionError):
            async with alice.call("sip:bob@nowhere.test"):
                raise AssertionError
    assert world.leftovers == []


@pytest.mark.parametrize("target", ["bob", "sip:", "http://bob.test", "sip:bob@bob.test\r\nX: 1"])
async def test_a_target_that_cannot_be_called_is_the_callers_mistake(world: World, target: str) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="write it like sip:bob@example.com"):
            async with alice.call(target):
                raise AssertionError


async def test_provisionals_are_streamed_until_the_final_response(world: World) -> None:
    async def slow(invitation: Invitation) -> None:
        for status in (180, 181, 183):
            await invitation.progress(status)
            await asyncio.sleep(1)
        async with invitation.accept() as call:
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(slow):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            seen = [response.status async for response in outgoing.provisionals()]
            call = await outgoing.answered()
            assert await outgoing.answered() is call
            assert seen == [180, 181, 183]
    assert world.leftovers == []


async def test_early_media_is_agreed_before_the_answer(world: World) -> None:
    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        await asyncio.sleep(3)
        async with invitation.accept() as call:
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(announce):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            async for response in outgoing.provisionals():
                await asyncio.sleep(0.1)
                assert response.status == 183
                assert outgoing.audio.codec == "PCMU"
            await outgoing.answered()
    assert world.leftovers == []


async def test_a_late_offer_is_answered_in_the_ack(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.invite("sip:bob@bob.test", offer=False) as outgoing:
            call = await outgoing.answered()
            await asyncio.sleep(1)
            assert call.codec == "PCMU"
            assert callee.calls[0].codec == "PCMU"
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)


async def test_leaving_without_awaiting_the_answer_ends_the_call(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.invite("sip:bob@bob.test"):
            await asyncio.sleep(10)
        await asyncio.sleep(1)
        assert bob.calls == []
    assert world.leftovers == []


async def test_hold_and_resume(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            await call.hold()
            assert (call.held, callee.calls[0].remote_held) == (True, True)
            await call.resume()
            assert (call.held, callee.calls[0].remote_held) == (False, False)
            await callee.calls[0].hold()
            assert (callee.calls[0].held, call.remote_held) == (True, True)
            await callee.calls[0].resume()
            assert (callee.calls[0].held, call.remote_held) == (False, False)
    assert world.leftovers == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    INVITE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [2]
        alice -> bob    INVITE sip:bob@10.0.0.2:5060 [3]
        bob -> alice    200 OK [3 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [3]
        bob -> alice    INVITE sip:alice@10.0.0.1:5060 [1]
        alice -> bob    200 OK [1 INVITE]
        bob -> alice    ACK sip:alice@10.0.0.1:5060 [1]
        bob -> alice    INVITE sip:alice@10.0.0.1:5060 [2]
        alice -> bob    200 OK [2 INVITE]
        bob -> alice    ACK sip:alice@10.0.0.1:5060 [2]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [4]
        bob -> alice    200 OK [4 BYE]
    """)


async def test_both_sides_hold_at_the_same_moment(world: World) -> None:
    world.network.set_link(Link(delay=0.05))
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(1)
            await asyncio.gather(call.hold(), callee.calls[0].hold())
            assert (call.held, call.remote_held) == (True, True)
            assert (callee.calls[0].held, callee.calls[0].remote_held) == (True, True)
    assert world.leftovers == []
    assert [line for line in world.ladder() if "491" in line] == ladder("""
        bob -> alice    491 Request Pending [2 INVITE]
        alice -> bob    491 Request Pending [1 INVITE]
    """)


async def test_a_refused_hold_leaves_the_call_as_it_was(world: World) -> None:
    from sipstack.testing.media import SilentMedia

    class Stubborn(SilentMedia):
        answers = 0

        async def answer(self, offer, direction=Direction.SENDRECV):  # type: ignore[no-untyped-def]
            self.answers += 1
            if self.answers > 1:
                raise NegotiationError("once is enough")
            return await super().answer(offer, direction)

    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob", media=Stubborn) as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(RequestFailed) as raised:
                await call.hold()
            assert (raised.value.status, call.held) == (488, False)
            await asyncio.sleep(1)
            assert bob.calls == callee.calls
    assert world.leftovers == []


async def test_redirection_names_the_targets(world: World) -> None:
    async def moved(invitation: Invitation) -> None:
        await invitation.redirect("sip:carol@carol.test", "sip:dave@dave.test")

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(moved):
        with pytest.raises(CallRejected) as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
    contacts = raised.value.response.contacts
    assert raised.value.status == 302
    assert [str(contact.uri) for contact in contacts] == ["sip:carol@carol.test", "sip:dave@dave.test"]


async def test_two_calls_are_bridged_as_in_the_readme(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as switch,
    ):

        async def forward(invitation: Invitation) -> None:
            async with switch.invite("sip:bob@bob.test") as outgoing:
                async for response in outgoing.provisionals():
                    await invitation.progress(response.status)
                callee = await outgoing.answered()
                async with invitation.accept() as caller:
                    await bridge(caller, callee)

        callee = Answering(ring=2)
        async with bob.serving(callee), switch.serving(forward):
            async with alice.call("sip:bob@switch.test"):
                await asyncio.sleep(30)
            await asyncio.sleep(1)
            assert callee.ends == [HUNG_UP]
    assert world.leftovers == []


async def test_an_offer_without_audio_in_common_is_refused_with_488(world: World) -> None:
    from sipstack.testing.media import SilentMedia

    class Picky(SilentMedia):
        async def answer(self, offer, direction=Direction.SENDRECV):  # type: ignore[no-untyped-def]
            raise NegotiationError("nothing in common")

    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with world.user_agent("alice") as alice, world.user_agent("bob", media=Picky) as bob:
        async with bob.serving(echo):
            with pytest.raises(CallRejected) as raised:
                async with alice.call("sip:bob@bob.test"):
                    raise AssertionError
    assert raised.value.status == 488
    assert world.leftovers == []


async def test_options_and_message(world: World) -> None:
    received: list[tuple[str, bytes]] = []
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def take(request: IncomingRequest) -> None:
            received.append((str(request.from_.uri), request.body))
            await request.respond(200)

        answer = await alice.options("sip:bob@bob.test")
        assert (answer.status, answer.headers.get("Accept")) == (200, "application/sdp")
        assert "INVITE" in answer.allow
        async with bob.serving(requests={"MESSAGE": take}):
            assert (await alice.message("sip:bob@bob.test", "Grüße")).status == 200
    assert received == [("sip:alice@alice.test", "Grüße".encode())]


async def test_leaving_the_user_agent_ends_its_calls(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice:
        async with world.user_agent("bob") as bob, bob.serving(callee):
            async with alice.invite("sip:bob@bob.test") as outgoing:
                call = await outgoing.answered()
                await asyncio.sleep(1)
                async with asyncio.timeout(5):
                    await bob.__aexit__(None, None, None)
                assert (await call.ended()).by == "remote"
    assert world.leftovers == []


async def test_a_callee_whose_contact_leads_nowhere_is_a_transport_error() -> None:
    """It is told, and both ACK and BYE go where the INVITE went."""
    world = World()
    async with world.user_agent("alice") as alice, ScriptedPeer(world, "bob") as bob:
        calling = asyncio.create_task(alice.call("sip:bob.test").__aenter__())
        await bob.received(1)
        bob.answer(bob.request, 200, contact="<sip:bob@bob.test;transport=tcp>", body=b"v=0 never read")
        with pytest.raises(TransportError, match="the transport is not available"):
            await calling
        await bob.received(3)
        assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert world.leftovers == []
