"""A request other than INVITE that we received, such as an instant message."""

from __future__ import annotations

from datetime import UTC, datetime

from sipstack.errors import LocalProtocolError
from sipstack.log import TRANSACTION
from sipstack.ua.arguments import IN_RESPONSES, HeadersArgument, header_fields
from sipstack.ua.client import UserAgentClient
from sipstack.ua.incoming import Incoming
from sipstack.ua.runtime import Runtime
from sipstack.usage.conversation import expires_in
from sipstack.usage.received import ReceivedRequest


class IncomingRequest(Incoming):
    """A request received and not yet answered: ``respond`` to it before the sender gives up, after 32 s."""

    def __init__(self, agent: UserAgentClient, runtime: Runtime, usage: ReceivedRequest) -> None:
        super().__init__(agent, runtime, usage.request)
        self._usage: ReceivedRequest = usage
        self._answered = False

    @property
    def method(self) -> str:
        """The method, such as "MESSAGE"."""
        return self.request.method

    @property
    def body(self) -> bytes:
        """The octets of the body."""
        return self.request.body

    @property
    def text(self) -> str:
        """The body as text in UTF-8; octets that are none become U+FFFD."""
        return self.request.body.decode("utf-8", "replace")

    @property
    def expired(self) -> bool:
        """Whether a message has come too late to be of use, by its Expires and its Date (RFC 3428 §4)."""
        return expires_in(self.request, datetime.now(UTC)) <= 0

    @property
    def answered(self) -> bool:
        return self._answered

    async def respond(
        self, status: int, reason: str | None = None, *, headers: HeadersArgument = (), body: bytes = b""
    ) -> None:
        """Send the final response, 200 to 699. Raises LocalProtocolError once it is sent."""
        fields = header_fields(headers, IN_RESPONSES)
        if self._answered:
            raise LocalProtocolError("the request is answered")
        if not 200 <= status <= 699:
            raise LocalProtocolError(f"{status} is not a final response")
        runtime = self._runtime
        runtime.command(self._usage.respond, status, runtime.now(), reason, fields, body)
        self._note_answer(status)

    def _refuse(self, status: int) -> None:
        self._runtime.command(self._usage.respond, status, self._runtime.now())
        self._note_answer(status)

    def _note_answer(self, status: int) -> None:
        self._answered = True
        TRANSACTION.info("%s: %s is answered by us with %s", self.call_id, self.method, status)
