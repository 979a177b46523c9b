"""Place one call many times, and sum up."""

from __future__ import annotations

import asyncio

import attrs

import sipstack
from sipstack import errors
from sipstack.cli.call_plan import check_writable, numbered
from sipstack.cli.junit import Case, JUnitReport
from sipstack.cli.one_of_many import OneOfMany
from sipstack.cli.outgoing_call import PlaceCall, place_call
from sipstack.cli.pace import keep_pace
from sipstack.cli.repetition import Repetition
from sipstack.cli.report import Event
from sipstack.cli.run import Run, cannot_write, failure_event
from sipstack.cli.status import CallsFailed, ExitStatus, exit_status
from sipstack.cli.summary import Tally

OF_ONE_CALL = {
    ExitStatus.REFUSED: "refused",
    ExitStatus.NO_ANSWER: "no answer",
    ExitStatus.NETWORK: "network",
    ExitStatus.MEDIA: "media",
}
"""What one call may fail with while the others go on, and the word for it where there is no status."""
NOT_OF_ONE_CALL = "error"
ANSWERED = "200"


@attrs.frozen
class RepeatCalls:
    """Many calls by one user agent. With ``quiet`` events are reported of calls that fail alone."""

    one: PlaceCall
    repetition: Repetition
    quiet: bool

    async def __call__(self, run: Run) -> None:
        check_writable(self.repetition.junit)
        await self.one.prepare(run)
        async with self.one.agent(run) as agent:
            calls = _Calls(self, run, agent)
            try:
                await calls.place()
            finally:
                calls.sum_up()
        failed = calls.tally.failed
        if failed:
            raise CallsFailed(f"{failed} of {self.repetition.calls} calls failed")


class _Calls:
    """The calls of one run, and what became of them."""

    def __init__(self, command: RepeatCalls, run: Run, agent: sipstack.UserAgent) -> None:
        self._one, self._repetition, self._quiet = command.one, command.repetition, command.quiet
        self._run = run
        self._agent = agent
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self.tally = Tally(self._repetition.calls)
        junit = self._repetition.junit
        self._junit = JUnitReport(f"sipstack call {self._one.target}") if junit is not None else None

    async def place(self) -> None:
        """All of them, at their pace."""
        repetition = self._repetition
        with self._run.report.counting(repetition.calls) as count:

            async def work(number: int, late: float) -> None:
                try:
                    await self._place(number, late)
                    count(self.tally.failed)
                except Exception as error:  # no fault of this call: it ends them all
                    self._run.stop(error)

            await keep_pace(work, repetition.calls, repetition.rate, repetition.parallel)

    async def _place(self, number: int, late: float) -> None:
        """One call. Raises what is no fault of its own."""
        one = OneOfMany(self._run.report, number, self.tally, quiet=self._quiet)
        began = self._clock()
        case = Case(f"call {number}", 0.0)
        self.tally.started(late)
        try:
            plan = numbered(self._one.plan, number)
            await place_call(
                one, self._agent, self._one.target, plan, self._one.ring_timeout, self._one.session
            )
        except asyncio.CancelledError:
            self.tally.interrupt()
            case = attrs.evolve(case, skipped=True)
            raise
        except Exception as error:
            kind = _kind(error)
            self.tally.fail(kind)
            case = attrs.evolve(case, failure=str(error), kind=kind)
            if kind == NOT_OF_ONE_CALL:
                raise
            one.report(failure_event(error, one.call_id))
        else:
            self.tally.done(ANSWERED)
        finally:
            if self._junit is not None:
                seconds = self._clock() - began
                self._junit.add(attrs.evolve(case, seconds=seconds, call_id=one.call_id or ""))

    def sum_up(self) -> None:
        """Report the figures, and write the file. Raises MediaError when that cannot be written."""
        seconds = self._clock() - self._began
        self._run.report(Event("summary", remote=self._one.target, summary=self.tally.figures(seconds)))
        path = self._repetition.junit
        if self._junit is not None and path is not None:
            try:
                self._junit.write(path, seconds)
            except OSError as error:
                raise cannot_write(path, error) from error


def _kind(error: Exception) -> str:
    """The status code that a call failed with, or a word."""
    if isinstance(error, errors.RequestFailed):
        return str(error.status)
    status = exit_status(error)
    return NOT_OF_ONE_CALL if status is None else OF_ONE_CALL.get(status, NOT_OF_ONE_CALL)
