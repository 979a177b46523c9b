"""One run of a command: its output, its traces, its interruption and its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import sipstack
from sipstack import errors
from sipstack.cli.environment import Environment
from sipstack.cli.identity import PASSWORD, Identity
from sipstack.cli.ladder import Ladder
from sipstack.cli.log import logging_to
from sipstack.cli.options import Output, user_of
from sipstack.cli.report import Event, HumanReport, JsonReport, Report
from sipstack.cli.response_fields import telling_fields
from sipstack.cli.srtp import Security
from sipstack.cli.status import ExitStatus, exit_status
from sipstack.cli.trace_sinks import TraceSinks

Body = Callable[["Run"], Awaitable[None]]


class Run:
    """One run of a command, for its body to use. ``stop`` ends it from outside, with the reason."""

    def __init__(self, environment: Environment, output: Output) -> None:
        live = not output.trace and not output.verbose  # other lines on the terminal would break this one
        self.report: Report = JsonReport(environment) if output.json else HumanReport(environment, live=live)
        self.trace: TraceSinks[sipstack.TracedMessage] | None = None
        self.media_trace: TraceSinks[sipstack.TracedPacket] | None = None
        self.identity: Identity | None = None
        """Who we are, since there is a user agent."""
        self.call_id: str | None = None
        """That of the call that the command places, since it is known."""
        self.security = Security()
        """What protects the audio of calls."""
        self.codecs: Sequence[str] = ()
        """Those that calls may have, the one that we prefer first; () for the usual ones."""
        self.records: Path | None = None
        """Where calls are recorded."""
        self.cause: BaseException | None = None
        self.leave: Callable[[], object] | None = None
        """What the first Ctrl-C does in place of ending the command."""
        self._environment = environment
        self._task: asyncio.Future[None] | None = None
        self._interrupts = 0

    def agent(self, identity: Identity, **more: Any) -> sipstack.UserAgent:
        """A user agent made from the common options; ``more`` replaces some of its arguments."""
        self.identity = identity
        arguments = {
            "password": identity.password,
            "username": identity.username,
            "listen": identity.listen,
            "proxy": identity.proxy,
            "credentials_to": "*",  # whom we call was typed by who has the password
            "tls": identity.tls,
            "trace": self.trace,
            "media": self._new_media if self._media_arguments() else None,
            "records": self._call_records(),
        }
        return sipstack.UserAgent(identity.aor, **arguments | more)

    def _call_records(self) -> sipstack.CallRecords | None:
        if self.records is None:
            return None
        return sipstack.CallRecords(self.records, on_failure=self._unrecorded)

    def _unrecorded(self, error: Exception) -> None:
        self.report(Event("unrecorded", reason=str(error)))

    def _media_arguments(self) -> dict[str, Any]:
        """What the media of calls is made with, beside its own choices."""
        arguments = dict(self.security.arguments)
        if self.codecs:
            arguments |= {"codecs": self.codecs, "prefer_own": True}
        if self.media_trace is not None:
            arguments["bind"] = sipstack.traced_rtp(self.media_trace)
        return arguments

    def _new_media(self, host: str) -> sipstack.AudioSession:
        return sipstack.AudioSession(host, **self._media_arguments())

    def stop(self, cause: BaseException) -> None:
        """End the command: calls are hung up, and the first ``cause`` given decides the exit code."""
        if self.cause is None:
            self.cause = cause
            if self._task is not None:
                self._task.cancel()

    def interrupt(self) -> None:
        """Ctrl-C: the first ends the command in order, the second at once. Where the command would rather
        ``leave``, that comes before.
        """
        if self.leave is not None:
            leave, self.leave = self.leave, None
            leave()
            return
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
        _report_error(run, error)
    return status


async def _run_traced(run: Run, output: Output, body: Body) -> BaseException | None:
    sinks: list[Callable[[sipstack.TracedMessage], None]] = []
    if output.trace:
        sinks.append(Ladder(run.report.draw, full=output.full, pen=run.report.pen))
    with contextlib.ExitStack() as stack:
        if output.pcap is not None:
            try:
                capture = stack.enter_context(_capture(output.pcap))
            except (OSError, ImportError) as error:
                return cannot_write(output.pcap, error) if isinstance(error, OSError) else error
            sinks.append(capture)
            run.media_trace = TraceSinks([capture.packet], run.stop)
        if sinks:
            run.trace = TraceSinks(sinks, run.stop)
        return await run.supervise(body)


def _capture(path: Path) -> sipstack.Capture:
    """A capture file with wall-clock times; a trace has the event loop's."""
    return sipstack.Capture(path, time.time() - asyncio.get_running_loop().time())


def cannot_write(path: Path, error: OSError) -> errors.MediaError:
    """The error that says which file cannot be written, and why."""
    return errors.MediaError(f"cannot write {path}: {error.strerror or error}")


def _report_error(run: Run, error: BaseException) -> None:
    run.report(failure_event(error, run.call_id))
    if isinstance(error, errors.AuthenticationFailed):
        run.report.advise(_about_credentials(error, run.identity))


def failure_event(error: BaseException, call_id: str | None) -> Event:
    """The event that tells of ``error``, which ended the call or the command."""
    match error:
        case KeyboardInterrupt():
            return Event("interrupted", call_id=call_id)
        case errors.RequestFailed():
            return rejected_event(error)
        case OSError():
            return Event("failed", call_id=call_id, reason=error.strerror or str(error))
        case _:
            status = getattr(error, "status", None)
            return Event("failed", call_id=call_id, status=status, reason=str(error))


def rejected_event(error: errors.RequestFailed) -> Event:
    """The event ``rejected``, with the header fields that say why, or where else to try."""
    return Event(
        "rejected",
        call_id=error.response.headers.get("Call-ID"),
        status=error.status,
        reason=error.reason,
        headers=telling_fields(error.response),
    )


def _about_credentials(error: errors.AuthenticationFailed, identity: Identity | None) -> str:
    """Whose password was refused and by whom, or how to give one."""
    if identity is None or identity.password is None:
        asks = f'the realm "{error.realm}" asks for a password: ' if error.realm else ""
        return f"{asks}give --user NAME, and the password in the environment variable {PASSWORD}"
    user = identity.username or user_of(identity.aor) or "nobody"
    return f'the password of {user} is refused by the realm "{error.realm}"'
