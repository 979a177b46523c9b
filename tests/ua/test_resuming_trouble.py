"""Taking calls over when stores, media and other nodes are in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sipstack import CallEnded, MediaError, UserAgent, errors
from sipstack.outcome import Absent
from sipstack.store.memory import MemoryStore
from sipstack.store.port import Listed, Taken
from sipstack.testing.killing import kill
from sipstack.testing.world import World
from sipstack.ua import orphans as looking
from tests.ua.handlers import Answering
from tests.ua.resumption import Resumption
from tests.ua.test_resuming import Nodes, asked

pytestmark = pytest.mark.virtual_time


class Failing(MemoryStore):
    """Its lists, its reads, or its take-overs fail."""

    def __init__(self, *what: str) -> None:
        super().__init__()
        self.what = what

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        if "owned" in self.what:
            answer(Absent.FAILED)
        else:
            super().owned(answer)

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        if "orphaned" in self.what:
            answer(Absent.FAILED)
        else:
            super().orphaned(most, answer, kind)

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        if "read" in self.what:
            answer(Absent.FAILED)
        else:
            super().read(key, answer)

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        if "take_over" in self.what:
            answer(Absent.FAILED)
        else:
            super().take_over(key, answer, epoch)


# --- the store ---


@pytest.mark.parametrize("what", ["owned", "read"])
async def test_a_list_that_fails_is_told(what: str) -> None:
    stage = Resumption()
    store = stage.store = Failing()
    async with stage.again() as (_, bob):
        store.what = (what,)
        with pytest.raises(errors.StoreError, match="does not answer: what it holds is not known now"):
            await bob.sessions()
        store.what = ()
        assert len(await bob.sessions()) == 1


async def test_a_take_over_that_fails_is_told_and_can_be_tried_again() -> None:
    stage = Resumption()
    store = stage.store = Failing()
    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        store.what = ("take_over",)
        for ask in (bob.resume, bob.hang_up):
            with pytest.raises(errors.StoreError, match="does not say what is kept of the call"):
                await ask(kept)
        store.what = ()
        assert (await bob.resume(kept)).id == call.id


async def test_the_peer_of_a_call_that_cannot_be_loaded_may_come_again() -> None:
    stage = Resumption()
    store = stage.store = Failing()
    async with stage.killed(node="another") as (call, bob), bob:
        store.what = ("take_over",)
        assert await asked(call, "OPTIONS") == 503
        store.what = ()
        assert await asked(call, "OPTIONS") == 200


async def test_a_node_that_cannot_list_its_calls_says_so_and_answers_their_peers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Resumption()
    store = stage.store = Failing()
    async with stage.killed(on_resume=stage.take) as (call, bob):
        store.what = ("owned", "orphaned")
        async with bob:
            await asyncio.sleep(60)
            assert bob.calls == []
            assert await asked(call, "OPTIONS") == 200
            await asyncio.sleep(1)
            assert [each.id for each in stage.resumed] == [call.id]
    assert "the store does not say which calls are ours" in caplog.text


async def test_a_record_that_cannot_be_read_is_a_call_that_is_lost() -> None:
    stage = Resumption()
    async with stage.killed() as (call, bob):
        for entry in stage.store._entries.values():
            entry.record = b"{"
        async with bob:
            assert await bob.sessions() == []
            assert await asked(call, "OPTIONS") == 481


# --- the media ---


async def test_a_call_whose_media_cannot_be_made_is_ended_and_told(caplog: pytest.LogCaptureFixture) -> None:
    stage = Resumption()

    def none(host: str) -> Any:
        raise MediaError("no device")

    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        with pytest.raises(MediaError, match="no device"):
            await bob.resume(kept, media=none)
        assert (await call.ended()).by == "remote"
        assert "there is no media to go on with: no device" in caplog.text
        assert len(stage.store) == 0


async def test_descriptions_that_make_no_sense_end_the_call() -> None:
    stage = Resumption()
    async with stage.killed(on_resume=stage.take) as (call, bob):
        for entry in stage.store._entries.values():
            assert entry.record is not None
            entry.record = entry.record.replace(b"m=audio", b"m=video")
            entry.record = entry.record.replace(b"m=video", b"m=audio", 1)
        async with bob:
            assert (await call.ended()).by == "remote"
    assert stage.resumed == []


async def test_media_of_ones_own_may_be_given() -> None:
    stage = Resumption()
    made: list[str] = []

    def media(host: str) -> Any:
        made.append(host)
        return stage.world._new_media(host)

    async with stage.again() as (_, bob):
        (kept,) = await bob.sessions()
        await bob.resume(kept, media=media)
        assert made == ["10.0.0.2"]


class Unrestorable:
    """Media of an application's own, which knows nothing of a life before."""

    def __init__(self, media: Any) -> None:
        self.audio, self.attach, self.confirmed = media.audio, media.attach, media.confirmed
        self.offer, self.answer, self.answered = media.offer, media.answer, media.answered
        self.close = media.close


