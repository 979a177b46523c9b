"""An established call whose users, media or peer do something out of the ordinary."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sipstack import (
    Call,
    CallEnded,
    Frame,
    NegotiationError,
    Request,
    RequestFailed,
    Response,
    SipError,
    TransportError,
    UserAgent,
    sdp,
)
from sipstack.sdp import Direction, SessionDescription
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering

pytestmark = pytest.mark.virtual_time

Act = Callable[[SilentMedia], Awaitable[None]]


class Scripted(SilentMedia):
    """Media whose offers and answers a test delays or breaks. The numbers count from 1."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.offers = self.answers = self.applied = 0

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        self.offers += 1
        await self.before_offer(self.offers)
        return await super().offer(direction)

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        self.answers += 1
        await self.before_answer(self.answers)
        return await super().answer(offer, direction)

    async def answered(self, answer: SessionDescription) -> None:
        self.applied += 1
        await self.before_applying(self.applied)
        await super().answered(answer)

    async def before_offer(self, number: int) -> None: ...

    async def before_answer(self, number: int) -> None: ...

    async def before_applying(self, number: int) -> None: ...


# --- hold that is cancelled, refused, or cannot be offered ---


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.09, 0.1])
async def test_a_hold_that_was_given_up_is_followed_by_the_next_one(moment: float) -> None:
    world = World(link=Link(delay=0.05))
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            task = asyncio.create_task(call.hold())
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await call.resume()
            assert (call.held, callee.calls[0].remote_held) == (False, False)
            await call.hold()
            assert (call.held, callee.calls[0].remote_held) == (True, True)
    assert world.leftovers == []


async def test_an_offer_that_cannot_be_made_leaves_the_call_as_it_is(world: World) -> None:
    class Broken(Scripted):
        async def before_offer(self, number: int) -> None:
            if number == 2:
                raise TransportError("no port for media")

    callee = Answering()
    async with world.user_agent("alice", media=Broken) as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(TransportError, match="no port for media"):
                await call.hold()
            seen = [call.held]
            async with asyncio.timeout(1):
                await call.hold()
            assert [*seen, call.held] == [False, True]
    assert world.leftovers == []


async def test_an_offer_that_cannot_be_made_again_after_glare_fails_the_hold(world: World) -> None:
    class Broken(Scripted):
        async def before_offer(self, number: int) -> None:
            if number == 3:
                raise TransportError("no port for media")

    world.network.set_link(Link(delay=0.05))
    callee = Answering()
    async with world.user_agent("alice", media=Broken) as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(1)
            other = asyncio.create_task(callee.calls[0].hold())
            with pytest.raises(TransportError, match="no port for media"):
                await call.hold()
            await other
            assert (call.held, call.remote_held) == (False, True)
    assert world.leftovers == []


async def test_an_answer_that_the_media_refuses_ends_the_call(world: World) -> None:
    class Broken(Scripted):
        async def before_applying(self, number: int) -> None:
            if number == 2:
                raise NegotiationError("a codec that was not offered")

    callee = Answering()
    async with world.user_agent("alice", media=Broken) as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(NegotiationError, match="a codec that was not offered"):
                await call.hold()
            assert (await call.ended()).by == "local"
            await asyncio.sleep(1)
            assert callee.ends == [("remote", "SIP;cause=488")]
    assert world.leftovers == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(NegotiationError("no"), 488), (TransportError("no"), 500), (RuntimeError("no"), 500)],
)
async def test_an_offer_that_the_media_cannot_answer_is_refused(
    world: World, error: Exception, status: int
) -> None:
    class Broken(Scripted):
        async def before_answer(self, number: int) -> None:
            if number == 2:
                raise error

    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob", media=Broken) as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(RequestFailed) as raised:
                await call.hold()
            assert raised.value.status == status
            await call.hold()  # and the next one is answered
            assert callee.calls[0].remote_held
    assert world.leftovers == []
    assert reported == ([] if status == 488 else [error])


# --- a slow side ---


