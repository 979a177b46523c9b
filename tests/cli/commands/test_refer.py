"""``sipstack refer``: a phone calls whom it is told to."""

from __future__ import annotations

import asyncio

from sipstack import Invitation, Referral
from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_call import closed_port
from tests.cli.running import ANY_PORT, agent, command

TO_BOB = "sip:bob@127.0.0.1:9"


async def follow(referral: Referral) -> None:
    async with referral.follow() as call:
        await call.ended()


async def ring_and_answer(invitation: Invitation) -> None:
    await invitation.progress(180)
    await asyncio.sleep(0.5)  # what is overtaken by the 200 is not told
    async with invitation.accept() as call:
        await call.ended()


async def busy(invitation: Invitation) -> None:
    await invitation.reject(486)


async def test_a_phone_that_is_not_there() -> None:
    async with command("refer", closed_port(), TO_BOB, *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["transferring", "failed"]


async def test_a_phone_that_takes_no_referrals() -> None:
    async with agent() as phone, command("refer", phone.contact, TO_BOB, *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [
        ("transferring", None),
        ("rejected", 405),
    ]


async def test_a_target_that_is_busy() -> None:
    async with agent("desk") as phone, agent() as bob, phone.serving_referrals(follow), bob.serving(busy):
        async with command("refer", phone.contact, bob.contact, *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.REFUSED
    assert (run.events[-1]["event"], run.events[-1]["status"]) == ("rejected", 486)


async def test_a_phone_that_does_not_decide_in_time() -> None:
    async def wait(referral: Referral) -> None:
        await asyncio.sleep(60)

    async with agent("desk") as phone, phone.serving_referrals(wait):
        arguments = ("refer", phone.contact, TO_BOB, *ANY_PORT, "--json", "--timeout", "0.3")
        async with command(*arguments) as run:
            assert await run.status() == ExitStatus.NO_ANSWER
    assert run.events[-1]["reason"] == "no answer in 0.3 s"


async def test_the_phone_calls_and_how_it_goes_is_told() -> None:
    async with agent("desk") as phone, agent() as bob:
        async with phone.serving_referrals(follow), bob.serving(ring_and_answer):
            async with command("refer", phone.contact, bob.contact, *ANY_PORT, "--json") as run:
                assert await run.status() == ExitStatus.DONE
            assert len(bob.calls) == 1
            assert run.events[-1]["remote"] == bob.contact
    statuses = [(event["event"], event["status"]) for event in run.events]
    assert (statuses[0], statuses[-1]) == (("transferring", None), ("transferred", 200))
    assert ("progress", 180) in statuses
    assert {event["call_id"] for event in run.events} == {run.events[0]["call_id"]}


async def test_nothing_is_waited_for() -> None:
    async with agent("desk") as phone, agent() as bob:
        async with phone.serving_referrals(follow), bob.serving(ring_and_answer):
            arguments = ("refer", phone.contact, bob.contact, *ANY_PORT, "--no-notify")
            async with command(*arguments) as run:
                assert await run.status() == ExitStatus.DONE
    assert "202 Accepted" in run.environment.stdout.getvalue()  # type: ignore[attr-defined]
