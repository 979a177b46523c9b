"""A state that we publish at a server, while an ``async with`` block runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sipstack.errors import (
    AuthenticationFailed,
    LocalProtocolError,
    PublicationRejected,
    SipError,
    TransactionTimeout,
)
from sipstack.log import TRANSACTION
from sipstack.ua.backoff import Backoff
from sipstack.ua.kept_records import publication_values
from sipstack.ua.kept_state import Kept
from sipstack.ua.refusal import refusal
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.soft_state import SoftState
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.publication import PublicationFailed, PublicationUsage, Published, Unpublished

AGAIN = Backoff()


class Publication(SoftState):
    """Our state at the server that tells it to whoever has subscribed."""

    _UNANSWERED = "%s may still have our state: it does not answer"

    def __init__(
        self,
        runtime: Runtime,
        usage: PublicationUsage,
        package: EventPackage,
        target: str,
        kept: Kept | None = None,
    ) -> None:
        super().__init__(runtime, target, kept)
        self._package = package
        self._usage = usage
        self._heard = True  # it is waited for in any case
        self._outcome: Result[None] = Result()
        self._lost: Result[None] = Result()
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        state = "active" if self.active else "inactive"
        return f"<Publication of {self._package.name} at {self._target} {state}>"

    @property
    def package(self) -> EventPackage:
        """What it is a state of."""
        return self._package

    @property
    def active(self) -> bool:
        """Whether the server has our state, as far as the latest answer tells."""
        return self._expires_at is not None

    async def update(self, state: Any) -> None:
        """Publish another state, and wait until the server has it. Of several updates at a time the last
        counts. Raises PublicationRejected, AuthenticationFailed, TransactionTimeout or TransportError.
        """
        body = self._package.write(state)
        if not isinstance(body, bytes) or not body:
            raise LocalProtocolError(f"a state of {self._package.name} is octets: give the package a write=")
        if self._closing:
            raise LocalProtocolError("the publication is over")
        self._stop_trying()
        if self._outcome.done:
            self._outcome = Result()
        self._runtime.command(self._usage.publish, body, self._runtime.now())
        await self._outcome

    async def lost(self) -> None:
        """Wait for ever, or until the server has refused a refresh for good: that is raised."""
        await self._lost

    # -- see SoftState -------------------------------------------------------------------------------------

    def _place(self) -> None:
        self._runtime.command(self._usage.again, self._runtime.now())

    def _withdraw(self) -> None:
        self._runtime.command(self._usage.remove, self._runtime.now())

    def _over(self, error: SipError | None) -> None:
        self._usage.leave()
        self._runtime.detach(self, self._usage)
        over = error or LocalProtocolError("the publication is over")
        self._outcome.fail(over)
        self._lost.fail(over)

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Published | Unpublished | PublicationFailed) -> None:
        match event:
            case Published(expires=expires):
                self._expires_at, self._error = self._runtime.now() + expires, None
                self._worked, self._failures = True, 0
                self._keep_record(expires)
                self._outcome.set(None)
                TRANSACTION.info("%s has our %s for %s s", self._target, self._package.name, expires)
            case Unpublished():
                self._forget()
                self._finish(None)
            case PublicationFailed():
                self._failed(failure(event), event.retry_after)

    def _keep_record(self, expires: float) -> None:
        if self._kept is not None and (record := self._usage.record(self._runtime.now())) is not None:
            self._keep(publication_values(record), expires)

    def _failed(self, error: SipError, pause: float | None) -> None:
        """What has worked once is tried again where that may help; each update tells its own failure."""
        self._error, self._expires_at = error, None
        TRANSACTION.info("PUBLISH of %s to %s failed: %s", self._package.name, self._target, error)
        self._outcome.fail(error)
        if self._closing:
            self._finish(error)
        elif self._worked and error.transient and not isinstance(error, AuthenticationFailed):
            self._count(anew=False)
            self._try_in(AGAIN.wait(self._failures, self._runtime.identifiers), pause)
        elif self._worked:
            self._lost.fail(error)


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
