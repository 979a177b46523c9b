"""A request that the application itself answers: MESSAGE, or a method of its own."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.services import CoreServices
from sipstack.errors import LocalProtocolError
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer


@attrs.define(eq=False)
class RequestReceived:
    """A request for the application. It must be answered by ``received.respond``."""

    received: ReceivedRequest

    @property
    def receiver(self) -> Any:
        return self.received.user


class ReceivedRequest:
    """Waits for the application's response."""

    __slots__ = ("_core", "_tag", "transaction", "answered", "request", "user")

    def __init__(self, core: CoreServices, request: Request, transaction: AnyServer) -> None:
        self.user: Any = None
        self.request = request
        self.answered = False
        self._core = core
        self._tag = core.identifiers.tag()
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"<ReceivedRequest {self.request.method} {self.request.call_id}>"

    def respond(
        self,
        status: int,
        now: float,
        reason: str | None = None,
        headers: HeaderFields = (),
        body: bytes = b"",
    ) -> None:
        """Send the final response, 200 to 699; a provisional one is not for such requests (RFC 4320 §4.1).
        Raises LocalProtocolError once it is sent.
        """
        if self.answered:
            raise LocalProtocolError("the request is answered")
        if not 200 <= status <= 699:
            raise LocalProtocolError(f"{status} is not a final response")
        response = self.request.response(status, reason, to_tag=self._tag, headers=headers, body=body)
        self._core.respond(self.transaction, response, now)
        self.answered = True
