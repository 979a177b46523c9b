"""Calls whose user agent was killed go on in another one that has its store."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Call, Referral, Response, SipError, errors
from sipstack.store.memory import MemoryStore
from sipstack.testing.killing import kill
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.usage.invite.session_timer import SessionTimer
from tests.ua.handlers import Answering
from tests.ua.resumption import Resumption

pytestmark = pytest.mark.virtual_time


# --- what the peer asks is answered as if nothing had happened; there is no handler ---


async def test_the_bye_of_the_peer_is_answered() -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        await call.hang_up()
        assert stage.world.ladder() == ladder("""
            alice -> bob BYE sip:bob@10.0.0.2:5060 [2]
            bob -> alice 200 OK [2 BYE]
        """)
        assert (await call.ended()).by == "local"
        assert (bob.calls, len(stage.store)) == ([], 0)


async def test_hold_and_resume_by_the_peer_are_answered_under_the_same_session() -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        before = call._session.exchange.remote
        await call.hold()
        await call.resume()
        after = call._session.exchange.remote
        assert before is not None
        assert after is not None
        origins = [line.split() for line in (before + after).decode().splitlines() if line.startswith("o=")]
        assert origins[0][:2] == origins[1][:2]
        assert [int(origin[2]) for origin in origins] == [int(origins[0][2]), int(origins[0][2]) + 2]
        assert [each.id for each in bob.calls] == [call.id]
        assert bob.calls[0].resumed
        assert not call.resumed


@pytest.mark.parametrize("method", ["OPTIONS", "UPDATE"])
async def test_other_requests_of_the_peer_are_answered(method: str) -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        assert await asked(call, method) == 200
        assert [(each.id, each.resumed) for each in bob.calls] == [(call.id, True)]


async def asked(call: Call, method: str) -> int:
    """The status that a request in this call is answered with."""
    answers: asyncio.Queue[int] = asyncio.Queue()

    class User:
        def response_received(self, response: Response, now: float) -> None:
            answers.put_nowait(response.status)

        def request_failed(self, error: SipError, now: float) -> None:
            answers.put_nowait(0)

    usages, runtime = call._session.usages, call._runtime
    draft = usages.draft(method, (), b"", contact=method == "UPDATE")
    runtime.command(usages.send, draft, User(), runtime.now())
    return await answers.get()


async def test_digits_by_info_are_heard() -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        await call.dtmf.send("5", way="info")
        (resumed,) = bob.calls
        assert str(await resumed.dtmf.get()) == "5"


async def test_a_transfer_that_the_peer_asks_for_is_followed() -> None:
    stage, sales = Resumption(), Answering()

    async def follow(referral: Referral) -> None:
        assert referral.call is not None
        assert referral.call.resumed
        async with referral.follow() as call:
            await call.ended()

    async with stage.killed() as (call, bob), stage.world.user_agent("carol") as carol:
        async with bob, carol.serving(sales), bob.serving_referrals(follow):
            assert (await call.transfer("sip:carol.test")).status == 200
            await sales.calls[0].hang_up()


# --- the handler ---


async def test_the_handler_gets_each_call_once_with_its_data() -> None:
    stage = Resumption()
    stage.notes = {"ticket": 4711, "path": ["menu", "sales"]}
    async with stage.again(on_resume=stage.take) as (call, bob):
        await asyncio.sleep(1)
        (resumed,) = stage.resumed
        assert dict(resumed.data) == stage.notes
        assert resumed.duration == pytest.approx(1.5, abs=1.0)
        await call.hold()
        assert stage.resumed == bob.calls == [resumed]
        assert resumed.remote_held
    assert (await resumed.ended()).by == "local"  # Bob was left first


async def test_a_handler_that_returns_hangs_up() -> None:
    stage = Resumption()

    async def end(call: Call) -> None:
        assert call.resumed

    async with stage.again(on_resume=end) as (call, _):
        assert (await call.ended()).by == "remote"
        assert stage.world.ladder(by="bob") == ladder("bob -> alice BYE sip:alice@10.0.0.1:5060 [1001]")


async def test_a_handler_that_raises_hangs_up_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    stage = Resumption()
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fail(call: Call) -> None:
        raise RuntimeError("a fault of the application")

    async with stage.again(on_resume=fail) as (call, _):
        assert (await call.ended()).by == "remote"
    assert [str(each["exception"]) for each in told] == ["a fault of the application"]


async def test_a_call_that_is_taken_over_for_its_bye_comes_to_no_handler() -> None:
    stage = Resumption()
    async with stage.killed(node="another", on_resume=stage.take) as (call, bob):
        async with bob:
            await call.hang_up()
            await asyncio.sleep(1)
            assert stage.resumed == []
            assert bob.calls == []


async def test_leaving_ends_the_handlers_and_their_calls() -> None:
    stage = Resumption()

    async def for_ever(call: Call) -> None:
        stage.resumed.append(call)
        await asyncio.Event().wait()

    async with stage.killed(on_resume=for_ever) as (call, bob):
        async with bob:
            await asyncio.sleep(0.5)
        assert (await call.ended()).by == "remote"
        assert len(stage.resumed) == 1
        assert len(stage.store) == 0


# --- by the application's own word ---


async def test_calls_are_listed_without_being_taken_over() -> None:
    stage = Resumption()
    stage.notes = {"language": "de"}
    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        assert (kept.id, kept.remote, kept.local) == (call.id, call.local, call.remote)
        assert dict(kept.data) == {"language": "de"}
        assert kept.security is None
        assert kept.duration == pytest.approx(0.5, abs=1.0)
        assert kept.seconds_left > 0
        assert bob.calls == []
        assert "de" not in repr(kept)


async def test_a_kept_call_is_resumed_and_asked_for_twice_it_is_the_same() -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        one, two = await asyncio.gather(bob.resume(kept), bob.resume(kept))
        assert one is two is await bob.resume(kept)
        await one.hold()
        assert call.remote_held
        one.data["again"] = True
        await kill(bob)
        async with stage.bob() as third:
            (kept,) = await third.sessions()
            assert dict(kept.data) == {"again": True}
            await third.hang_up(kept)
            assert (await call.ended()).by == "remote"


async def test_a_kept_call_is_ended_without_media() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    stage = Resumption(audio={"security": "sdes", "insecure_keys": True})
    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        assert kept.security == "SDES-SRTP"
        await bob.hang_up(kept)
        assert (await call.ended()).by == "remote"
        assert [line for line in stage.world.ladder() if "INVITE" in line] == []
        with pytest.raises(errors.LocalProtocolError, match="is over, or another process has it"):
            await bob.resume(kept)
        assert await bob.sessions() == []


async def test_who_has_no_store_has_no_kept_calls(world: World) -> None:
    bob = world.user_agent("bob")
    with pytest.raises(errors.LocalProtocolError, match="is not running"):
        await bob.sessions()
    async with bob:
        with pytest.raises(errors.LocalProtocolError, match="give UserAgent"):
            await bob.sessions()


# --- refreshes ---


async def test_our_refreshes_go_on_without_a_request_of_the_peer() -> None:
    stage = Resumption(session_timer=SessionTimer(expires=90, minimum=90, refresher="local"))
    async with stage.again() as (call, bob):
        await asyncio.sleep(200)
        assert not call._is_over
        assert any("UPDATE" in line for line in stage.world.ladder(by="bob"))
        assert [each.id for each in bob.calls] == [call.id]


async def test_the_refreshes_of_a_dead_node_are_taken_over_by_one_of_the_others() -> None:
    world, nodes = World(), Nodes()
    timer = SessionTimer(expires=90, minimum=90, refresher="local")
    async with world.user_agent("alice") as alice:
        bob = world.user_agent("bob", sessions=nodes.store(), node="bob", session_timer=timer)
        answering = Answering()
        async with bob, bob.serving(answering), alice.call("sip:bob@bob.test") as call:
            async with (
                world.user_agent("carol", sessions=nodes.store(), node="carol") as carol,
                world.user_agent("dave", sessions=nodes.store(), node="dave") as dave,
            ):
                await asyncio.sleep(0.5)
                await kill(bob)
                await nodes.stores[0].close()  # its lease is over
                world.ladder()
                await asyncio.sleep(600)
                assert not call._is_over
                (heir,) = [agent for agent in (carol, dave) if agent.calls]
                assert heir.calls[0].resumed
                refreshes = [line for line in world.ladder() if "UPDATE sip:alice" in line]
                assert 10 < len(refreshes) < 16
                assert len({line.split()[0] for line in refreshes}) == 1
    assert world.leftovers == []


async def test_a_call_whose_peer_is_gone_ends_with_its_timer() -> None:
    """Silent media: nothing else would tell."""
    stage = Resumption(session_timer=SessionTimer(expires=90, minimum=90, refresher="remote"))
    async with stage.again() as (call, bob):
        assert await asked(call, "OPTIONS") == 200
        (resumed,) = bob.calls
        assert stage.alice is not None
        await kill(stage.alice)
        async with asyncio.timeout(100):
            assert (await resumed.ended()).by == "session timer"
        await asyncio.sleep(1)
        assert (bob.calls, len(stage.store)) == ([], 0)


async def test_a_call_whose_peer_falls_silent_ends_like_any_other() -> None:
    stage = Resumption(audio={})
    async with stage.again() as (call, bob):
        assert await asked(call, "OPTIONS") == 200
        (resumed,) = bob.calls
        assert stage.alice is not None
        await kill(stage.alice)
        async with asyncio.timeout(40):
            assert (await resumed.ended()).by == "timeout"


class Nodes:
    """One store as several nodes see it."""

    def __init__(self) -> None:
        self.stores: list[MemoryStore] = []

    def store(self) -> MemoryStore:
        store = MemoryStore()
        if self.stores:  # the same sessions and leases, with a name of its own
            first = self.stores[0]
            store._entries, store._living, store._known = first._entries, first._living, first._known
        self.stores.append(store)
        return store


# --- when the store does not say ---


class Dumb(MemoryStore):
    """Answers nothing that is read or taken over."""

    def take_over(self, key: str, answer: object, epoch: int | None = None) -> None:
        """Nobody hears of it."""


async def test_a_store_that_says_nothing_is_told_to_who_waits() -> None:
    stage = Resumption()
    stage.store = Dumb()
    async with stage.again() as (_, bob):
        (kept,) = await bob.sessions()
        with pytest.raises(errors.StoreError, match="does not say what is kept"):
            await bob.resume(kept)


async def test_what_another_process_has_taken_meanwhile_is_not_resumed() -> None:
    stage = Resumption()
    async with stage.again() as (_, bob):
        (kept,) = await bob.sessions()
        stage.store.take_over(f"session {' '.join(kept._key)}", lambda _: None)
        with pytest.raises(errors.LocalProtocolError, match="another process has it"):
            await bob.resume(kept)


async def test_a_call_of_the_policy_goes_on_without_media() -> None:
    stage = Resumption()
    async with stage.killed() as (call, bob):
        for entry in stage.store._entries.values():
            assert entry.record is not None
            entry.record = entry.record.replace(b'"media":true,', b"")
        async with bob:
            assert await asked(call, "OPTIONS") == 200
            assert bob.calls == []
            await call.hang_up()
            assert len(stage.store) == 0
