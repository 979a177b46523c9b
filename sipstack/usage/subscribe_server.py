"""Answers every SUBSCRIBE that begins a subscription: each goes to the notifier of its package."""

from __future__ import annotations

from collections.abc import Mapping

from sipstack.dialog.services import CoreServices
from sipstack.message import Request
from sipstack.transaction.layer import AnyServer
from sipstack.usage.notification import NotifierUsage


class SubscribeServer:
    """Of a package that has no notifier, as we only subscribe to it: 489 (RFC 6665 §4.2.1.1)."""

    def __init__(self, core: CoreServices, notifiers: Mapping[str, NotifierUsage]) -> None:
        self._core = core
        self._notifiers = notifiers

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        notifier = self._notifiers.get(request.headers.typed("Event").package)
        if notifier is not None:
            notifier.serve(request, transaction, now)
            return
        tag = request.to.tag or self._core.identifiers.tag()
        allowed = (("Allow-Events", ", ".join(sorted(self._notifiers))),)
        self._core.respond(transaction, request.response(489, to_tag=tag, headers=allowed), now)
