"""A user agent whose store takes its time: nothing that the application does comes before the 2xx or ACK."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

import pytest

from sipstack import CallEnded, Invitation
from sipstack.errors import CallRejected
from sipstack.outcome import Outcome
from sipstack.store.memory import MemoryStore
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


class Slow(MemoryStore):
    """Answers a while later; not at all where that is None."""

    def __init__(self, delay: float | None = 0.2) -> None:
        super().__init__()
        self.delay = delay

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        if self.delay is not None:
            put = partial(super().put, key, record, epoch, lifetime, answer)
            asyncio.get_running_loop().call_later(self.delay, put)


async def test_a_call_that_is_held_as_soon_as_it_is_answered(world: World) -> None:
    bob = Answering()
    async with (
        world.user_agent("alice", sessions=Slow()) as alice,
        world.user_agent("bob") as callee,
        callee.serving(bob),
        alice.call("sip:bob@bob.test") as call,
    ):
        await call.hold()
        await call.resume()
        assert bob.calls[0].remote_held is False
    sent = [line for line in world.ladder(by="alice") if "INVITE" in line or "ACK" in line]
    assert sent == ladder("""
        alice -> bob INVITE sip:bob@bob.test [1]
        alice -> bob ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob INVITE sip:bob@10.0.0.2:5060 [2]
        alice -> bob ACK sip:bob@10.0.0.2:5060 [2]
        alice -> bob INVITE sip:bob@10.0.0.2:5060 [3]
        alice -> bob ACK sip:bob@10.0.0.2:5060 [3]
    """)


async def test_a_handler_holds_the_call_that_it_has_just_accepted(world: World) -> None:
    held: list[bool] = []

    async def hold(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.hold()
            held.append(call.held)
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=Slow()) as bob,
        bob.serving(hold),
        alice.call("sip:bob@bob.test") as call,
    ):
        await asyncio.sleep(3)  # the re-INVITE waits for the ACK (RFC 3261 §14.1)
        assert held == [True]
        assert call.remote_held


async def test_a_handler_that_accepts_and_leaves_at_once_leaves_no_call_behind(world: World) -> None:
    async def leave(invitation: Invitation) -> None:
        async with invitation.accept():
            pass

    store = Slow()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=store) as bob,
        bob.serving(leave),
    ):
        async with alice.call("sip:bob@bob.test") as call:
            assert (await call.ended()).by == "remote"
        await asyncio.sleep(1)
        assert bob.calls == []
    assert len(store) == 0


async def test_a_handler_that_is_cancelled_while_its_200_waits(world: World) -> None:
    begun = asyncio.Event()

    async def give_up(invitation: Invitation) -> None:
        begun.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1), invitation.accept():
                raise AssertionError("it is not accepted")

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=Slow(None)) as bob,
        bob.serving(give_up),
    ):
        before = world.now
        with pytest.raises(CallRejected) as refused:
            async with alice.call("sip:bob@bob.test"):
                pass
        assert begun.is_set()
        assert refused.value.status == 480
        assert world.now - before < 2
        assert bob.calls == []


@pytest.mark.parametrize("store", [Slow(None), MemoryStore(octets=1)], ids=["silent", "full"])
async def test_who_accepts_a_call_that_cannot_be_kept_is_told(world: World, store: MemoryStore) -> None:
    ends: list[str] = []

    async def accept(invitation: Invitation) -> None:
        try:
            async with invitation.accept():
                raise AssertionError("it is not accepted")
        except CallEnded as end:
            ends.append(end.by)
            raise

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=store) as bob,
        bob.serving(accept),
    ):
        with pytest.raises(CallRejected) as refused:
            async with alice.call("sip:bob@bob.test"):
                pass
        assert refused.value.status == 503
        await asyncio.sleep(1)
        assert ends == ["local"]
        assert bob.calls == []


async def test_the_call_that_another_replaces_ends_when_that_is_kept(world: World) -> None:
    """RFC 3891 §3: the old one is ended once the new one is accepted, not before."""
    bob = Answering()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("carol") as carol,
        world.user_agent("bob", sessions=Slow()) as callee,
        callee.serving(bob),
        alice.call("sip:bob@bob.test") as old,
    ):
        dialog = old._session.dialog
        reference = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
        fields = {"Replaces": reference, "Require": "replaces"}
        async with carol.call("sip:bob@bob.test", headers=fields):
            assert (await old.ended()).by == "remote"
            assert bob.ends == [("local", "replaced by another call")]
            assert len(callee.calls) == 1


async def test_the_call_stays_whose_replacement_cannot_be_kept(world: World) -> None:
    bob, store = Answering(), Slow()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("carol") as carol,
        world.user_agent("bob", sessions=store) as callee,
        callee.serving(bob),
        alice.call("sip:bob@bob.test") as old,
    ):
        store.delay = None
        dialog = old._session.dialog
        reference = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
        fields = {"Replaces": reference, "Require": "replaces"}
        with pytest.raises(CallRejected):
            async with carol.call("sip:bob@bob.test", headers=fields):
                pass
        await asyncio.sleep(10)
        assert bob.ends == []
        assert callee.calls == bob.calls[:1]
