"""One run of a command: what it says, what it traces, how it is interrupted and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import sipstack
from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.cli.ladder import Ladder
from sipstack.cli.options import PASSWORD, Identity, Output
from sipstack.cli.report import Event, HumanReport, JsonReport, Report
from sipstack.cli.status import ExitStatus, exit_status
from sipstack.cli.tracing import Sink, Tracing

Body = Callable[["Session"], Awaitable[None]]


class Session:
    """What the body of a command works with. ``stop`` ends it from outside, with the reason."""

    def __init__(self, environment: Environment, output: Output) -> None:
        live = not output.trace  # a ladder shows by itself that time passes
        self.report: Report = JsonReport(environment) if output.json else HumanReport(environment, live=live)
        self.tracing: Tracing | None = None
        self.cause: BaseException | None = None
        self._environment = environment
        self._task: asyncio.Future[None] | None = None
        self._interrupts = 0

    def agent(self, identity: Identity, **more: Any) -> sipstack.UserAgent:
        """The user agent that the common options describe."""
        described = {
            "password": identity.password,
            "username": identity.username,
            "listen": identity.listen,
            "proxy": identity.proxy,
            "trace": self.tracing,
        }
        return sipstack.UserAgent(identity.aor, **described | more)

    def stop(self, cause: BaseException) -> None:
        """End the command: calls are hung up, and ``cause`` decides the exit code. The first cause counts."""
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
        """Run ``body`` to its end; the error that ended it, if any."""
        task = self._task = asyncio.ensure_future(_call(body, self))
        with self._environment.signals(self.interrupt):
            await asyncio.wait([task])
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        return self.cause or failure


async def _call(body: Body, session: Session) -> None:
    await body(session)


def run(environment: Environment, output: Output, body: Body) -> ExitStatus:
    """Run the body of a command in an event loop of its own, say how it ended, and give its exit code."""
    session = Session(environment, output)
    with _logging(environment, output.verbose):
        error = asyncio.run(_traced(session, output, body))
    if error is None:
        return ExitStatus.DONE
    status = exit_status(error)
    if status is None:
        raise error
    if isinstance(error, BrokenPipeError):
        environment.discard_stdout()
    else:
        _complain(session.report, error)
    return status


async def _traced(session: Session, output: Output, body: Body) -> BaseException | None:
    sinks: list[Sink] = [Ladder(session.report.draw)] if output.trace else []
    with contextlib.ExitStack() as stack:
        if output.pcap is not None:
            try:
                sinks.append(stack.enter_context(_capture(output.pcap)))
            except (OSError, ImportError) as error:
                return unwritable(output.pcap, error) if isinstance(error, OSError) else error
        if sinks:
            session.tracing = Tracing(sinks, session.stop)
        return await session.supervise(body)


def _capture(path: Path) -> sipstack.Capture:
    """A capture whose packets carry wall-clock times; traces carry the event loop's."""
    return sipstack.Capture(path, time.time() - asyncio.get_running_loop().time())


def unwritable(path: Path, error: OSError) -> errors.MediaError:
    """The error that says which file cannot be written, and why."""
    return errors.MediaError(f"cannot write {path}: {error.strerror or error}")


@contextlib.contextmanager
def _logging(environment: Environment, verbose: int) -> Iterator[None]:
    """Show the stack's log on standard error while the command runs."""
    if not verbose:
        yield
        return
    logger = logging.getLogger("sipstack")
    handler = logging.StreamHandler(environment.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _complain(report: Report, error: BaseException) -> None:
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
