"""The options that say where calls are kept, and what is to become of those that are found there."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.call_plan import CallPlan, carry_out
from sipstack.cli.identity import Identity
from sipstack.cli.options import Function, with_options
from sipstack.cli.report import Event
from sipstack.cli.run import Run

Resume = Callable[[sipstack.Call], Awaitable[None]]


@attrs.frozen
class Sessions:
    """The file, if any, and whether the calls in it are to be treated like new ones, or to be ended."""

    path: Path | None = None
    resumes: bool = False
    ends: bool = False

    def arguments(self, identity: Identity, resume: Resume | None) -> Mapping[str, Any]:
        """The arguments of the user agent; ``resume`` is given the calls that are gone on with."""
        if self.path is None:
            return {}
        return {
            "sessions": store_of(self.path),
            "node": f"{identity.aor} {identity.listen[0]}",
            "on_resume": None if self.ends else resume,
        }

    async def end_old(self, run: Run, agent: sipstack.UserAgent) -> None:
        """Hang up what is in the file, where that is asked for. Raises StoreError."""
        if self.path is None or not self.ends:
            return
        for kept in await agent.sessions():
            with contextlib.suppress(errors.LocalProtocolError):  # it has ended meanwhile
                await agent.hang_up(kept)
                run.report(
                    Event(
                        "ended",
                        call_id=kept.id,
                        local=str(kept.local),
                        remote=str(kept.remote),
                        by="local",
                        duration=None if kept.duration is None else round(kept.duration, 3),
                    )
                )


def store_of(path: Path) -> sipstack.SessionStore:
    """The store in this file."""
    return sipstack.SqliteStore(path)


def going_on(run: Run, plan: CallPlan, sessions: Sessions) -> Resume:
    """Goes on with a call of an earlier run: with ``plan`` where that is asked for, else until the peer hangs
    up.
    """

    async def resume(call: sipstack.Call) -> None:
        run.report(
            Event(
                "resumed",
                call_id=call.id,
                local=str(call.local),
                remote=str(call.remote),
                duration=round(call.duration, 3),
                codec=call.codec,
                security=call.security,
            )
        )
        try:
            await carry_out(run, call, plan if sessions.resumes else CallPlan())
        except errors.MediaError as error:
            run.report(Event("failed", call_id=call.id, reason=str(error)))

    return resume


def store_options(function: Callable[..., Any]) -> Function:
    """Give a command the options of ``Sessions``, which it receives as ``sessions``. To be given the identity
    as well.
    """
    options = (
        click.option(
            "--session-store",
            "path",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Keep established calls in FILE: when we are killed and started again, they go on. Without "
            "--resume or --hang-up-old the other side is answered and hears silence, until it hangs up.",
        ),
        click.option("--resume", is_flag=True, help="Treat the calls in the file like new ones."),
        click.option("--hang-up-old", is_flag=True, help="End the calls in the file."),
    )

    @functools.wraps(function)
    def command(path: Path | None, resume: bool, hang_up_old: bool, identity: Identity, **rest: Any) -> Any:
        if path is None and (resume or hang_up_old):
            raise click.UsageError(
                "--resume and --hang-up-old are about calls that were kept: give --session-store"
            )
        if resume and hang_up_old:
            raise click.UsageError("--resume and --hang-up-old exclude each other: give one of them")
        if path is not None and identity.listen[0].endswith(":0"):
            raise click.UsageError(
                "--session-store needs the same port at each start, at which the other side reaches us:"
                " give --listen udp:0.0.0.0:5060"
            )
        return function(identity=identity, sessions=Sessions(path, resume, hang_up_old), **rest)

    return with_options(command, options)