async def test_an_offer_that_is_withdrawn_while_the_media_thinks(world: World) -> None:
    """The call ends, and with it the re-INVITE, before the media has an answer to it."""

    class Slow(Scripted):
        async def before_answer(self, number: int) -> None:
            if number == 2:
                await asyncio.sleep(10)

    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob", media=Slow) as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            task = asyncio.create_task(call.hold())
            await asyncio.sleep(1)
            await call.hang_up()
            with pytest.raises(CallEnded):
                await task
            await asyncio.sleep(20)
            assert callee.ends == [HUNG_UP]
    assert world.leftovers == []


async def test_the_first_answer_is_applied_before_the_peers_first_reinvite_is_answered(world: World) -> None:
    class Slow(Scripted):
        async def before_applying(self, number: int) -> None:
            if number == 1:
                await asyncio.sleep(1)

    callee = Answering()
    async with world.user_agent("alice", media=Slow) as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee), alice.invite("sip:bob@bob.test") as outgoing:
            await asyncio.sleep(0.5)
            await callee.calls[0].hold()
            call = await outgoing.answered()
            assert call.remote_held
            assert callee.calls[0].held
    assert world.leftovers == []


# --- how the other side says that it holds us ---


@pytest.mark.parametrize(
    ("session", "medium", "held"),
    [
        ([], [], False),
        ([], ["a=sendonly"], True),
        ([], ["a=inactive"], True),
        (["a=sendonly"], [], True),
        (["a=inactive"], [], True),
        (["a=sendonly"], ["a=sendrecv"], False),
        (["a=sendrecv"], ["a=inactive"], True),
        ([], ["c=IN IP4 0.0.0.0"], True),
        (["c=IN IP4 0.0.0.0"], [], True),
        (["c=IN IP4 0.0.0.0"], ["c=IN IP4 10.0.0.1"], False),
        (["c=IN IP4 0.0.0.0"], ["a=sendrecv"], True),
        ([], ["a=recvonly"], False),
    ],
)
async def test_a_hold_is_a_direction_or_an_address_of_session_or_medium(
    world: World, session: list[str], medium: list[str], held: bool
) -> None:
    """RFC 8866 §6.7, RFC 3264 §8.4."""

    class Worded(SilentMedia):
        async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
            await super().offer(direction)
            connection = [] if any(line.startswith("c=") for line in session) else ["c=IN IP4 10.0.0.1"]
            lines = ["v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=-", *connection, "t=0 0", *session]
            return sdp.parse("\r\n".join([*lines, "m=audio 40000 RTP/AVP 0", *medium]))

    callee = Answering()
    async with world.user_agent("alice", media=Worded) as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test") as call:
            await call.hold()
            assert callee.calls[0].remote_held is held
    assert world.leftovers == []


# --- the end ---


async def test_audio_stops_with_our_bye_and_not_with_its_answer(world: World) -> None:
    """RFC 3261 §15.1.1."""
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            world.network.partition({"10.0.0.1"}, {"10.0.0.2"})
            task = asyncio.create_task(call.hang_up())
            await asyncio.sleep(0.1)
            with pytest.raises(CallEnded) as raised:
                await call.audio.send(Frame(bytes(320)))
            assert raised.value.by == "local"
            with pytest.raises(CallEnded):
                await call.hold()
            assert [left for left in world.leftovers if "SilentMedia 10.0.0.1" in left] == []
            world.network.heal()
            await task
            await asyncio.sleep(1)
        assert callee.ends == [HUNG_UP]
    assert world.leftovers == []


async def test_hanging_up_in_many_tasks_is_one_bye(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(Answering()):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.gather(*(call.hang_up() for _ in range(5)))
            ends = await asyncio.gather(*(call.ended() for _ in range(5)))
            assert {(end.by, end.reason) for end in ends} == {("local", "")}
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)
    assert world.leftovers == []