async def test_media_that_cannot_be_restored_is_agreed_on_by_a_reinvite() -> None:
    stage = Resumption()
    async with stage.again() as (call, bob):
        (kept,) = await bob.sessions()
        resumed = await bob.resume(kept, media=lambda host: Unrestorable(stage.world._new_media(host)))
        assert [line for line in stage.world.ladder(by="bob") if " INVITE " in line] != []
        assert not call._is_over
        assert resumed.codec == "PCMU"


# --- other nodes ---


async def test_who_loses_a_call_to_another_node_ends_it_in_silence() -> None:
    """A partition: the peer's request reached the other one."""
    stage, nodes = Resumption(), Nodes()
    stage.store = nodes.store()
    async with stage.killed(node="bob") as (call, _):
        carol = stage.world.user_agent("bob", sessions=nodes.store(), node="carol", on_resume=stage.take)
        async with carol:
            assert await asked(call, "OPTIONS") == 200
            await asyncio.sleep(0.1)
            (lost,) = stage.resumed
            key = f"session {' '.join(lost._session.dialog.key)}"
            nodes.store().take_over(key, lambda _: None)
            stage.world.ladder()
            lost.data["news"] = 1
            assert (await lost.ended()).by == "elsewhere"
            with pytest.raises(CallEnded):
                await lost.hold()
            await lost.hang_up()
            assert stage.world.ladder() == []
            assert not call._is_over
            call._finish("local")  # nobody is left who could answer


async def test_one_that_the_peer_has_woken_is_not_taken_by_who_saw_it_orphaned() -> None:
    world, nodes = World(), Nodes()
    async with world.user_agent("alice") as alice:
        bob = world.user_agent("bob", sessions=nodes.store(), node="bob")
        async with bob, bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await kill(bob)
            await nodes.stores[0].close()
            carol = world.user_agent("carol", sessions=nodes.store(), node="carol")
            heir = world.user_agent("bob", sessions=nodes.store(), node="heir")
            async with carol:
                orphans = carol._orphans
                assert orphans is not None
                await asyncio.sleep(0.01)
                await orphans._look()
                assert len(orphans._claims) == 1  # it waits for its moment
                async with heir:
                    assert await asked(call, "OPTIONS") == 200
                    await asyncio.sleep(100)
                    assert (len(heir.calls), carol.calls) == (1, [])
                    assert heir.calls[0].id == call.id
    assert world.leftovers == []


async def test_of_many_orphans_a_node_goes_after_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 60
    monkeypatch.setattr(looking, "MOST", most)
    world, nodes = World(), Nodes()
    async with world.user_agent("alice") as alice:
        bob = world.user_agent("bob", sessions=nodes.store(), node="bob")
        async with bob, bob.serving(Answering()):
            calls = [await _placed(alice) for _ in range(most + 20)]
            await kill(bob)
            await nodes.stores[0].close()
            async with world.user_agent("carol", sessions=nodes.store(), node="carol") as carol:
                orphans = carol._orphans
                assert orphans is not None
                await asyncio.sleep(0.01)
                await orphans._look()
                await orphans._look()
                assert len(orphans._claims) == most
                await asyncio.sleep(100)
                assert len(carol.calls) == most + 20
            assert all(call._is_over for call in calls)
    assert world.leftovers == []


async def _placed(alice: UserAgent) -> Any:
    outgoing = await alice.invite("sip:bob@bob.test").__aenter__()
    return await outgoing.answered()
