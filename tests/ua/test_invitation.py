"""Calls that come in, from callers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sipstack import CallEnded, CallRejected, Invitation, LocalProtocolError, MediaError, NegotiationError
from sipstack.media.port import MediaPort
from sipstack.message import Request, Response
from sipstack.sdp import Direction, SessionDescription
from sipstack.testing.ladders import ladder
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

BOB = ("10.0.0.1", 5060)
SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.1.9\r\ns=-\r\nc=IN IP4 10.0.1.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
VIDEO = SDP.replace(b"audio", b"video")
OFFERED = ("Content-Type", "application/sdp")

Handler = Callable[[Invitation], Awaitable[None]]


class Caller(ScriptedPeer):
    """Sends an INVITE, and CANCEL or ACK when it is told to. It answers every request with 200."""

    def __init__(self, world: World, body: bytes = SDP) -> None:
        super().__init__(world, "caller", ("10.0.1.9", 5060), on_request=self._respond)
        self._ours = self.write("INVITE", "sip:bob@10.0.0.1:5060", body=body)

    def call(self) -> None:
        self.send(BOB, self._ours)

    def cancel(self, *reasons: str) -> None:
        headers = self._ours.headers.without("Content-Type", "Contact").with_("CSeq", "1 CANCEL")
        headers = headers.with_("Reason", *reasons)
        self.send(BOB, self._ours.replace(method="CANCEL", headers=headers, body=b""))

    def acknowledge(self, body: bytes = b"") -> None:
        """Acknowledge the last 2xx."""
        headers = self._ours.headers.without("Content-Type")
        headers = headers.with_("To", self.responses[-1].to).with_("CSeq", "1 ACK")
        headers = headers.with_("Via", "SIP/2.0/UDP 10.0.1.9:5060;branch=z9hG4bK-ack")
        if body:
            headers = headers.with_(*OFFERED)
        self.send(BOB, self._ours.replace(method="ACK", headers=headers, body=body))

    def _respond(self, request: Request) -> list[Response]:
        return [] if request.method == "ACK" else [request.response(200)]

    @property
    def statuses(self) -> list[int]:
        """The final statuses of the INVITE, without repetitions."""
        finals = [
            each.status for each in self.responses if each.cseq.method == "INVITE" and each.status >= 200
        ]
        return list(dict.fromkeys(finals))


@pytest.fixture
def reported() -> list[BaseException]:
    """What goes to the loop's exception handler, once a test has asked for it."""
    return []


def report_to(reported: list[BaseException]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))


