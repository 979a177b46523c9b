"""``sipstack options`` and what a peer says of itself."""

from __future__ import annotations

import pytest

from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_call import closed_port, silence
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, agent, command


async def test_an_unreachable_peer() -> None:
    async with command("options", closed_port(), *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["failed"]


@pytest.mark.parametrize(("status", "expected"), [(404, ExitStatus.REFUSED), (408, ExitStatus.NO_ANSWER)])
async def test_a_refusal(status: int, expected: ExitStatus) -> None:
    async with registrar_here(status=status) as server:
        async with command("options", server.uri, *ANY_PORT, "--json") as run:
            assert await run.status() == expected
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", status)]


async def test_a_challenge_without_a_password_is_told_what_to_give() -> None:
    async with registrar_here(password="secret") as server:
        async with command("options", server.uri, *ANY_PORT, variables={}) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert run.stderr == (
        "rejected    401 Unauthorized\n"
        '            the realm "test" asks for a password: give --user NAME, and the password in the '
        "environment variable SIPSTACK_PASSWORD\n"
    )


async def test_an_answer() -> None:
    async with agent() as bob:
        target = bob.contact
        async with command("options", target, *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    (said,) = run.events
    assert (said["event"], said["status"], said["reason"]) == ("responded", 200, "OK")
    assert said["remote"] == target
    assert 0 < said["round_trip"] < 5
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= set(said["headers"]["Allow"].split(", "))
    assert said["call_id"]


async def test_people_see_what_the_peer_can_do() -> None:
    async with agent() as bob, command("options", bob.contact, *ANY_PORT) as run:
        assert await run.status() == ExitStatus.DONE
    lines = run.environment.stdout.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("responded   200 OK, ")
    (allow,) = [line.split(maxsplit=1)[1] for line in lines if line.startswith("  Allow ")]
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= set(allow.split(", "))


async def test_a_silent_peer_is_left_in_the_time_that_one_gives() -> None:
    with silence() as target:
        async with command("options", target, *ANY_PORT, "--timeout", "0.2", "--json") as run:
            assert await run.status() == ExitStatus.NO_ANSWER
    assert [(event["event"], event["reason"]) for event in run.events] == [("failed", "no answer in 0.2 s")]
