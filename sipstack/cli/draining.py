"""``sipstack answer --drain S``: who is told to leave lets the calls end that are under way."""

from __future__ import annotations

import asyncio

import sipstack
from sipstack.cli.options import Function, seconds
from sipstack.cli.report import Event
from sipstack.cli.run import Run


def drain_option(function: Function) -> Function:
    """Give a command ``--drain``."""
    text = (
        "At Ctrl-C or SIGTERM take no new calls (503), and wait up to S seconds for the ends of those"
        " under way. A second Ctrl-C hangs up."
    )
    return seconds("--drain", text)(function)


class Leaving:
    """Whether the command was told to leave; then calls have ``patience`` seconds. None: they have not."""

    def __init__(self, run: Run, patience: float | None) -> None:
        self._run = run
        self._patience = patience
        self._asked = asyncio.Event()
        if patience is not None:
            run.leave = self._asked.set

    async def asked(self) -> None:
        """Wait until it is told to."""
        await self._asked.wait()

    async def drain(self, agent: sipstack.UserAgent) -> None:
        """Let calls end, if it was."""
        if self._asked.is_set():
            self._run.report(Event("draining", duration=self._patience))
            await agent.drain(self._patience)
