"""A single request of ours, outside of any dialog, until its final response."""

from __future__ import annotations

from sipstack.core.events import ResponseReceived, Unanswered
from sipstack.errors import FlowClosed
from sipstack.message import Response
from sipstack.ua.result import Result
from sipstack.ua.runtime import CLOSED, Runtime
from sipstack.usage.standalone import StandaloneRequest


class PendingRequest:
    """Sent by ``response``, which waits for the final response."""

    __slots__ = ("_result", "_runtime", "_usage")

    def __init__(self, runtime: Runtime, usage: StandaloneRequest) -> None:
        self._runtime = runtime
        self._usage = usage
        self._result: Result[Response] = Result()

    async def response(self) -> Response:
        """Raises TransactionTimeout, TransportError or ResolutionError; FlowClosed when the user agent is
        left.
        """
        runtime, usage = self._runtime, self._usage
        runtime.attach(self, usage)
        try:
            runtime.command(usage.start, runtime.now())
            return await self._result
        finally:
            runtime.detach(self, usage)

    def _on_event(self, event: ResponseReceived | Unanswered) -> None:
        if isinstance(event, ResponseReceived):
            self._result.set(event.response)
        else:
            self._result.fail(event.error)

    def _close_nowait(self) -> bool:
        """A request cannot be taken back: it is not waited for."""
        self._abort(CLOSED)
        return False

    def _abort(self, reason: str) -> None:
        self._result.fail(FlowClosed(reason))
