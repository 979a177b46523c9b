"""The attended transfer among two linphones and us, with us in each of the three roles (RFC 5589 §7)."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import answering, next_call
from interop.linphone.conftest import Start
from interop.linphone.phone import own_address
from sipstack import AudioSession, Call, Invitation, OutgoingInvite, Referral, UserAgent

TIMEOUT = 10.0  # seconds


def agent(name: str) -> UserAgent:
    """One whose address-of-record leads to it: linphone refers others to that, not to the Contact."""
    host = own_address()
    return UserAgent(
        f"sip:{name}@{host}",
        listen=f"udp:{host}:5060",
        media=lambda host: AudioSession(host, security="none"),
    )


async def test_we_connect_two_linphones(linphone: Start) -> None:
    """We are the transferor: the first is referred to the second, whose call with us is replaced."""
    first, second = linphone("first"), linphone("second")
    async with agent("alice") as alice:
        async with alice.call(first.uri) as call, alice.call(second.uri) as consultation:
            await call.hold()
            response = await asyncio.wait_for(call.transfer(consultation), TIMEOUT)
            assert response.status == 200
            assert (await asyncio.wait_for(consultation.ended(), TIMEOUT)).by == "remote"


async def test_a_linphone_connects_us_with_another(linphone: Start) -> None:
    """We are the transferee."""
    first, second = linphone("first"), linphone("second")
    followed: asyncio.Queue[Call] = asyncio.Queue()

    async def follow(referral: Referral) -> None:
        assert referral.replaces is not None
        async with referral.follow() as call:
            followed.put_nowait(call)
            await call.ended()

    async with agent("alice") as alice, answering(alice) as calls, alice.serving_referrals(follow):
        first.tell(f"call {alice.contact}")
        old = await next_call(calls)
        await asyncio.sleep(1)
        first.tell("pause 1")
        await asyncio.sleep(1)
        first.tell(f"call {second.uri}")
        await asyncio.sleep(2)
        first.tell("transfer 1 --to-call 2")
        new = await asyncio.wait_for(followed.get(), TIMEOUT)
        assert (await asyncio.wait_for(old.ended(), TIMEOUT)).by == "remote"
        assert alice.calls == [new]
        assert new.remote.user == "second"  # type: ignore[union-attr]
        await new.hang_up()


async def test_a_linphone_connects_another_with_us(linphone: Start) -> None:
    """We are the target: the second calls us in place of the first."""
    first, second = linphone("first"), linphone("second")
    replaced: asyncio.Queue[tuple[Call | OutgoingInvite | None, Call]] = asyncio.Queue()

    async def answer(invitation: Invitation) -> None:
        old = invitation.replaces
        async with invitation.accept() as call:
            replaced.put_nowait((old, call))
            await call.ended()

    async with agent("alice") as alice, alice.serving(answer):
        first.tell(f"call {second.uri}")
        await asyncio.sleep(2)
        first.tell("pause 1")
        await asyncio.sleep(1)
        first.tell(f"call {alice.contact}")
        nothing, old = await asyncio.wait_for(replaced.get(), TIMEOUT)
        assert nothing is None
        await asyncio.sleep(1)
        first.tell("transfer 1 --to-call 2")
        found, new = await asyncio.wait_for(replaced.get(), TIMEOUT)
        assert found is old
        assert (await asyncio.wait_for(old.ended(), TIMEOUT)).reason == "replaced by another call"
        assert alice.calls == [new]
        await new.hang_up()


@pytest.mark.parametrize("hangs_up", ["we", "linphone"])
async def test_a_blind_transfer_of_a_linphone(linphone: Start, hangs_up: str) -> None:
    first = linphone("first")
    async with agent("alice") as alice, agent("carol") as carol, answering(carol) as calls:
        async with alice.call(first.uri) as call:
            assert (await asyncio.wait_for(call.transfer(carol.contact), TIMEOUT)).status == 200
        new = await next_call(calls)
        if hangs_up == "we":
            await new.hang_up()
        else:
            first.tell("terminate all")
            assert (await asyncio.wait_for(new.ended(), TIMEOUT)).by == "remote"
