"""One run of a command: its output, its traces, its interruption and its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import sipstack
from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.cli.ladder import Ladder
from sipstack.cli.log import logging_to
from sipstack.cli.options import PASSWORD, Identity, Output
from sipstack.cli.report import Event, HumanReport, JsonReport, Report
from sipstack.cli.status import ExitStatus, exit_status
from sipstack.cli.trace_sinks import TraceSink, TraceSinks

Body = Callable[["Run"], Awaitable[None]]


class Run:
    """One run of a command, for its body to use. ``stop`` ends it from outside, with the reason."""

    def __init__(self, environment: Environment, output: Output) -> None:
        live = not output.trace and not output.verbose  # other lines on the terminal would break this one
        self.report: Report = JsonReport(environment) if output.json else HumanReport(environment, live=live)
        self.trace: TraceSinks | None = None
        self.cause: BaseException | None = None
        self._environment = environment
        self._task: asyncio.Future[None] | None = None
        self._interrupts = 0

    def agent(self, identity: Identity, **more: Any) -> sipstack.UserAgent:
        """A user agent made from the common options; ``more`` replaces some of its arguments."""
        arguments = {
            "password": identity.password,
            "username": identity.username,
            "listen": identity.listen,
            "proxy": identity.proxy,
            "trace": self.trace,
        }
        return sipstack.UserAgent(identity.aor, **arguments | more)

    def stop(self, cause: BaseException) -> None:
        """End the command: calls are hung up, and the first ``cause`` given decides the exit code."""
        if self.cause is None:
            self.cause = cause
            if self._task is not None:
                self._task.cancel()

    def interrupt(self) -> None:
        """Ctrl-C: the first ends the command in order, the second at once."""
        self._interrupts += 1
        if self._interrupts > 1:
            self._environment.exit_at_once(ExitStatus.INTERRUPTED)
        self.stop(KeyboardInterrupt())

    async def supervise(self, body: Body) -> BaseException | None:
        """Run ``body`` to its end. Returns the error that ended it, if any."""
        task = self._task = asyncio.ensure_future(_call(body, self))
        with self._environment.signals(self.interrupt):
            await asyncio.wait([task])
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        return self.cause or failure


async def _call(body: Body, run: Run) -> None:
    await body(run)


def run_command(environment: Environment, output: Output, body: Body) -> ExitStatus:
    """Run the body of a command in a new event loop, report an error, and return the exit code."""
    run = Run(environment, output)
    with logging_to(environment.stderr, output.verbose):
        error = asyncio.run(_run_traced(run, output, body))
    if error is None:
        return ExitStatus.DONE
    status = exit_status(error)
    if status is None:
        raise error
    if isinstance(error, BrokenPipeError):
        environment.discard_stdout()
    else:
        _report_error(run.report, error)
    return status


async def _run_traced(run: Run, output: Output, body: Body) -> BaseException | None:
    sinks: list[TraceSink] = [Ladder(run.report.draw)] if output.trace else []
    with contextlib.ExitStack() as stack:
        if output.pcap is not None:
            try:
                sinks.append(stack.enter_context(_capture(output.pcap)))
            except (OSError, ImportError) as error:
                return cannot_write(output.pcap, error) if isinstance(error, OSError) else error
        if sinks:
            run.trace = TraceSinks(sinks, run.stop)
        return await run.supervise(body)


def _capture(path: Path) -> sipstack.Capture:
    """A capture file with wall-clock times; a trace has the event loop's."""
    return sipstack.Capture(path, time.time() - asyncio.get_running_loop().time())


def cannot_write(path: Path, error: OSError) -> errors.MediaError:
    """The error that says which file cannot be written, and why."""
    return errors.MediaError(f"cannot write {path}: {error.strerror or error}")


def _report_error(report: Report, error: BaseException) -> None:
    match error:
        case KeyboardInterrupt():
            report(Event("interrupted"))
        case errors.RequestFailed():
            report(Event("rejected", status=error.status, reason=error.reason))
        case OSError():
            report(Event("failed", reason=error.strerror or str(error)))
        case _:
            report(Event("failed", status=getattr(error, "status", None), reason=str(error)))
    if isinstance(error, errors.AuthenticationFailed):
        report.advise(f"give --user NAME, and the password in the environment variable {PASSWORD}")
