"""Publishing states of ours at a server that tells them to others."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from sipstack.errors import LocalProtocolError
from sipstack.message import NameAddr
from sipstack.message.headers import HeaderFields
from sipstack.ua.account import Account, Sender
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import IN_REQUESTS, HeadersArgument, header_fields, target_uri
from sipstack.ua.kept_records import publication_of
from sipstack.ua.publication import Publication, published
from sipstack.ua.subscribing import as_package
from sipstack.usage.packages.package import EventPackage

IN_PUBLISHES = IN_REQUESTS | {
    "Event": "give the event",
    "Expires": "give expires=",
    "Content-Type": "it is that of the event package",
    "SIP-If-Match": "the stack keeps the entity tag",
}


class Publishing(AgentBase):
    """Publishes."""

    def publish(
        self,
        target: str,
        event: str | EventPackage,
        state: Any,
        *,
        expires: int | None = None,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> AbstractAsyncContextManager[Publication]:
        """Publish ``state`` of ``target``, most often our own address-of-record (RFC 3903), and keep it
        published; leaving the block takes it back.

        ``event`` and ``state``: a package and a value of it, such as "presence" and a Presence. Other states
        follow with ``publication.update``. Entering waits until the server has it, and raises
        PublicationRejected, AuthenticationFailed, TransactionTimeout, TransportError. A server that has lost
        it (412) is told it anew; one that is not there for a while is tried again.
        """
        package = as_package(event)
        fields = header_fields(headers, IN_PUBLISHES)
        target = target_uri(target)
        sender = self._sender(account, from_, max_forwards)
        seconds = package.expires if expires is None else expires
        if not 0 < seconds < 2**31:
            raise LocalProtocolError(f"expires is 1 to 2**31-1 seconds, not {seconds}")
        name = str(from_ or self._known(account).aor)
        return self._publishing(target, package, state, seconds, fields, sender, name)

    @contextlib.asynccontextmanager
    async def _publishing(
        self,
        target: str,
        package: EventPackage,
        state: Any,
        expires: int,
        headers: HeaderFields,
        sender: Sender,
        name: str,
    ) -> AsyncIterator[Publication]:
        runtime = self._runtime
        places = runtime.kept
        kept = None if places is None else await places.claim("publication", name, target, package.name)
        usage = runtime.core.publication(
            target,
            package,
            expires,
            headers,
            record=None if kept is None else kept.recalled(publication_of),
            **sender.towards(target),
        )
        async with published(Publication(runtime, usage, package, target, kept), state) as publication:
            yield publication
