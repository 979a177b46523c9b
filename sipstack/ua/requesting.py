"""Single requests outside of a dialog: OPTIONS, MESSAGE, any other."""

from __future__ import annotations

from sipstack.errors import SipError
from sipstack.log import TRANSACTION
from sipstack.message import NameAddr, Response
from sipstack.ua.account import Account
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import (
    IN_REQUESTS,
    IN_TEXTS,
    HeadersArgument,
    check_method,
    header_fields,
    target_uri,
)
from sipstack.ua.request import PendingRequest
from sipstack.ua.text_fields import PLAIN_TEXT, text_body, text_fields
from sipstack.ua.trusted import asserts


class Requesting(AgentBase):
    """Sends single requests."""

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: HeadersArgument = (),
        body: bytes = b"",
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Send one request outside of a dialog and wait for its final response, whatever its status: see
        ``Response.raise_for_status``.

        Raises TransactionTimeout, TransportError, ResolutionError.
        """
        runtime = self._runtime
        check_method(method)
        target = target_uri(target)
        fields = header_fields(headers, IN_REQUESTS)
        asserts(fields, runtime.trusted)
        sender = self._sender(account, from_, max_forwards)
        usage = runtime.core.standalone(
            method,
            target,
            fields,
            body,
            **sender.towards(target),
        )
        TRANSACTION.info("%s to %s", method, target)
        try:
            response = await PendingRequest(runtime, usage).response()
        except SipError as error:
            TRANSACTION.info("%s to %s came to nothing: %s", method, target, error)
            raise
        TRANSACTION.info("%s to %s is answered %s %s", method, target, response.status, response.reason)
        return response

    async def options(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Ask what the other side can do, or whether it is there. Raises like ``request``."""
        fields = header_fields(headers, IN_REQUESTS)
        return await self.request(
            "OPTIONS",
            target,
            headers=(("Accept", "application/sdp"), *fields),
            account=account,
            from_=from_,
            max_forwards=max_forwards,
        )

    async def message(
        self,
        target: str,
        text: str,
        *,
        content_type: str = PLAIN_TEXT,
        expires: int | None = None,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Send an instant message (RFC 3428): 200 says that it has arrived, 202 that somebody keeps it for
        the peer. ``expires``: seconds after which it is of no use any more.

        Raises like ``request``; LocalProtocolError for one of more than 1,300 octets, header and all, that
        would go over UDP.
        """
        fields = header_fields(headers, IN_TEXTS)
        return await self.request(
            "MESSAGE",
            target,
            headers=(*text_fields(content_type, expires), *fields),
            body=text_body(text),
            account=account,
            from_=from_,
            max_forwards=max_forwards,
        )
