"""The end of a run: in order, by an error, by one signal, by two."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from sipstack import errors
from sipstack.cli.environment import Callback, Environment
from sipstack.cli.options import Output
from sipstack.cli.report import Event
from sipstack.cli.run import Body, Run, run_command
from sipstack.cli.status import ExitStatus
from sipstack.message import Response
from tests.cli.streams import environment, text

HUMAN = Output(json=False, trace=False, pcap=None, verbose=0)
JSON = Output(json=True, trace=False, pcap=None, verbose=0)


def raising(error: BaseException) -> Body:
    async def body(run: Run) -> None:
        raise error

    return body


def exit_at_once(status: int) -> NoReturn:
    """Stands in for the end of the process."""
    raise SystemExit(status)


class Signals:
    """Ctrl-C by hand."""

    press: Callback

    @contextlib.contextmanager
    def __call__(self, interrupted: Callback) -> Iterator[None]:
        self.press = interrupted
        yield


def test_a_run_that_ends_well_says_nothing_more() -> None:
    async def body(run: Run) -> None:
        run.report(Event("listening", local="sip:a@x"))

    env = environment()
    assert run_command(env, HUMAN, body) is ExitStatus.DONE
    assert (text(env.stdout), text(env.stderr)) == ("listening   sip:a@x\n", "")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (errors.CallRejected(Response(486)), ExitStatus.REFUSED, "rejected    486 Busy Here\n"),
        (errors.TransactionTimeout("no response"), ExitStatus.NO_ANSWER, "failed      408 no response\n"),
        (errors.ResolutionError("no address for x"), ExitStatus.NETWORK, "failed      no address for x\n"),
        (OSError(98, "Address already in use"), ExitStatus.NETWORK, "failed      Address already in use\n"),
        (errors.NegotiationError("no codec"), ExitStatus.MEDIA, "failed      488 no codec\n"),
        (
            errors.AuthenticationFailed(Response(401)),
            ExitStatus.REFUSED,
            "rejected    401 Unauthorized\n"
            "            give --user NAME, and the password in the environment variable SIPSTACK_PASSWORD\n",
        ),
    ],
    ids=repr,
)
def test_an_error_is_said_and_gives_its_exit_code(error: Exception, status: ExitStatus, line: str) -> None:
    env = environment()
    assert run_command(env, HUMAN, raising(error)) is status
    assert (text(env.stdout), text(env.stderr)) == ("", line)


def test_json_says_the_error_on_standard_output() -> None:
    env = environment()
    assert run_command(env, JSON, raising(errors.CallRejected(Response(486)))) is ExitStatus.REFUSED
    said = json.loads(text(env.stdout))
    assert (said["event"], said["status"], said["reason"]) == ("rejected", 486, "Busy Here")
    assert text(env.stderr) == ""


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(environment(), HUMAN, raising(ZeroDivisionError()))


def test_one_ctrl_c_lets_the_command_hang_up() -> None:
    signals, done = Signals(), []

    async def body(run: Run) -> None:
        try:
            signals.press()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            done.append("hung up")

    env = environment(signals=signals)
    assert run_command(env, HUMAN, body) is ExitStatus.INTERRUPTED
    assert done == ["hung up"]
    assert text(env.stderr) == "interrupted \n"


def test_an_interrupt_that_finds_the_command_at_its_end_still_counts() -> None:
    signals = Signals()

    async def body(run: Run) -> None:
        signals.press()

    assert run_command(environment(signals=signals), HUMAN, body) is ExitStatus.INTERRUPTED


def test_the_second_ctrl_c_leaves_at_once() -> None:
    signals = Signals()

    async def body(run: Run) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(signals.press)
        loop.call_soon(signals.press)
        await asyncio.sleep(60)

    with pytest.raises(SystemExit) as left:
        run_command(environment(signals=signals, exit_at_once=exit_at_once), HUMAN, body)
    assert left.value.code == ExitStatus.INTERRUPTED


def test_a_ctrl_c_after_a_failure_does_not_change_the_exit_code() -> None:
    signals = Signals()

    async def body(run: Run) -> None:
        run.stop(errors.MediaError("disk full"))
        signals.press()
        await asyncio.sleep(60)

    env = environment(signals=signals)
    assert run_command(env, HUMAN, body) is ExitStatus.MEDIA
    assert text(env.stderr) == "failed      disk full\n"


def test_output_that_nobody_reads_ends_the_command(tmp_path: Path) -> None:
    class Closed(type(environment().stdout)):  # type: ignore[misc]
        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    async def body(run: Run) -> None:
        run.report(Event("listening", local="sip:a@x"))
        await asyncio.sleep(60)

    env = environment()
    broken = Environment(env.stdin, Closed(), env.stderr, {})
    assert run_command(broken, JSON, body) is ExitStatus.INTERRUPTED
    assert text(env.stderr) == ""


def test_a_capture_file_that_cannot_be_written_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "call.pcap"
    env = environment()
    output = Output(json=False, trace=False, pcap=path, verbose=0)
    assert run_command(env, output, raising(AssertionError("ran"))) is ExitStatus.MEDIA
    assert text(env.stderr) == f"failed      cannot write {path}: No such file or directory\n"


@pytest.mark.parametrize(
    ("output", "moves"),
    [
        (HUMAN, True),
        (JSON, False),
        (Output(json=False, trace=True, pcap=None, verbose=0), False),
        (Output(json=False, trace=False, pcap=None, verbose=1), False),
    ],
    ids=["plain", "json", "trace", "verbose"],
)
def test_the_line_that_counts_the_seconds_is_alone_on_the_terminal(output: Output, moves: bool) -> None:
    run = Run(environment(terminal=True), output)
    assert isinstance(run.report.waiting("ringing"), contextlib.nullcontext) is not moves
