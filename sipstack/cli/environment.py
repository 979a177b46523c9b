"""The streams, variables and signals that a command uses, in one object that tests can build."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NoReturn, TextIO

import attrs

Callback = Callable[[], object]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def process_signals(interrupted: Callback) -> Iterator[None]:
    """Call ``interrupted`` in the running loop at each Ctrl-C and SIGTERM, until the block is left."""
    loop = asyncio.get_running_loop()
    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, interrupted)
    except NotImplementedError:  # Windows has no handlers in the loop
        with _plain_handlers(loop, interrupted):
            yield
        return
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _plain_handlers(loop: asyncio.AbstractEventLoop, interrupted: Callback) -> Iterator[None]:
    def handle(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(interrupted)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _exit_at_once(status: int) -> NoReturn:
    os._exit(status)


@attrs.frozen
class Environment:
    """The streams, the variables and the signals of one run."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    variables: Mapping[str, str]
    ask_secret: Callable[[str], str] = getpass.getpass
    """Ask for a password on the terminal, without showing it."""
    signals: Callable[[Callback], AbstractContextManager[None]] = process_signals
    """Connects Ctrl-C and SIGTERM to a callback; entered while the event loop runs."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since the epoch, for time stamps."""
    exit_at_once: Callable[[int], NoReturn] = _exit_at_once
    """Leave the process without any clean-up, at a second Ctrl-C."""

    @classmethod
    def of_process(cls) -> Environment:
        """The environment of this process."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a peer's text must not stop us on a narrow terminal
        return cls(sys.stdin, sys.stdout, sys.stderr, os.environ)

    def discard_stdout(self) -> None:
        """Discard what is still buffered: nobody reads our output any more."""
        with contextlib.suppress(io.UnsupportedOperation), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), self.stdout.fileno())
