"""Stands in for ``core.methods`` until the core registers methods itself; then this file goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipstack.core.core import Core
from sipstack.message import Headers, Request
from sipstack.message.headers import HeaderFields
from sipstack.usage.content import SDP


class ReceivedRequest:
    """A request other than INVITE that waits for its response."""

    __slots__ = ("_core", "_transaction", "request", "user")

    def __init__(self, core: Core, request: Request, transaction: Any) -> None:
        self.user: Any = None
        self.request = request
        self._core = core
        self._transaction = transaction

    def respond(
        self,
        status: int,
        now: float,
        reason: str | None = None,
        headers: HeaderFields = (),
        body: bytes = b"",
    ) -> None:
        core = self._core
        response = self.request.response(
            status, reason, to_tag=core.identifiers.tag(), headers=headers, body=body
        )
        core.respond(self._transaction, response, now)


class Methods:
    """The methods that the application answers. MESSAGE is not among them until a handler is registered."""

    def __init__(self, core: Core) -> None:
        self._core = core
        core._server._handlers.pop("MESSAGE", None)
        self._announce()

    def register(self, name: str, handler: Callable[[ReceivedRequest], None]) -> Callable[[], None]:
        """Give requests of this method to ``handler``; returns the withdrawal."""
        handlers = self._core._server._handlers

        def receive(request: Request, transaction: Any, now: float) -> None:
            handler(ReceivedRequest(self._core, request, transaction))

        def withdraw() -> None:
            del handlers[name]
            self._announce()

        handlers[name] = receive
        self._announce()
        return withdraw

    def _announce(self) -> None:
        core = self._core
        allow = ", ".join(sorted({*core._server._handlers, "ACK", "BYE", "CANCEL"}))
        core._server.capabilities = (("Allow", allow),)
        core._announcements.clear()
        core._introduction = Headers((*core._identity(), *core.capabilities()))
        core._described_introduction = core._introduction.with_("Content-Type", SDP)
