"""Blocks that are cancelled when a call ends."""

from __future__ import annotations

import asyncio
from types import TracebackType

from sipstack.errors import CallEnded
from sipstack.ua.result import Result


class CallScope:
    """``async with``: the block is cancelled when the call ends, with CallEnded. Made by ``Call.scope``.

    Works as ``asyncio.timeout`` does: a cancellation from elsewhere stays one.
    """

    __slots__ = ("_cancelling", "_end", "_ended", "_task", "_watch")

    def __init__(self, ended: Result[CallEnded]) -> None:
        self._ended = ended
        self._end: CallEnded | None = None  # once we have cancelled the block

    async def __aenter__(self) -> None:
        if self._ended.done:
            raise _again(self._ended.result())
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._watch = asyncio.ensure_future(self._cancel_at_the_end())

    async def _cancel_at_the_end(self) -> None:
        self._end = await self._ended
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        if self._end is None:
            return
        cancelled_by_us_alone = self._task.uncancel() <= self._cancelling
        if cancelled_by_us_alone and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise _again(self._end) from error


def _again(end: CallEnded) -> CallEnded:
    """An error of its own for each who is told, with a traceback of its own."""
    return CallEnded(end.by, end.reason)
