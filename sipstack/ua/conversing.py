"""Conversations over instant messages: with one peer, or with everybody who writes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs

from sipstack.errors import LocalProtocolError, SipError
from sipstack.message import NameAddr, Request, parse_uri
from sipstack.ua.account import Account
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import target_uri
from sipstack.ua.conversation import Conversation
from sipstack.ua.kept_records import conversation_of
from sipstack.ua.kept_state import Kept
from sipstack.ua.runtime import Runtime
from sipstack.ua.texts import Texts
from sipstack.usage.conversation import Conversation as Usage
from sipstack.usage.conversation import peer_of

ConversationHandler = Callable[[Conversation], Awaitable[None]]


class Conversing(AgentBase):
    """Has conversations."""

    def conversation(
        self,
        peer: str,
        *,
        idle: float | None = None,
        record: Mapping[str, Any] | None = None,
        account: Account | None = None,
        from_: str | NameAddr | None = None,
    ) -> AbstractAsyncContextManager[Conversation]:
        """Write to ``peer``, and read what it writes, while the ``async with`` block runs (RFC 3428).

        Its texts are those with our UUID in Session-ID, or else those from the user and host of ``peer``;
        handlers of MESSAGE see the others alone. What comes twice is given once. ``idle``: seconds without a
        text of either side after which it is over; None is never. ``record``: what ``Conversation.record``
        gave. Raises LocalProtocolError, and ParseError for a record that is none.
        """
        return self._conversation(peer, idle, record, account, from_)

    @contextlib.asynccontextmanager
    async def _conversation(
        self,
        peer: str,
        idle: float | None,
        record: Mapping[str, Any] | None,
        account: Account | None,
        from_: str | NameAddr | None,
    ) -> AsyncIterator[Conversation]:
        runtime, target = self._runtime, target_uri(peer)
        sender, kept = self._sender(account, from_, 70), None
        if record is not None:
            usage = Usage.of_record({**record}, runtime.now())
        else:
            whom, seconds = peer_of(parse_uri(target)), _seconds(idle)
            name = sender.from_ or self._known(account)._identity.aor
            kept = await _claimed(runtime, name, whom)
            usage = _recalled(runtime, kept, whom) or Usage(
                whom, runtime.identifiers.uuid(), seconds, runtime.now()
            )
            usage.idle = seconds
        async with Conversation(runtime, usage, target, sender, fresh=False, kept=kept) as conversation:
            yield conversation

    @contextlib.asynccontextmanager
    async def conversations(
        self, handler: ConversationHandler, *, idle: float = 3600.0, most: int = 10_000
    ) -> AsyncIterator[None]:
        """While the block runs, each peer who writes has a conversation, and ``handler`` a task for it; when
        the handler returns, or nobody says anything for ``idle`` seconds, that conversation is over. We write
        as the account that was written to, without its password unless it has ``credentials_to_callers``.

        ``most``: how many there may be. Then a newcomer takes the place of the oldest who has said a single
        thing, or gets 503. Raises LocalProtocolError when there is such a handler already.
        """
        runtime = self._runtime
        texts: Texts = runtime.services[Texts]
        if texts.is_served:
            raise LocalProtocolError("the user agent has a handler of conversations already")
        seconds, tasks = _seconds(idle), set[asyncio.Task[None]]()

        def begin(request: Request) -> Usage | None:
            uri = request.from_.uri
            try:
                target = target_uri(str(uri))
            except SipError:
                return None
            usage = Usage(peer_of(uri), runtime.identifiers.uuid(), seconds, runtime.now())
            # as the account that was written to; a stranger's challenge is not answered, as in a call
            identity = runtime.core.identity_of(request)
            sender = attrs.evolve(self._sender(None, None, 70), identity=identity)
            conversation = Conversation(runtime, usage, target, sender, fresh=True)
            task = runtime.loop.create_task(_handle(handler, conversation, identity.aor))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(runtime.report)
            # not in the task: that may be cancelled before it begins
            task.add_done_callback(
                lambda task: conversation._abort("its handler is done", forget=_fine(task))
            )
            return usage

        texts.serve(begin, most)
        try:
            yield
        finally:
            texts.serve(None)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=2 * runtime.grace.seconds)


async def _handle(handler: ConversationHandler, conversation: Conversation, name: str) -> None:
    runtime, usage = conversation._runtime, conversation._usage
    kept = await _claimed(runtime, name, usage.peer)
    if kept is not None:
        conversation._keep_in(kept)
        before = _recalled(runtime, kept, usage.peer)
        if before is not None:
            usage.state.update(before.state)
    await handler(conversation)


async def _claimed(runtime: Runtime, name: str, peer: str) -> Kept | None:
    if runtime.kept is None:
        return None
    return await runtime.kept.claim("conversation", name, peer, everywhere=True)


def _recalled(runtime: Runtime, kept: Kept | None, peer: str) -> Usage | None:
    now = runtime.now()
    if kept is None:
        return None
    return kept.recalled(lambda values, age: conversation_of(values, age, peer, now))


def _fine(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is None


def _seconds(idle: float | None) -> float:
    """Raises LocalProtocolError unless it is a time, or None."""
    if idle is None:
        return math.inf
    if not idle > 0:
        raise LocalProtocolError(f"idle is a number of seconds greater than 0, not {idle!r}")
    return idle
