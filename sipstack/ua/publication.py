"""A state that we publish at a server, while an ``async with`` block runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sipstack.errors import (
    AuthenticationFailed,
    FlowClosed,
    LocalProtocolError,
    PublicationRejected,
    SipError,
    TransactionTimeout,
)
from sipstack.log import TRANSACTION
from sipstack.ua.backoff import LONGEST_PAUSE, Backoff
from sipstack.ua.refusal import refusal
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.publication import PublicationFailed, PublicationUsage, Published, Unpublished

AGAIN = Backoff()


class Publication:
    """Our state at the server that tells it to whoever has subscribed."""

    def __init__(self, runtime: Runtime, usage: PublicationUsage, package: EventPackage, target: str) -> None:
        self._package = package
        self._target = target
        self._active = False
        self._expires_at: float | None = None
        self._error: SipError | None = None
        self._closed: Result[None] = Result()
        self._runtime = runtime
        self._usage = usage
        self._outcome: Result[None] = Result()
        self._lost: Result[None] = Result()
        self._retrying: asyncio.TimerHandle | None = None
        self._failures = 0
        self._worked = self._closing = False
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        state = "active" if self._active else "inactive"
        return f"<Publication of {self._package.name} at {self._target} {state}>"

    @property
    def package(self) -> EventPackage:
        """What it is a state of."""
        return self._package

    @property
    def target(self) -> str:
        """The URI whose state we publish."""
        return self._target

    @property
    def active(self) -> bool:
        """Whether the server has our state, as far as the latest answer tells."""
        return self._active

    @property
    def expires_at(self) -> float | None:
        """When it ends unless it is refreshed, in the event loop's time; None while inactive."""
        return self._expires_at

    @property
    def error(self) -> SipError | None:
        """What the latest PUBLISH came to; None when it went well."""
        return self._error

    async def update(self, state: Any) -> None:
        """Publish another state, and wait until the server has it. Of several updates at a time the last
        counts. Raises PublicationRejected, AuthenticationFailed, TransactionTimeout or TransportError.
        """
        body = self._package.write(state)
        if not isinstance(body, bytes) or not body:
            raise LocalProtocolError(f"a state of {self._package.name} is octets: give the package a write=")
        if self._closing:
            raise LocalProtocolError("the publication is over")
        self._stop_retrying()
        if self._outcome.done:
            self._outcome = Result()
        self._runtime.command(self._usage.publish, body, self._runtime.now())
        await self._outcome

    async def lost(self) -> None:
        """Wait for ever, or until the server has refused a refresh for good: that is raised."""
        await self._lost

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    async def _close(self) -> None:
        if not self._closed.done:
            self._runtime.grace.begin(self._closed)
        self._close_nowait()
        await self._closed.settled()
        if not self._closed.done:
            TRANSACTION.warning("%s may still have our state: it does not answer", self._target)

    def _close_nowait(self) -> bool:
        if not self._closing:
            self._closing = True
            self._stop_retrying()
            self._runtime.command(self._usage.remove, self._runtime.now())
        return not self._closed.done and not self._closed.late

    def _abort(self, reason: str) -> None:
        self._finish(FlowClosed(reason))

    def _finish(self, error: SipError | None) -> None:
        if not self._closed.done:
            self._stop_retrying()
            self._active, self._expires_at = False, None
            self._error = error
            self._usage.leave()
            self._runtime.detach(self, self._usage)
            self._closed.set(None)
            over = error or LocalProtocolError("the publication is over")
            self._outcome.fail(over)
            self._lost.fail(over)

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Published | Unpublished | PublicationFailed) -> None:
        match event:
            case Published(expires=expires):
                self._active, self._error = True, None
                self._expires_at = self._runtime.now() + expires
                self._worked, self._failures = True, 0
                self._outcome.set(None)
                TRANSACTION.info("%s has our %s for %s s", self._target, self._package.name, expires)
            case Unpublished():
                self._finish(None)
            case PublicationFailed():
                self._failed(failure(event), event.retry_after)

    def _failed(self, error: SipError, pause: float | None) -> None:
        """What has worked once is tried again where that may help; each update tells its own failure."""
        self._error, self._active, self._expires_at = error, False, None
        TRANSACTION.info("PUBLISH of %s to %s failed: %s", self._package.name, self._target, error)
        self._outcome.fail(error)
        if self._closing:
            self._finish(error)
        elif self._worked and error.transient and not isinstance(error, AuthenticationFailed):
            self._failures += 1
            wait = AGAIN.wait(self._failures, self._runtime.identifiers)
            if pause is not None:
                wait = max(wait, min(pause, LONGEST_PAUSE))
            self._retrying = self._runtime.loop.call_later(wait, self._again)
        elif self._worked:
            self._lost.fail(error)

    def _again(self) -> None:
        self._retrying = None
        self._runtime.command(self._usage.again, self._runtime.now())

    def _stop_retrying(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None


def failure(event: PublicationFailed) -> SipError:
    """The error that a failed PUBLISH stands for."""
    if event.response is None:
        return event.error or TransactionTimeout("no response to PUBLISH")
    return refusal(event.response, event.publication.request, PublicationRejected)


@asynccontextmanager
async def published(publication: Publication, state: Any) -> AsyncIterator[Publication]:
    """Own ``publication``: entering publishes, leaving takes the state back."""
    try:
        await publication.update(state)
        yield publication
    finally:
        await publication._close()