async def accept(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.ended()


# --- what cannot be accepted ---


@pytest.mark.parametrize(
    ("body", "status"), [(VIDEO, 488), (b"v=0\r\nnonsense", 488)], ids=["video", "broken"]
)
@pytest.mark.parametrize("early", [False, True], ids=["accept", "early-media"])
async def test_an_offer_that_cannot_be_answered_is_refused(
    world: World, body: bytes, status: int, early: bool, reported: list[BaseException]
) -> None:
    raised: list[type[Exception]] = []

    async def handler(invitation: Invitation) -> None:
        try:
            if early:
                await invitation.progress(183, early_media=True)
            else:
                await accept(invitation)
        except NegotiationError as error:
            raised.append(type(error))
            raise

    report_to(reported)
    async with world.user_agent("bob") as bob, Caller(world, body) as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(1)
        assert (caller.statuses, raised) == ([status], [NegotiationError])
    assert reported == []  # what others offer is no fault of the handler
    assert world.leftovers == []


async def test_media_that_cannot_be_made_is_500_and_the_handlers_fault(
    world: World, reported: list[BaseException]
) -> None:
    def none(host: str) -> MediaPort:
        raise MediaError("no device")

    report_to(reported)
    async with world.user_agent("bob", media=none) as bob, Caller(world) as caller, bob.serving(accept):
        caller.call()
        await asyncio.sleep(1)
        assert caller.statuses == [500]
    assert [str(error) for error in reported] == ["no device"]
    assert world.leftovers == []


async def test_an_answered_invitation_cannot_be_answered_again(
    world: World, reported: list[BaseException]
) -> None:
    async def twice(invitation: Invitation) -> None:
        await invitation.reject(486)
        for answer in (invitation.reject(603), invitation.progress(180), accept(invitation)):
            with pytest.raises(LocalProtocolError, match="is answered or cancelled"):
                await answer
        assert invitation.answered

    report_to(reported)
    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(twice):
        caller.call()
        await asyncio.sleep(1)
        assert caller.statuses == [486]
    assert reported == []
    assert world.leftovers == []


@pytest.mark.parametrize("status", [99, 100, 200, 486])
async def test_only_provisionals_tell_of_progress(world: World, status: int) -> None:
    async def handler(invitation: Invitation) -> None:
        with pytest.raises(LocalProtocolError):
            await invitation.progress(status)
        await invitation.reject(480)

    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(1)
        assert caller.statuses == [480]


# --- the caller gives up ---


@pytest.mark.parametrize("early", [False, True], ids=["ringing", "early-media"])
async def test_cancel_cancels_the_handler(world: World, early: bool) -> None:
    over: list[bool] = []

    async def ring(invitation: Invitation) -> None:
        try:
            await invitation.progress(183, early_media=early)
            await asyncio.sleep(100)
        finally:
            over.append(invitation.cancelled)

    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(ring):
        caller.call()
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.sleep(1)
        assert (caller.statuses, over) == ([487], [True])
        assert [left for left in world.leftovers if "media" in left] == []
    assert world.leftovers == []


ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
GIVEN_UP = "SIP;cause=487;text=ORIGINATOR_CANCEL"


@pytest.mark.parametrize(
    ("reasons", "told", "elsewhere"),
    [
        ((), "", False),
        ((ELSEWHERE,), ELSEWHERE, True),
        (("Q.850;cause=26", ELSEWHERE), f"Q.850;cause=26, {ELSEWHERE}", True),
        ((f"Q.850;cause=16,{ELSEWHERE}",), f"Q.850;cause=16,{ELSEWHERE}", True),
        ((GIVEN_UP,), GIVEN_UP, False),
        (("Q.850;cause=200",), "Q.850;cause=200", False),
        (("SIP;cause=many",), "SIP;cause=many", False),
        ((";;;",), ";;;", False),
        (('"',), '"', False),
    ],
)
async def test_a_cancel_says_why_and_whether_the_call_is_missed(
    world: World, reasons: tuple[str, ...], told: str, elsewhere: bool
) -> None:
    why: list[tuple[str, bool]] = []

    async def ring(invitation: Invitation) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            why.append((invitation.cancel_reason, invitation.answered_elsewhere))

    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(ring):
        caller.call()
        await asyncio.sleep(1)
        caller.cancel(*reasons)
        await asyncio.sleep(1)
        assert (caller.statuses, why) == ([487], [(told, elsewhere)])
    assert world.leftovers == []


async def test_cancel_while_the_media_thinks(world: World) -> None:
    class Slow(SilentMedia):
        async def answer(
            self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
        ) -> SessionDescription:
            await asyncio.sleep(10)
            return await super().answer(offer, direction)

    made: list[Slow] = []

    def media(host: str) -> Slow:
        made.append(Slow(host))
        return made[-1]

    async with world.user_agent("bob", media=media) as bob, Caller(world) as caller, bob.serving(accept):
        caller.call()
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.sleep(20)
        assert caller.statuses == [487]
        assert [each.closed for each in made] == [True]
    assert world.leftovers == []


async def test_a_handler_that_goes_on_after_the_cancel_cannot_accept(
    world: World, reported: list[BaseException]
) -> None:
    outcomes: list[str] = []

    async def stubborn(invitation: Invitation) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            try:
                await accept(invitation)
            except LocalProtocolError as error:
                outcomes.append(str(error))

    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(stubborn):
        caller.call()
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.sleep(1)
        assert caller.statuses == [487]
    assert outcomes == ["the invitation is answered or cancelled"]
    assert world.leftovers == []


# --- accepted ---


async def test_early_media_is_made_once_and_kept(world: World) -> None:
    made: list[SilentMedia] = []

    def media(host: str) -> SilentMedia:
        made.append(SilentMedia(host))
        return made[-1]

    async def handler(invitation: Invitation) -> None:
        assert invitation.offer is not None
        await invitation.progress(183, early_media=True)
        await invitation.progress(183, early_media=True)
        async with invitation.accept() as call:
            assert call.audio is made[0].audio
            await call.ended()

    async with world.user_agent("bob", media=media) as bob, Caller(world) as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(0.1)
        caller.acknowledge()
        bodies = {response.body for response in caller.responses}
        assert (len(bodies), len(made)) == (1, 1)
    assert [made[0].closed, caller.methods] == [True, ["BYE"]]
    assert world.leftovers == []


@pytest.mark.parametrize("early", [False, True], ids=["accept", "early-media"])
async def test_early_media_that_came_to_nothing_is_closed(world: World, early: bool) -> None:
    async def handler(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=early)
        await invitation.redirect("sip:carol@carol.test")

    async with world.user_agent("bob") as bob, Caller(world) as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(1)
        assert caller.statuses == [302]
        assert [left for left in world.leftovers if "media" in left] == []
    assert world.leftovers == []


# --- the offer is ours ---


async def test_the_answer_to_our_offer_comes_in_the_ack(world: World) -> None:
    codecs: list[str | None] = []

    async def handler(invitation: Invitation) -> None:
        assert invitation.offer is None
        async with invitation.accept() as call:
            codecs.append(call.codec)
            await call.ended()

    async with world.user_agent("bob") as bob, Caller(world, b"") as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(0.1)
        assert codecs == []  # not before the ACK
        caller.acknowledge(SDP)
        await asyncio.sleep(0.1)
        assert codecs == ["PCMU"]
    assert world.leftovers == []


@pytest.mark.parametrize("body", [VIDEO, b"v=0\r\nnonsense"], ids=["video", "broken"])
async def test_an_answer_in_the_ack_that_cannot_be_taken_ends_the_call(
    world: World, body: bytes, reported: list[BaseException]
) -> None:
    report_to(reported)
    async with world.user_agent("bob") as bob, Caller(world, b"") as caller, bob.serving(accept):
        caller.call()
        await asyncio.sleep(0.1)
        caller.acknowledge(body)
        await asyncio.sleep(1)
        assert caller.methods == ["BYE"]
        assert caller.requests[0].headers.get("Reason") == "SIP;cause=488"
    assert reported == []
    assert world.leftovers == []


@pytest.mark.parametrize("body", [SDP, b""], ids=["early-offer", "late-offer"])
async def test_a_caller_who_never_acknowledges(
    world: World, body: bytes, reported: list[BaseException]
) -> None:
    ends: list[CallEnded] = []

    async def handler(invitation: Invitation) -> None:
        try:
            async with invitation.accept() as call:
                ends.append(await call.ended())
        except CallEnded as end:
            ends.append(end)

    report_to(reported)
    async with world.user_agent("bob") as bob, Caller(world, body) as caller, bob.serving(handler):
        caller.call()
        await asyncio.sleep(40)
        assert caller.methods == ["BYE"]
        assert [(end.by, end.reason) for end in ends] == [("timeout", "no ACK")]
    assert reported == []
    assert world.leftovers == []


async def test_a_handler_that_is_cancelled_while_it_waits_for_the_ack_says_bye(world: World) -> None:
    async with world.user_agent("bob") as bob, Caller(world, b"") as caller:
        async with bob.serving(accept):
            caller.call()
            await asyncio.sleep(0.1)
        caller.acknowledge(SDP)
        await asyncio.sleep(1)
        assert caller.methods == ["BYE"]
    assert world.leftovers == []


async def test_who_calls_whom(world: World) -> None:
    seen: list[str] = []

    async def handler(invitation: Invitation) -> None:
        seen.extend([str(invitation.from_.uri), str(invitation.to.uri), invitation.call_id, repr(invitation)])

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(handler):
        with pytest.raises(CallRejected, match="480"):
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        await asyncio.sleep(0.1)  # the ACK arrives
    caller, callee, call_id, written = seen
    assert (caller, callee) == ("sip:alice@alice.test", "sip:bob@bob.test")
    assert written == f"<Invitation {call_id} from sip:alice@alice.test>"
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    480 Temporarily Unavailable [1 INVITE]
        alice -> bob    ACK sip:bob@bob.test [1]
    """)
