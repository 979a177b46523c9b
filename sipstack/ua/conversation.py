"""A conversation over instant messages: what was said, what is remembered, and the way to say more."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from sipstack.errors import LocalProtocolError, SipError
from sipstack.log import TRANSACTION, legible
from sipstack.message import Response, SessionId
from sipstack.message.headers import HeaderFields
from sipstack.message.session_id import sender_of
from sipstack.ua.account import Sender
from sipstack.ua.arguments import IN_TEXTS, HeadersArgument, header_fields
from sipstack.ua.kept_state import LONGEST, Kept
from sipstack.ua.request import PendingRequest
from sipstack.ua.result import Waiters
from sipstack.ua.runtime import CLOSED, Runtime
from sipstack.ua.text_fields import PLAIN_TEXT, text_body, text_fields
from sipstack.ua.texts import Texts
from sipstack.usage.conversation import Conversation as Usage
from sipstack.usage.conversation import State, TextMessage
from sipstack.usage.standalone import StandaloneRequest


class Conversation:
    """Texts to and from one peer: ``send``, and iterate for what the peer says, in the order in which it was
    sent. Iteration ends when the conversation is over, after ``idle`` seconds in which nobody said anything.

    What the peer says is taken, and answered with 200, when it comes, and waits for you: 64 texts at the
    most, then it gets 503.

    With ``UserAgent(sessions=...)`` it is kept: whenever you have said something, and whenever you ask for
    the next text, with the state as it is then. Who is started again, or another node, goes on with it: in
    ``ua.conversation(peer)`` it is the same one, in ``ua.conversations`` its ``state`` is there when the
    peer writes again. Left by an exception, such as a cancellation at the end of the program, it stays so;
    left otherwise, or when it is over, it is forgotten. Of two processes that have it the one that began
    last goes on, and for the other it is over.
    """

    def __init__(
        self,
        runtime: Runtime,
        usage: Usage,
        target: str,
        sender: Sender,
        *,
        fresh: bool,
        kept: Kept | None = None,
    ) -> None:
        self._runtime = runtime
        self._fresh = fresh
        self._usage = usage
        self._target = target
        self._sender = sender
        self._waiters = Waiters()
        self._one_at_a_time = asyncio.Lock()
        self._before: StandaloneRequest | None = None
        self._over = ""
        self._kept: Kept | None = None
        if kept is not None:
            self._keep_in(kept)
        self._texts: Texts = runtime.services[Texts]
        runtime.attach(self, usage)
        self._texts.open(usage, fresh=fresh)
        self._timer: asyncio.TimerHandle | None = None
        self._watch()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abort("it was left", forget=kind is None)

    def __repr__(self) -> str:
        return legible(f"<Conversation with {self._usage.peer}{' over' if self._over else ''}>")

    @property
    def peer(self) -> str:
        """The URI that we write to."""
        return self._target

    @property
    def session_id(self) -> SessionId | None:
        """The UUIDs of both ends, by which the peer's texts are told from those of other conversations
        (RFC 7989); None with ``session_ids=False``.
        """
        return SessionId.parse(self._usage.session_id) if self._has_session_id else None

    @property
    def state(self) -> State:
        """What you want to remember as long as the conversation lasts: a dictionary of plain values, as JSON
        has them, 64 at the most.
        """
        return self._usage.state

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return bool(self._over)

    @property
    def expired(self) -> int:
        """Texts that came, or would have been read, after the time that their sender gave them."""
        return self._usage.expired

    @property
    def _has_session_id(self) -> bool:
        return self._runtime.core.configuration.session_ids

    def record(self) -> dict[str, Any]:
        """It as plain values: ``ua.conversation(peer, record=...)`` goes on with it, in another process
        perhaps. Texts that are not read yet are not part of it.
        """
        return self._usage.record(self._runtime.now())

    # -- what we say ---------------------------------------------------------------------------------------

    async def send(
        self,
        text: str,
        *,
        content_type: str = PLAIN_TEXT,
        expires: int | None = None,
        headers: HeadersArgument = (),
    ) -> Response:
        """Say something, and return the 2xx: 200 has arrived, 202 is kept for the peer. The next one waits
        until then (RFC 3428 §8), under the same Call-ID. ``expires``: seconds after which it is of no use.

        Raises RequestFailed, AuthenticationFailed, TransactionTimeout, TransportError, ResolutionError; and
        LocalProtocolError when it is too long for UDP, or the conversation is over.
        """
        body = text_body(text)
        fields = (*text_fields(content_type, expires, dated=True), *header_fields(headers, IN_TEXTS))
        async with self._one_at_a_time:
            if self._over:
                raise LocalProtocolError(f"the conversation is over: {self._over}")
            response = await self._send(fields, body)
        return response.raise_for_status()

    async def _send(self, fields: HeaderFields, body: bytes) -> Response:
        runtime, sender, target = self._runtime, self._sender, self._target
        if self._has_session_id:
            fields = (*fields, ("Session-ID", self._usage.session_id))
        usage = runtime.core.standalone(
            "MESSAGE",
            target,
            fields,
            body,
            **sender.towards(target),
        )
        if self._before is not None:
            usage.follow(self._before)
        self._before = usage
        self._usage.say(runtime.now())
        try:
            response = await PendingRequest(runtime, usage).response()
        except SipError as error:
            TRANSACTION.info("MESSAGE to %s came to nothing: %s", target, error)
            raise
        TRANSACTION.info("MESSAGE to %s is answered %s %s", target, response.status, response.reason)
        # our UUID stands in every answer, whether or not the peer keeps to it
        self._usage.meet(SessionId(sender_of(response)), runtime.now())
        self._keep()
        return response

    # -- what the peer says --------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TextMessage:
        self._keep()
        while (text := self._usage.read(self._runtime.now())) is None:
            if self._over:
                raise StopAsyncIteration
            await self._waiters.wait()
        return text

    def _arrived(self) -> None:
        self._waiters.release()

    # -- beyond this process -------------------------------------------------------------------------------

    def _keep_in(self, kept: Kept) -> None:
        if self._over:
            kept.release()
        else:
            self._kept = kept
            kept.lost = self._taken_over

    def _keep(self) -> None:
        """Of a stranger who has said a single thing nothing is kept, unless the application has noted
        something: those who do nothing but begin fill no store.
        """
        usage = self._usage
        if self._kept is None or (self._fresh and usage.heard <= 1 and not usage.state):
            return
        now = self._runtime.now()
        try:
            record = usage.record(now)
        except LocalProtocolError as error:
            TRANSACTION.warning("%s cannot be kept: %s", self, error)
        else:
            self._kept.put(record, min(usage.over_at - now, LONGEST))

    def _taken_over(self) -> None:
        self._abort("another process goes on with it")

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look at the clock when it may be over: what is said meanwhile moves that, and no timer."""
        over_at = self._usage.over_at
        if over_at <= self._runtime.now():
            self._abort("nobody said anything any more", forget=True)
        elif over_at < float("inf"):
            self._timer = self._runtime.loop.call_at(over_at, self._watch)

    def _on_event(self, event: Any) -> None:
        """There are none: the table of conversations calls us."""

    def _close_nowait(self) -> bool:
        self._abort(CLOSED)
        return False

    def _abort(self, reason: str, *, forget: bool = False) -> None:
        """``forget``: nobody is to go on with it."""
        if self._over:
            return
        if self._kept is not None:
            if forget:
                self._kept.forget()
            else:
                self._keep()
            self._kept.release()
        self._over = reason
        if self._timer is not None:
            self._timer.cancel()
        self._texts.close(self._usage)
        self._runtime.detach(self, self._usage)
        self._waiters.release()
