"""Transfers of whole calls: blind and attended, with us in each of the three roles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sipstack import (
    Call,
    CallEnded,
    CallRejected,
    Invitation,
    LocalProtocolError,
    OutgoingInvite,
    Referral,
    RemoteProtocolError,
    TransactionTimeout,
    TransferFailed,
    UserAgent,
)
from sipstack.testing.world import World
from tests.ua.handlers import Answering, busy

pytestmark = pytest.mark.virtual_time


class Following:
    """Follows whoever asks, and keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.referrals: list[Referral] = []
        self.errors: list[Exception] = []

    async def __call__(self, referral: Referral) -> None:
        self.referrals.append(referral)
        try:
            async with referral.follow() as call:
                self.calls.append(call)
                await call.ended()
        except CallRejected as error:
            self.errors.append(error)


async def until_quiet() -> None:
    await asyncio.sleep(100)


# --- blind ---


async def test_a_blind_transfer_returns_when_the_target_has_answered(world: World) -> None:
    following, sales = Following(), Answering(ring=3.0)
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        bob.serving_referrals(following),
        carol.serving(sales),
    ):
        loop = asyncio.get_running_loop()
        async with alice.call("sip:bob.test") as call:
            began = loop.time()
            response = await call.transfer("sip:carol.test")
            assert loop.time() - began == pytest.approx(3.0, abs=0.2)
            assert (response.status, response.reason) == (200, "OK")
            assert following.referrals[0].call is bob.calls[0]
        assert await bob_and_carol_talk(alice, bob, carol)
        invited = carol.calls[0]
        assert str(invited.remote) == str(following.calls[0].local)
        assert "carol" in following.referrals[0].target
        referred_by = following.referrals[0].referred_by
        assert referred_by is not None
        assert referred_by.uri_text == alice.aor
        await following.calls[0].hang_up()
        await until_quiet()
        assert [each._runtime.core.leftovers() for each in (alice, bob, carol)] == [[], [], []]
    assert world.leftovers == []


async def bob_and_carol_talk(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> bool:
    await asyncio.sleep(1.0)
    return (len(alice.calls), len(bob.calls), len(carol.calls)) == (0, 1, 1)


async def test_the_progress_of_a_transfer_is_told_on_the_way(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        bob.serving_referrals(Following()),
        carol.serving(Answering(ring=3.0)),
    ):
        async with alice.call("sip:bob.test") as call, call.transferring("sip:carol.test") as transfer:
            assert [response.status async for response in transfer] == [100, 180]
            assert (await transfer.completed()).status == 200
    assert world.leftovers == []


async def test_a_target_that_is_busy(world: World) -> None:
    """The call goes on, and can be transferred to somebody else."""
    following = Following()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        world.user_agent("dave") as dave,
        bob.serving(Answering()),
        bob.serving_referrals(following),
        carol.serving(busy),
        dave.serving(Answering()),
        alice.call("sip:bob.test") as call,
    ):
        with pytest.raises(TransferFailed, match="came to nothing: 486 Busy Here") as failed:
            await call.transfer("sip:carol.test")
        assert (failed.value.status, failed.value.refused) == (486, False)
        assert len(following.errors) == 1
        assert (await call.transfer("sip:dave.test")).status == 200
    assert world.leftovers == []


async def decline(referral: Referral) -> None:
    await referral.refuse()


async def not_for_you(referral: Referral) -> None:
    await referral.refuse(403)


async def say_nothing(referral: Referral) -> None:
    assert referral.call is not None


async def raise_rejected(referral: Referral) -> None:
    raise RemoteProtocolError("no", 404)


@pytest.mark.parametrize(
    ("handler", "status"), [(decline, 603), (not_for_you, 403), (say_nothing, 603), (raise_rejected, 404)]
)
async def test_a_transfer_that_is_refused(
    world: World, handler: Callable[[Referral], Awaitable[None]], status: int
) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        bob.serving_referrals(handler),
        alice.call("sip:bob.test") as call,
    ):
        with pytest.raises(TransferFailed, match="the transfer was refused") as failed:
            await call.transfer("sip:carol.test")
        assert (failed.value.status, failed.value.refused) == (status, True)
        assert bob.calls[0].id == call.id
    assert world.leftovers == []


