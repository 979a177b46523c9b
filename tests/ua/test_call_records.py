"""One record of each call, however it ends (``UserAgent(records=...)``)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sipstack
from sipstack import (
    Accept,
    CallRejected,
    Invitation,
    InvitationReceived,
    Redirect,
    Reject,
    SipError,
)
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.world import World
from tests.ua.books import Books, how
from tests.ua.handlers import CLEARED, Answering, busy

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


# -- calls that are answered -------------------------------------------------------------------------------


async def test_both_sides_of_a_call_have_one_record_each(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob"), node="node 1") as bob,
        bob.serving(Answering(ring=2.0)),
        alice.call("sip:bob@bob.test") as call,
    ):
        await asyncio.sleep(10)
        session_id = call.session_id
    placed, taken = books.only("alice"), books.only("bob")
    assert (placed.incoming, taken.incoming) == (False, True)
    assert how(placed) == ("answered", None, "local", "")
    assert how(taken) == ("answered", None, "remote", CLEARED)
    assert (placed.local, placed.remote) == ("sip:alice@alice.test", "sip:bob@bob.test")
    assert (taken.local, taken.remote) == ("sip:bob@bob.test", "sip:alice@alice.test")
    assert placed.call_id == taken.call_id
    assert placed.key != taken.key
    assert (placed.duration, taken.duration) == (10_000, 10_000)
    assert placed.peer == f"{world.names['bob.test'][0]} 5060"
    assert (placed.transport, placed.secure, placed.security) == ("UDP", False, "")
    assert taken.nodes == ("node 1",)
    assert placed.session_id == str(session_id)
    assert placed.began <= (placed.answered or 0) <= placed.ended


async def test_a_call_with_audio_has_its_codec_and_how_it_sounded(world: World, books: Books) -> None:
    world = World(audio=True)
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        await asyncio.sleep(5)
    call = books.only("alice")
    assert call.codec == "PCMU"
    assert call.quality is not None
    assert call.quality["packets_sent"] >= 245
    assert call.quality["packets_received"] >= 245
    assert call.quality["packets_lost"] == 0
    assert call.quality["mos_hundredths"] > 400


async def test_a_call_over_tls_with_sdes_says_so(world: World, books: Books) -> None:
    def secured(host: str) -> sipstack.AudioSession:
        return world.audio_session(host, security="sdes")

    secure = {"media": secured, "listen": f"tls:{world._host('bob')}:5061"}
    async with (
        world.user_agent("bob", records=books.of("bob"), **secure) as bob,
        world.user_agent("alice", media=secured, dials=("tls",)) as alice,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test:5061;transport=tls"),
    ):
        await asyncio.sleep(2)
    call = books.only("bob")
    assert (call.transport, call.secure) == ("TLS", True)
    assert call.security.startswith("SDES-SRTP")


async def test_a_peer_that_is_gone_is_who_ended_the_call(world: World, books: Books) -> None:
    timer = sipstack.SessionTimer(90)
    async with (
        world.user_agent("alice", records=books.of("alice"), session_timer=timer) as alice,
        world.user_agent("bob", session_timer=timer) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test") as call,
    ):
        world.network.down(world.names["bob.test"][0])
        await call.ended()
    record = books.only("alice")
    assert record.outcome == "answered"
    assert record.by in ("timeout", "session timer")
    assert record.duration >= 30_000


async def test_a_late_offer_that_cannot_be_answered_has_one_record(world: World, books: Books) -> None:
    class Broken(SilentMedia):
        async def answer(self, *arguments: Any) -> Any:
            raise sipstack.NegotiationError("no codec in common")

    async with (
        world.user_agent("alice", records=books.of("alice"), media=Broken) as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(Answering()),
    ):
        with pytest.raises(sipstack.NegotiationError):
            async with alice.invite("sip:bob@bob.test", offer=False) as outgoing:
                await outgoing.answered()
    assert books.only("alice").outcome == "answered"
    assert books.only("bob").reason.startswith("SIP;cause=488")


# -- calls that are not ------------------------------------------------------------------------------------


async def test_a_refused_call_has_one_record_at_each_side(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(busy),
    ):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test"):
                pass
    assert how(books.only("alice")) == ("refused", 486, "remote", "Busy Here")
    assert how(books.only("bob")) == ("refused", 486, "local", "")
    assert books.only("bob").answered is None
    assert books.only("bob").duration == 0


async def test_a_caller_who_gives_up_is_in_the_record(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(Answering(ring=30.0)),
        alice.invite("sip:bob@bob.test") as outgoing,
    ):
        await asyncio.sleep(3)
        await outgoing.cancel("SIP;cause=200")
    assert books.only("alice").outcome == "cancelled"
    assert books.only("alice").by == "local"
    assert how(books.only("bob")) == ("cancelled", 487, "remote", "SIP;cause=200")


async def test_a_call_that_nobody_answers_has_failed(world: World, books: Books) -> None:
    async with world.user_agent("alice", records=books.of("alice")) as alice:
        with pytest.raises(sipstack.TransactionTimeout):
            async with alice.call("sip:nobody@10.9.9.9"):
                pass
    assert books.only("alice").outcome == "failed"
    assert books.only("alice").by == "timeout"


async def test_a_call_that_finds_no_way_has_failed(world: World, books: Books) -> None:
    async with world.user_agent("alice", records=books.of("alice")) as alice:
        with pytest.raises(sipstack.ResolutionError):
            async with alice.call("sip:bob@nowhere.test"):
                pass
    call = books.only("alice")
    assert (call.outcome, call.by, call.transport, call.peer) == ("failed", "transport", "", "")
    assert "nowhere.test" in call.reason


async def test_media_that_cannot_begin_gives_one_record(world: World, books: Books) -> None:
    class Broken(SilentMedia):
        async def offer(self, *arguments: Any) -> Any:
            raise sipstack.MediaError("no sound card")

    async with world.user_agent("alice", records=books.of("alice"), media=Broken) as alice:
        with pytest.raises(sipstack.MediaError):
            async with alice.call("sip:bob@10.9.9.9"):
                pass
    assert books.only("alice").outcome == "cancelled"


async def refuses_by_itself(invitation: Invitation) -> None:
    """A handler that does nothing refuses with 480."""


async def breaks(invitation: Invitation) -> None:
    raise SipError("out of order")


@pytest.mark.parametrize(("handler", "status"), [(refuses_by_itself, 480), (breaks, 500), (None, 480)])
async def test_what_a_handler_leaves_is_refused_and_recorded(
    world: World, books: Books, handler: Any, status: int
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(handler, requests={"MESSAGE": breaks}),  # type: ignore[dict-item]
    ):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test"):
                pass
    assert how(books.only("bob"))[:3] == ("refused", status, "local")


async def test_calls_beyond_the_limit_are_recorded_too(world: World, books: Books) -> None:
    limits = sipstack.Limits(calls=1)
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", records=books.of("bob"), limits=limits) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test"):
                pass
    calls, findings = books.read("bob")
    assert findings == []
    assert [(call.outcome, call.status) for call in calls] == [("refused", 503), ("answered", None)]


async def test_a_redirection_that_is_followed_is_one_call(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob"), policy=lambda event: Redirect("sip:carol.test")),
        world.user_agent("carol", records=books.of("carol")) as carol,
        carol.serving(Answering()),
        alice.call("sip:bob@bob.test", redirects=2),
    ):
        await asyncio.sleep(1)
    assert books.only("alice").outcome == "answered"
    assert how(books.only("bob")) == ("refused", 302, "local", "")
    assert books.only("carol").outcome == "answered"


# -- the policy, and the end of the user agent --------------------------------------------------------------


async def test_calls_of_the_policy_are_recorded_without_a_task(world: World, books: Books) -> None:
    answer = SilentMedia("10.0.0.9")

    async with world.user_agent("alice") as alice:
        description = bytes(await answer.offer())

        def policy(event: InvitationReceived) -> Accept | Reject:
            accepts = event.request.to.uri_text.startswith("sip:bob@")
            return Accept(description) if accepts else Reject(603, "No")

        async with world.user_agent("bob", records=books.of("bob"), policy=policy):
            async with alice.call("sip:bob@bob.test"):
                await asyncio.sleep(7)
            with pytest.raises(CallRejected):
                async with alice.call("sip:eve@bob.test"):
                    pass
    await answer.close()
    (first, second), findings = books.read("bob")
    assert findings == []
    assert how(first) == ("answered", None, "remote", CLEARED)
    assert (first.duration, first.codec, first.quality) == (7000, "", None)
    assert how(second) == ("refused", 603, "local", "No")


async def test_leaving_the_user_agent_ends_and_records_all_calls(world: World, books: Books) -> None:
    async with world.user_agent("bob", records=books.of("bob")) as bob, bob.serving(Answering(ring=3600)):
        async with world.user_agent("alice", records=books.of("alice")) as alice:
            placing = asyncio.create_task(_place(alice))
            await asyncio.sleep(1)
        await asyncio.wait([placing])
    assert books.only("alice").outcome == "cancelled"
    assert books.only("bob").outcome == "cancelled"


async def _place(agent: sipstack.UserAgent) -> None:
    try:
        async with agent.call("sip:bob@bob.test"):
            pass
    except SipError:
        pass


async def test_a_handler_that_does_not_let_go_has_its_call_recorded(world: World, books: Books) -> None:
    async def stubborn(invitation: Invitation) -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                continue

    async with world.user_agent("alice") as alice:
        async with world.user_agent("bob", records=books.of("bob")) as bob, bob.serving(stubborn):
            placing = asyncio.create_task(_place(alice))
            await asyncio.sleep(1)
        assert how(books.only("bob")) == ("failed", None, "local", "the user agent was closed")
        placing.cancel()
        await asyncio.wait([placing])


@pytest.mark.parametrize("seed", range(30))
async def test_over_a_bad_network_each_call_has_one_record(seed: int, tmp_path: Path) -> None:
    books = Books(tmp_path)
    world = World(seed=seed, link=Link(delay=0.05, jitter=0.2, loss=0.25, duplicate=0.2))
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(Answering(ring=seed % 3)),
    ):
        for _ in range(5):
            try:
                async with asyncio.timeout(60), alice.call("sip:bob@bob.test"):
                    await asyncio.sleep(20)
            except (SipError, TimeoutError):
                pass
        await asyncio.sleep(120)
        for agent in (alice, bob):
            assert agent._runtime.recorder is not None
            assert agent._runtime.recorder._calls == {}  # nothing is left to be found out at the end
    calls, findings = books.read("alice")
    assert findings == []
    assert len(calls) == 5
    taken, findings = books.read("bob")
    assert findings == []
    assert len({call.call_id for call in taken}) == len(taken)
    assert {call.call_id for call in taken} <= {call.call_id for call in calls}


async def test_without_records_nothing_is_kept(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(Answering()):
        async with alice.call("sip:bob@bob.test"):
            assert alice._runtime.recorder is None


async def test_a_user_agent_that_is_entered_again_goes_on_with_its_chain(world: World, books: Books) -> None:
    bob = world.user_agent("bob", records=books.of("bob"))
    async with world.user_agent("alice") as alice:
        for _ in range(2):
            async with bob, bob.serving(busy):
                with pytest.raises(CallRejected):
                    async with alice.call("sip:bob@bob.test"):
                        pass
    calls, findings = books.read("bob")
    assert (len(calls), findings) == (2, [])


async def test_two_user_agents_do_not_write_one_chain(world: World, books: Books) -> None:
    records = books.of("alice")
    async with world.user_agent("alice", records=records):
        with pytest.raises(sipstack.LocalProtocolError, match="each user agent has its own"):
            async with world.user_agent("bob", records=records):
                pass


# -- what an audit asks: by whom, and why -------------------------------------------------------------------


async def test_an_invitation_that_expires_was_ended_by_time(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(Answering(ring=300)),
    ):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test", headers={"Expires": "20"}):
                pass
    assert how(books.only("bob")) == ("cancelled", 487, "timeout", "expired")


async def test_a_reliable_response_that_nobody_confirms_is_a_failure(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", reliable=True) as alice,
        world.user_agent("bob", records=books.of("bob"), reliable=True) as bob,
        bob.serving(Answering(ring=300)),
    ):
        placing = asyncio.create_task(_place(alice))
        await asyncio.sleep(0)
        world.network.set_link(Link(loss=1.0), source=world.names["bob.test"][0])
        await asyncio.sleep(200)
        placing.cancel()
        await asyncio.wait([placing])
    call = books.only("bob")
    assert (call.outcome, call.by) == ("failed", "timeout")
    assert call.reason == "no answer to a reliable response"


async def test_the_name_that_a_caller_has_proved_is_in_the_record(world: World, books: Books) -> None:
    users = sipstack.Authentication("example.com", {"alice": "secret"})
    async with (
        world.user_agent("alice", password="secret", credentials_to=["bob.test"]) as alice,
        world.user_agent("bob", records=books.of("bob")) as bob,
        bob.serving(Answering(), authenticate=users),
        alice.call("sip:bob@bob.test"),
    ):
        await asyncio.sleep(1)
    assert books.only("bob").user == "alice"
