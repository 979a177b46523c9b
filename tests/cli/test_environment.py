"""The signals of a process, and its streams."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from sipstack.cli.environment import SIGNALS, Environment, process_signals
from tests.cli.streams import environment


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send itself these signals")
@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_calls_back_in_the_loop(number: signal.Signals) -> None:
    interrupted = asyncio.Event()
    before = signal.getsignal(number)
    with process_signals(interrupted.set):
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await interrupted.wait()
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


class LoopWithoutSignals(asyncio.SelectorEventLoop):
    """A loop like those of Windows."""

    def add_signal_handler(self, *_: object) -> None:
        raise NotImplementedError


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send itself these signals")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_loop_without_signal_handlers_is_called_back_too(number: signal.Signals) -> None:
    async def wait() -> None:
        interrupted = asyncio.Event()
        with process_signals(interrupted.set):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                await interrupted.wait()

    before = signal.getsignal(number)
    with asyncio.Runner(loop_factory=LoopWithoutSignals) as runner:
        runner.run(wait())
    assert signal.getsignal(number) == before


def test_the_environment_of_this_process() -> None:
    env = Environment.of_process()
    assert (env.stdin, env.stdout, env.stderr) == (sys.stdin, sys.stdout, sys.stderr)
    assert env.variables is os.environ


def test_discarding_output_that_has_no_file_does_nothing() -> None:
    environment().discard_stdout()