async def test_a_handler_that_takes_its_time_refuses_by_notify(world: World) -> None:
    """The REFER is answered after 4 s, before its sender gives up."""

    async def ask_somebody(referral: Referral) -> None:
        await asyncio.sleep(60)
        await referral.refuse()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        bob.serving_referrals(ask_somebody),
        alice.call("sip:bob.test") as call,
    ):
        with pytest.raises(TransferFailed) as failed:
            await call.transfer("sip:carol.test")
        assert (failed.value.status, failed.value.refused) == (603, False)
    assert world.leftovers == []


async def test_who_takes_no_referrals_refuses_with_405_and_announces_none(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob.test") as call,
    ):
        assert call.response is not None
        assert "REFER" not in str(call.response.headers.raw("Allow"))
        with pytest.raises(TransferFailed) as failed:
            await call.transfer("sip:carol.test")
        assert failed.value.status == 405
        async with bob.serving_referrals(decline):
            assert "REFER" in str((await alice.options("sip:bob.test")).headers.raw("Allow"))
            with pytest.raises(LocalProtocolError, match="already"):
                async with bob.serving_referrals(decline):
                    pass
        allow = str((await alice.options("sip:bob.test")).headers.raw("Allow"))
        assert "REFER" not in allow
        assert "NOTIFY" not in allow
    assert world.leftovers == []


async def test_a_call_that_is_over_cannot_be_transferred(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        async with alice.call("sip:bob.test") as call:
            with pytest.raises(LocalProtocolError, match="to itself"):
                await call.transfer(call)
            with pytest.raises(LocalProtocolError, match="cannot be called"):
                await call.transfer("carol")
            with pytest.raises(LocalProtocolError, match="Refer-To"):
                await call.transfer("sip:carol.test", headers={"Refer-To": "<sip:x>"})
        with pytest.raises(CallEnded):
            await call.transfer("sip:carol.test")
    assert world.leftovers == []


async def test_a_transfer_that_is_given_up_leaves_nothing(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        bob.serving_referrals(Following()),
        carol.serving(Answering(ring=20.0)),
    ):
        async with alice.call("sip:bob.test") as call:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await call.transfer("sip:carol.test")
        await asyncio.sleep(60)
        assert alice._runtime.core.leftovers() == []
        assert "NOTIFY" not in alice._runtime.core.registry.methods
        assert len(carol.calls) == 1
    assert world.leftovers == []


async def test_without_notify_the_word_of_the_other_side_is_returned(world: World) -> None:
    """RFC 4488"""
    following = Following()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        bob.serving_referrals(following),
        carol.serving(Answering(ring=3.0)),
        alice.call("sip:bob.test") as call,
    ):
        assert (await call.transfer("sip:carol.test", notify=False)).status == 202
        assert following.calls == []
        await asyncio.sleep(5)
        assert len(following.calls) == 1
        assert not any(" NOTIFY" in line for line in world.ladder())
    assert world.leftovers == []


async def test_a_referral_is_decided_on_once(world: World) -> None:
    errors: list[str] = []

    async def twice(referral: Referral) -> None:
        with pytest.raises(LocalProtocolError, match="does not refuse"):
            await referral.refuse(200)
        await referral.refuse(486)
        for again in (referral.refuse(), referral.follow().__aenter__()):
            with pytest.raises(LocalProtocolError, match="already"):
                await again
            errors.append("already")

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        bob.serving_referrals(twice),
        alice.call("sip:bob.test") as call,
    ):
        with pytest.raises(TransferFailed):
            await call.transfer("sip:carol.test")
    assert errors == ["already", "already"]
    assert world.leftovers == []


async def test_leaving_the_block_gives_the_new_call_up_and_says_so(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        carol.serving(Answering(ring=30.0)),
        alice.call("sip:bob.test") as call,
    ):
        async with bob.serving_referrals(Following()):
            transfer = asyncio.create_task(call.transfer("sip:carol.test"))
            await asyncio.sleep(5)
        with pytest.raises(TransferFailed) as failed:
            await transfer
        assert failed.value.status == 487
    assert world.leftovers == []


# --- attended ---