async def test_its_duration_ends_with_it(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(Answering()):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(5)
            assert (call.duration, repr(call)) == (5, f"<Call {call.id} established with sip:bob@bob.test>")
        await asyncio.sleep(5)
        assert (call.duration, repr(call)) == (5, f"<Call {call.id} ended with sip:bob@bob.test>")


# --- re-INVITEs without an offer: ours goes in the 200, the answer comes in the ACK ---


class Heard:
    """A client that keeps the responses."""

    def __init__(self) -> None:
        self.responses: list[Response] = []

    def response_received(self, response: Response, now: float) -> None:
        self.responses.append(response)

    def request_failed(self, error: SipError, now: float) -> None:
        raise AssertionError(error)


async def asked_for_an_offer(agent: UserAgent, call: Call, answer: bytes | None) -> list[int]:
    """Send a re-INVITE without an offer from this side, and with the ACK the answer, or the offer itself."""
    session, heard, core = call._session, Heard(), agent._runtime.core
    draft = session.usages.draft("INVITE", contact=True)
    agent._runtime.command(core.send, draft, heard, agent._runtime.now(), session.usages)
    await asyncio.sleep(0.1)
    body = answer if answer is not None else heard.responses[0].body
    headers = (("Content-Type", "application/sdp"),)
    agent._runtime.command(session.usages.send_ack, draft.cseq, headers, body, session, agent._runtime.now())
    await asyncio.sleep(0.1)
    return [response.status for response in heard.responses]


@pytest.mark.parametrize("asked", ["caller", "callee"])
async def test_the_answer_in_the_ack_reaches_the_media(world: World, asked: str) -> None:
    media: list[Scripted] = []

    def counting(host: str) -> Scripted:
        media.append(Scripted(host))
        return media[-1]

    callee = Answering()
    async with (
        world.user_agent("alice", media=counting) as alice,
        world.user_agent("bob", media=counting) as bob,
        bob.serving(callee),
        alice.call("sip:bob@bob.test") as call,
    ):
        sides = [(bob, callee.calls[0]), (alice, call)]
        before = [each.applied for each in media]
        assert await asked_for_an_offer(*sides[asked == "callee"], answer=None) == [200]
        applied = [each.applied - earlier for each, earlier in zip(media, before, strict=True)]
        assert applied == ([1, 0] if asked == "caller" else [0, 1])
        await call.hold()  # and the call goes on
        assert callee.calls[0].remote_held
    assert world.leftovers == []


async def test_an_answer_in_the_ack_that_cannot_be_read_ends_the_call(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            assert await asked_for_an_offer(alice, call, b"v=0\r\nbroken") == [200]
            assert (await call.ended()).by == "remote"
            assert [end[0] for end in callee.ends] == ["local"]
    assert world.leftovers == []


async def test_an_ack_without_the_answer_leaves_the_call_as_it_was(world: World) -> None:
    """§14.1: a re-INVITE that comes to nothing changes nothing, whoever made the offer."""
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            assert await asked_for_an_offer(alice, call, b"") == [200]
            await asyncio.sleep(100)
            await call.hold()
            await callee.calls[0].hold()
            assert (call.remote_held, callee.calls[0].remote_held) == (True, True)
    assert world.leftovers == []


# --- refused for the moment ---

ANSWER = b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Busy(ScriptedPeer):
    """Takes the call; refuses each second re-INVITE as long as it waits for our ACK, as Asterisk does."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "bob", on_request=self._respond)
        self._invites = 0

    def _respond(self, request: Request) -> list[Response]:
        if request.method == "ACK":
            return []
        fields = [("Contact", f"<{self.uri}>"), ("Content-Type", "application/sdp")]
        if request.method == "INVITE":
            self._invites += 1
            if self._invites % 2 == 0:
                reason = "Another INVITE transaction in progress"
                return [request.response(500, reason, headers=[("Retry-After", 0)])]
            return [request.response(200, to_tag="b", headers=fields, body=ANSWER)]
        return [request.response(200)]


async def test_hold_and_resume_succeed_when_they_are_put_off(world: World) -> None:
    peer = Busy(world)
    async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
        held = []
        for act in (call.hold, call.resume):
            await act()
            held.append(call.held)
        assert held == [True, False]
    assert peer.methods == ["INVITE", "ACK"] * 5 + ["BYE"]
    assert world.leftovers == []


async def test_a_hold_that_one_icmp_error_has_met_leaves_the_call(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob.test") as call:
            holding = asyncio.create_task(call.hold())
            await asyncio.sleep(0)
            driver = alice._runtime.driver
            driver.failed(driver.endpoints[0].flow_to(("10.0.0.2", 5060)), TransportError("link down"))
            with pytest.raises(RequestFailed, match="503 link down"):
                await holding
            await asyncio.sleep(100)
            assert alice.calls == [call]
            await call.hold()
            assert (call.held, callee.calls[0].remote_held) == (True, True)
    assert world.leftovers == []
