"""Instant messages that belong to conversations: taken before the handlers of the application see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sipstack.core.core import Core
from sipstack.core.registry import Withdraw
from sipstack.core.uas import RETRY_AFTER
from sipstack.errors import ParseError
from sipstack.log import TRANSACTION
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.ua.runtime import Runtime
from sipstack.usage.conversation import Conversation
from sipstack.usage.conversations import Conversations, session_id_in
from sipstack.usage.received import ReceivedRequest

Begin = Callable[[Request], Conversation | None]
"""Begins a conversation with a peer who writes first; None for one who cannot be answered."""


class Texts:
    """Takes MESSAGE for the conversations of a user agent, as long as there are any."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._table = Conversations()
        self._begin: Begin | None = None
        self._most = 0
        self._withdraw: Withdraw | None = None

    def register(self, core: Core) -> None:
        """Nothing is answered before the first conversation."""

    @property
    def is_served(self) -> bool:
        """Whether somebody takes those whom nobody knows."""
        return self._begin is not None

    def serve(self, begin: Begin | None, most: int = 0) -> None:
        """From now on peers who write first get conversations by ``begin``, unless there are ``most``."""
        self._begin, self._most = begin, most
        self._announce()

    def open(self, conversation: Conversation, *, fresh: bool = False) -> None:
        self._table.add(conversation, fresh=fresh)
        self._announce()

    def close(self, conversation: Conversation) -> None:
        self._table.remove(conversation)
        self._announce()

    def _announce(self) -> None:
        wanted = len(self._table) > 0 or self._begin is not None
        if wanted and self._withdraw is None:
            self._withdraw = self._runtime.core.uas.hand_over("MESSAGE")
        elif not wanted and self._withdraw is not None:
            self._withdraw()
            self._withdraw = None

    # -- what comes ----------------------------------------------------------------------------------------

    def take(self, received: ReceivedRequest) -> bool:
        """Whether a MESSAGE belongs to a conversation; then it is answered."""
        request, now = received.request, self._runtime.now()
        try:
            conversation = self._table.find(request)
        except ParseError:  # its From is no URI: nobody could answer it
            return False
        if conversation is None:
            if self._begin is None:
                return False
            if not self._make_room():
                self._answer(received, 503)
                return True
            conversation = self._begin(request)
            if conversation is None:
                return False
        outside = request.to.tag is None  # inside of a call it has the Session-ID of that
        conversation.meet(session_id_in(request) if outside else None, now)
        if outside and request.session_id:
            request.session_id = conversation.session_id
        status = conversation.receive(request, now, datetime.now(UTC))
        if conversation.heard > 1:
            self._table.settle(conversation)
        TRANSACTION.info("%s: %s", request.call_id, conversation)
        self._answer(received, status)
        conversation.user._arrived()
        return True

    def _make_room(self) -> bool:
        if len(self._table) < self._most:
            return True
        given_up = self._table.replaceable
        if given_up is not None:
            given_up.user._abort("another peer needs its place", forget=True)
        return given_up is not None

    def _answer(self, received: ReceivedRequest, status: int) -> None:
        headers: HeaderFields = RETRY_AFTER if status == 503 else ()
        if headers:
            self._runtime.core.count_overloaded()
        self._runtime.command(received.respond, status, self._runtime.now(), None, headers)
