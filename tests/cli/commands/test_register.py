"""``sipstack register`` against a small registrar."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipstack.cli.registering import addresses
from sipstack.cli.status import ExitStatus
from sipstack.ua.account import ANONYMOUS
from tests.cli.commands.test_call import closed_port
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, command, line, outcome, process

AOR = "sip:alice@example.com"
ALICE = ("--from", AOR, "--json", *ANY_PORT)


def arguments_of(pid: int) -> bytes:
    """The command line of a process, as ``ps`` shows it."""
    path = Path(f"/proc/{pid}/cmdline")
    if not path.exists():
        pytest.skip("there is no /proc here")
    return path.read_bytes()


# -- what fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("once", [["--once"], []], ids=["once", "staying"])
async def test_a_registrar_that_is_not_there(once: list[str]) -> None:
    async with command("register", closed_port().replace("nobody@", ""), *ALICE, *once) as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["failed"]


@pytest.mark.parametrize("once", [["--once"], []], ids=["once", "staying"])
@pytest.mark.parametrize("status", [403, 503])
async def test_a_refusal(status: int, once: list[str]) -> None:
    async with registrar_here(status=status) as registrar:
        async with command("register", registrar.uri, *ALICE, *once) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", status)]


async def test_a_refresh_whose_credentials_are_refused_is_a_refusal() -> None:
    async with registrar_here() as registrar:
        async with command("register", registrar.uri, *ALICE, "--expires", "2") as run:
            await run.event("registered")
            registrar.status = 401
            assert await run.status() == ExitStatus.REFUSED
    assert (run.events[-1]["event"], run.events[-1]["status"]) == ("rejected", 401)
    assert run.event_names == ["registered", "rejected"]


async def test_a_wrong_password() -> None:
    async with registrar_here(password="secret") as registrar:
        variables = {"SIPSTACK_PASSWORD": "wrong"}
        async with command("register", registrar.uri, *ALICE, "--once", variables=variables) as run:
            assert await run.status() == ExitStatus.REFUSED
        assert registrar.bindings == {}
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", 401)]


@pytest.mark.parametrize(
    ("variables", "more", "advice"),
    [
        ({"SIPSTACK_PASSWORD": "wrong"}, [], 'the password of alice is refused by the realm "test"'),
        (
            {"SIPSTACK_PASSWORD": "wrong"},
            ["--user", "al"],
            'the password of al is refused by the realm "test"',
        ),
        (
            {},
            [],
            'the realm "test" asks for a password: give --user NAME, and the password in the environment '
            "variable SIPSTACK_PASSWORD",
        ),
    ],
)
async def test_it_says_whose_password_is_refused_and_by_whom(
    variables: dict[str, str], more: list[str], advice: str
) -> None:
    async with registrar_here(password="secret") as registrar:
        arguments = ("register", registrar.uri, "--from", AOR, *ANY_PORT, *more)
        async with command(*arguments, variables=variables) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert run.stderr == f"rejected    401 Unauthorized\n            {advice}\n"


@pytest.mark.parametrize(
    ("target", "sender", "expected"),
    [
        ("sip:alice@example.com", ANONYMOUS, ("sip:alice@example.com", "sip:example.com")),
        (
            "sip:alice@[::1]:5070;transport=udp",
            ANONYMOUS,
            ("sip:alice@[::1]:5070;transport=udp", "sip:[::1]:5070;transport=udp"),
        ),
        ("sip:pbx.example.net", AOR, (AOR, "sip:pbx.example.net")),
        (AOR, AOR, (AOR, "sip:example.com")),
    ],
)
def test_who_registers_where(target: str, sender: str, expected: tuple[str, str]) -> None:
    assert addresses(target, sender) == expected


@pytest.mark.parametrize(
    ("target", "username", "aor"),
    [
        ("sip:pbx.example.net", "alice", "sip:alice@pbx.example.net"),
        ("sips:[::1]:5071", "alice@corp", "sips:alice%40corp@[::1]:5071"),
        ("sip:pbx.example.net", "+31 20#1", "sip:+31%2020%231@pbx.example.net"),
    ],
)
def test_a_user_without_an_address_is_one_at_the_registrar(target: str, username: str, aor: str) -> None:
    assert addresses(target, ANONYMOUS, username) == (aor, target)


async def test_user_alone_registers_there() -> None:
    async with registrar_here(password="secret") as registrar:
        arguments = ("register", registrar.uri, "--user", "alice", "--once", *ANY_PORT)
        async with command(*arguments, variables={"SIPSTACK_PASSWORD": "secret"}) as run:
            assert await run.status() == ExitStatus.DONE


# -- what works --------------------------------------------------------------------------------------------


async def test_once_registers_and_takes_it_back() -> None:
    async with registrar_here() as registrar:
        async with command("register", registrar.uri, *ALICE, "--once", "--expires", "300") as run:
            assert await run.status() == ExitStatus.DONE
        assert registrar.asked == [300, 0]
    assert [(event["event"], event["local"]) for event in run.events] == [
        ("registered", AOR),
        ("unregistered", AOR),
    ]
    assert 290 < run.events[0]["expires_in"] <= 300


async def test_the_password_comes_from_the_environment() -> None:
    async with registrar_here(password="secret") as registrar:
        variables = {"SIPSTACK_PASSWORD": "secret"}
        arguments = ("register", registrar.uri, *ALICE, "--once", "--trace")
        async with command(*arguments, variables=variables) as run:
            assert await run.status() == ExitStatus.DONE
        assert registrar.asked == [600, 600, 0]
    assert "401 Unauthorized (REGISTER)" in run.stderr
    assert "secret" not in run.stderr
    assert "secret" not in str(run.events)


async def test_it_stays_registered_until_ctrl_c_which_takes_it_back() -> None:
    async with registrar_here() as registrar:
        async with command("register", registrar.uri, *ALICE) as run:
            await run.event("registered")
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
        assert registrar.asked == [600, 0]
    assert run.event_names == ["registered", "interrupted"]


@pytest.mark.parametrize("status", [403, 503])
async def test_it_refreshes_and_says_when_the_registrar_changes_its_mind(status: int) -> None:
    async with registrar_here() as registrar:
        async with command("register", registrar.uri, *ALICE, "--expires", "2") as run:
            await run.event("registered")
            registrar.status = status
            lost = await run.event("lost")
            assert lost["status"] == status
            assert 0 <= lost["retry_in"] <= 1
            registrar.status = 200
            await asyncio.sleep(lost["retry_in"] + 0.5)
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
    assert [name for name in run.event_names if name != "lost"][:2] == ["registered", "registered"]


async def test_no_password_is_seen_by_other_processes() -> None:
    async with registrar_here(password="secret") as registrar:
        variables = {"SIPSTACK_PASSWORD": "secret", "PATH": ""}
        async with process("register", registrar.uri, *ALICE, "--trace", variables=variables) as running:
            await line(running, "registered")
            shown = arguments_of(running.pid)
            assert b"register" in shown
            assert b"secret" not in shown
            running.terminate()
            status, said, errors = await outcome(running)
    assert status == ExitStatus.INTERRUPTED
    assert [event["event"] for event in said] == ["interrupted"]
    assert "secret" not in errors
