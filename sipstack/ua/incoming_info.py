"""An INFO of an Info Package that came in a call (RFC 6086)."""

from __future__ import annotations

from sipstack.ua.incoming_request import IncomingRequest
from sipstack.ua.leg import Leg
from sipstack.usage.info_packages import package_of


class IncomingInfo(IncomingRequest):
    """An INFO for a handler of its package. It is answered with 200 when the handler returns, unless it was
    answered before.
    """

    @property
    def package(self) -> str:
        """The name of the Info Package, in lower case."""
        return package_of(self.request) or ""

    @property
    def call(self) -> Leg | None:
        """The Call that it came in, or the Invitation or OutgoingInvite before that; None once it is over."""
        usages = self._runtime.core.dialog_of(self.request)
        session = None if usages is None else usages.invite
        user = getattr(session, "user", None) or getattr(getattr(session, "origin", None), "user", None)
        return user if isinstance(user, Leg) else None

    async def _close(self) -> None:
        cancelled = self._task is not None and self._task.cancelling()
        if not self.answered and not cancelled and self._runtime.running:
            await self.respond(200)
