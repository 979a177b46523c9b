"""NOTIFY that nobody has subscribed to: RFC 3842 knows none, but servers tell of waiting messages so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from sipstack.dialog.services import CoreServices
from sipstack.message import Request
from sipstack.transaction.layer import AnyServer


@attrs.frozen
class NotifiedUnasked:
    """A NOTIFY outside of all subscriptions."""

    receiver: Any
    package: str
    request: Request


class UnsolicitedServer:
    """Answers NOTIFY outside of all subscriptions: 200 where one of ``takers``, by package, wants it; where
    none does, and inside of every dialog, 481: there is no such subscription (RFC 6665 §4.1.3).
    """

    def __init__(self, core: CoreServices, takers: Mapping[str, Any]) -> None:
        self._core = core
        self._takers = takers

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        event = request.headers.typed("Event")
        package = "" if event is None else event.package
        taken = package in self._takers and request.to.tag is None
        tag = request.to.tag or self._core.identifiers.tag()
        self._core.respond(transaction, request.response(200 if taken else 481, to_tag=tag), now)
        if taken:
            self._core.emit(NotifiedUnasked(self._takers[package], package, request))
