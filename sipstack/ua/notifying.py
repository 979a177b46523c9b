"""Telling states of ours to those who subscribe to them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from sipstack.errors import LocalProtocolError
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.events import Events
from sipstack.ua.notifier import Authorize, Notifier
from sipstack.ua.subscribing import as_package
from sipstack.usage.notification import NotifierUsage
from sipstack.usage.packages.package import EventPackage


class Notifying(AgentBase):
    """Takes subscriptions."""

    @contextlib.asynccontextmanager
    async def notifying(
        self,
        event: str | EventPackage,
        state: Any,
        *,
        authorize: Authorize | None = None,
        shortest: int = 60,
        longest: int = 3600,
    ) -> AsyncIterator[Notifier]:
        """While the block runs, others may subscribe to ``event``: they are told ``state``, at once and with
        each ``notifier.update``. The package is announced meanwhile.

        ``state``: a value of the package, such as a MessageSummary; or a function that gives it for a
        Watcher, as who asks and for what may matter. None tells no state. ``authorize``: see ``Authorize``;
        anybody if not given. ``shortest`` and ``longest``: the seconds that are granted (423 for less).

        Leaving ends the subscriptions, with "probation". Raises LocalProtocolError where the user agent has
        such a block for the event already.
        """
        if not 0 < shortest <= longest:
            raise LocalProtocolError("shortest and longest are seconds, the first not above the second")
        runtime = self._runtime
        usage = NotifierUsage(runtime.core, as_package(event), shortest, longest)
        events: Events = runtime.services[Events]
        notifier = Notifier(runtime, usage, state, authorize)
        try:
            notifier._begin(events.notify)
            yield notifier
        finally:
            await notifier._close()