class Consulted(Answering):
    """Takes calls, and notes what each of them is to replace."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced: list[Call | OutgoingInvite | None] = []

    async def __call__(self, invitation: Invitation) -> None:
        self.replaced.append(invitation.replaces)
        await super().__call__(invitation)


@pytest.mark.parametrize("calls_out", [True, False], ids=["we-called", "we-were-called"])
async def test_an_attended_transfer_connects_the_two_others(world: World, calls_out: bool) -> None:
    following, target = Following(), Consulted()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving_referrals(following),
        carol.serving(target),
    ):
        if calls_out:
            async with bob.serving(Answering()), alice.call("sip:bob.test") as call:
                await attended(call, alice, bob, carol, target)
        else:
            answering = Answering()
            async with alice.serving(answering), bob.call("sip:alice.test"):
                await asyncio.sleep(1)
                await attended(answering.calls[0], alice, bob, carol, target)
    assert following.referrals[0].replaces is not None
    assert world.leftovers == []


async def attended(call: Call, alice: UserAgent, bob: UserAgent, carol: UserAgent, target: Consulted) -> None:
    async with alice.call("sip:carol.test") as consultation:
        await call.hold()
        await consultation.hold()
        replaced = carol.calls[0]
        assert (await call.transfer(consultation)).status == 200
        end = await consultation.ended()
        assert end.by == "remote"
        assert target.replaced == [None, replaced]
        assert (await replaced.ended()).reason == "replaced by another call"
    await call.hang_up()
    await asyncio.sleep(1)
    assert (alice.calls, len(bob.calls), len(carol.calls)) == ([], 1, 1)


async def test_an_attended_transfer_whose_consultation_has_ended(world: World) -> None:
    """481: there is nothing to be replaced."""
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(Answering()),
        bob.serving_referrals(Following()),
        carol.serving(Answering()),
        alice.call("sip:bob.test") as call,
    ):
        async with alice.call("sip:carol.test") as consultation:
            pass
        with pytest.raises(CallEnded):
            await call.transfer(consultation)
        async with alice.call("sip:carol.test") as consultation:
            async with call.transferring(consultation) as transfer:
                await carol.calls[0].hang_up()
                with pytest.raises(TransferFailed) as failed:
                    await transfer.completed()
        assert failed.value.status in (481, 603)
    assert world.leftovers == []


async def test_a_call_that_we_place_is_picked_up_by_its_target(world: World) -> None:
    """Replaces of an early dialog that we have begun (RFC 3891 §3): ours is given up by CANCEL."""
    taken: list[Call | OutgoingInvite | None] = []

    async def take(invitation: Invitation) -> None:
        taken.append(invitation.replaces)
        async with invitation.accept() as call:
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        alice.serving(take),
        bob.serving(Answering(ring=30.0)),
    ):
        async with alice.invite("sip:bob.test") as outgoing:
            response = await anext(outgoing.provisionals())
            dialog = f"{outgoing.id};to-tag={response.from_.tag};from-tag={response.to.tag}"
            fields = {"Replaces": dialog, "Require": "replaces"}
            async with carol.call("sip:alice.test", headers=fields):
                assert taken == [outgoing]
                with pytest.raises(CallRejected) as rejected:
                    await outgoing.answered()
                assert rejected.value.status == 487
                assert len(alice.calls) == 1
    assert world.leftovers == []


# --- outside of a call ---


async def test_click_to_dial(world: World) -> None:
    following = Following()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving_referrals(following),
        carol.serving(Answering(ring=3.0)),
    ):
        async with alice.referring("sip:bob.test", "sip:carol.test") as transfer:
            assert [response.status async for response in transfer] == [100, 180]
            assert (await transfer.completed()).status == 200
        assert following.referrals[0].call is None
        assert len(carol.calls) == 1
        await following.calls[0].hang_up()
        await until_quiet()
        assert [each._runtime.core.leftovers() for each in (alice, bob, carol)] == [[], [], []]
    assert world.leftovers == []


async def test_click_to_dial_at_who_is_not_there(world: World) -> None:
    async with world.user_agent("alice") as alice:
        world.names["bob.test"] = ["10.9.9.9"]
        with pytest.raises(TransactionTimeout):
            await alice.refer("sip:bob.test", "sip:carol.test")
        assert alice._runtime.core.leftovers() == []
    assert world.leftovers == []


async def test_click_to_dial_that_is_refused(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving_referrals(decline),
    ):
        with pytest.raises(TransferFailed) as failed:
            await alice.refer("sip:bob.test", "sip:carol.test")
        assert (failed.value.status, failed.value.refused) == (603, True)
        await until_quiet()
        assert [each._runtime.core.leftovers() for each in (alice, bob)] == [[], []]
    assert world.leftovers == []
