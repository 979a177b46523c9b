"""All conversations of an endpoint: which one a text belongs to, how many there may be, and their ends."""

from __future__ import annotations

from sipstack.message import Request, Response, SessionId
from sipstack.message.session_id import NULL
from sipstack.usage.conversation import Conversation, peer_of


class Conversations:
    """The table. When it is full, a newcomer takes the place of a stranger who has said a single thing, the
    oldest first: so those who do nothing but begin drive nobody out.
    """

    def __init__(self) -> None:
        self._by_local: dict[str, Conversation] = {}
        self._by_peer: dict[str, dict[str, Conversation]] = {}  # and our UUID
        self._fresh: dict[str, Conversation] = {}  # strangers who have said one thing, the oldest first

    def __len__(self) -> int:
        return len(self._by_local)

    def find(self, request: Request) -> Conversation | None:
        """The conversation that a MESSAGE of a peer belongs to. Raises ParseError for a broken From."""
        session_id = session_id_in(request)
        if session_id is not None and session_id.remote in self._by_local:
            return self._by_local[session_id.remote]
        sender = NULL if session_id is None else session_id.local
        newest: Conversation | None = None
        for each in self._by_peer.get(peer_of(request.from_.uri), {}).values():
            if sender != NULL and each.remote == sender:
                return each
            if sender == NULL or not each.confirmed:  # who tells its conversations apart begins another
                newest = each
        return newest

    def add(self, conversation: Conversation, *, fresh: bool = False) -> None:
        """It begins. ``fresh``: a stranger has begun it."""
        self._by_local[conversation.local] = conversation
        self._by_peer.setdefault(conversation.peer, {})[conversation.local] = conversation
        if fresh:
            self._fresh[conversation.local] = conversation

    def settle(self, conversation: Conversation) -> None:
        """It is one of more than a single thing said."""
        self._fresh.pop(conversation.local, None)

    def remove(self, conversation: Conversation) -> None:
        """It is over. Does nothing when it was over before."""
        self._fresh.pop(conversation.local, None)
        if self._by_local.pop(conversation.local, None) is not None:
            alike = self._by_peer[conversation.peer]
            del alike[conversation.local]
            if not alike:
                del self._by_peer[conversation.peer]

    @property
    def replaceable(self) -> Conversation | None:
        """The one whose place a newcomer may take."""
        return next(iter(self._fresh.values()), None)


def session_id_in(message: Request | Response) -> SessionId | None:
    """The Session-ID of a message; None where there is none that can be read."""
    headers = message.headers
    found: SessionId | None = headers.readable("Session-ID") if "Session-ID" in headers else None
    return found
