"""Conversations over instant messages (RFC 3428): each message stands alone, and a service needs to know whom
it talks with, and how far they have come.

A text belongs to the conversation whose UUID it names in Session-ID (RFC 7989), else to that of its sender.
What comes twice counts once, and texts that wait are in the order in which they were sent.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Date, Request, SessionId, SipUri, Uri
from sipstack.message.session_id import NULL, paired
from sipstack.transaction.timers import NEVER

MAXIMUM_WAITING = 64
"""Texts that wait to be read; then the peer is told to come again later."""
MAXIMUM_SEEN = 128
"""Texts that are remembered, to know one that comes again."""
REPEATED = 3.0
"""Seconds in which the same words under another Call-ID are a repetition, where no Date tells them apart and
nothing was said to them.
"""
MAXIMUM_KEYS = 64
MAXIMUM_VALUE = 4096
"""Characters of one value of the state, as JSON."""


class State(dict[str, Any]):
    """What the application remembers of one conversation: a dictionary of plain values, ready for JSON.

    Raises LocalProtocolError for what is no such value, is too long, or one key too many: there are many
    conversations.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self and len(self) >= MAXIMUM_KEYS:
            raise LocalProtocolError(f"the state of a conversation has {MAXIMUM_KEYS} keys at the most")
        check_value(key, value)
        super().__setitem__(key, value)

    def update(self, *others: Any, **values: Any) -> None:
        for key, value in dict(*others, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> State:  # type: ignore[override,misc]
        self.update(other)
        return self


def check_value(key: object, value: object) -> None:
    """Raises LocalProtocolError unless both can stand in the state."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise LocalProtocolError(f"the state of a conversation takes plain values, not {value!r}") from None
    if type(key) is not str or len(key) + len(text) > MAXIMUM_VALUE:
        raise LocalProtocolError(f"{key!r} is too long for the state of a conversation: {MAXIMUM_VALUE}")


@attrs.frozen(eq=False)
class TextMessage:
    """One message of the peer. ``sent_at`` is its Date; ``late``: one that was sent after it is read already.
    ``expires_at``: on the clock of ``now``.
    """

    request: Request
    sent_at: datetime | None
    late: bool
    expires_at: float

    @property
    def content_type(self) -> str:
        """The media type with its parameters, such as ``text/plain;charset=UTF-8``."""
        return self.request.headers.get("Content-Type") or ""

    @property
    def body(self) -> bytes:
        """The octets of the body."""
        return self.request.body

    @property
    def text(self) -> str:
        """The body as text in UTF-8; octets that are none become U+FFFD."""
        return self.request.body.decode("utf-8", "replace")

    def __str__(self) -> str:
        return self.text

    def precedes(self, other: TextMessage) -> bool:
        """Whether it was sent before ``other``: CSeq tells it under one Call-ID, else Date."""
        ours, theirs = self.request, other.request
        if ours.call_id == theirs.call_id:
            return ours.cseq.number < theirs.cseq.number
        return self.sent_at is not None and other.sent_at is not None and self.sent_at < other.sent_at


def peer_of(uri: Uri) -> str:
    """Who is meant by ``uri``: user and host, whatever the scheme, the port and the parameters."""
    if isinstance(uri, SipUri):
        return f"{uri.user or ''}@{uri.host.lower()}"
    return str(uri).lower()


def expires_in(request: Request, today: datetime) -> float:
    """The seconds until a message is of no use any more, by its Expires, from its Date on where it has one
    (RFC 3428 §4); 0 or less for one that came too late.
    """
    expires: int | None = request.headers.readable("Expires") if "Expires" in request.headers else None
    if expires is None:
        return NEVER
    sent = sent_at(request)
    left = float(expires)
    # a clock that is ahead of ours makes nothing last longer
    return left if sent is None else min(left, left - (today - sent) / timedelta(seconds=1))


def sent_at(request: Request) -> datetime | None:
    """The Date of a message; None where there is none that can be read."""
    date: Date | None = request.headers.readable("Date") if "Date" in request.headers else None
    return None if date is None else date.moment


class Conversation:
    """What is known of one conversation. ``local`` is our UUID in it; ``idle``: seconds without a text of
    either side after which it is over.
    """

    __slots__ = (
        "_bodies",
        "_last",
        "_said",
        "_seen",
        "_waiting",
        "confirmed",
        "expired",
        "heard",
        "idle",
        "local",
        "peer",
        "remote",
        "state",
        "used_at",
        "user",
    )

    def __init__(self, peer: str, local: str, idle: float, now: float) -> None:
        self.user: Any = None
        self.peer = peer
        self.local = local
        self.remote = NULL
        self.confirmed = False
        """Whether the peer has named our UUID: then it tells its conversations with us apart."""
        self.state = State()
        self.idle = idle
        self.used_at = now
        self.heard = 0
        self.expired = 0
        """Texts whose Expires was over before they came, or were read."""
        self._waiting: list[TextMessage] = []
        self._last: TextMessage | None = None
        self._seen: dict[object, None] = {}
        self._bodies: dict[bytes, tuple[float, int, str, datetime | None]] = {}
        self._said = 0  # by us

    def __repr__(self) -> str:
        return f"<Conversation with {self.peer} heard={self.heard} waiting={len(self._waiting)}>"

    @property
    def session_id(self) -> str:
        """The Session-ID of our messages in it."""
        return paired(self.local, self.remote)

    @property
    def over_at(self) -> float:
        """When it is over, unless somebody says something before."""
        return self.used_at + self.idle

    def meet(self, session_id: SessionId | None, now: float) -> None:
        """A message of the peer with this Session-ID, or an answer of it, belongs here."""
        self.used_at = now
        if session_id is not None and session_id.local != NULL:
            self.remote = session_id.local
            self.confirmed = self.confirmed or session_id.remote == self.local

    def say(self, now: float) -> None:
        """We say something: who says the same again means it."""
        self.used_at = now
        self._said += 1

    # -- what comes ----------------------------------------------------------------------------------------

    def receive(self, request: Request, now: float, today: datetime) -> int:
        """Take a MESSAGE of the peer; the status that answers it. Raises ParseError."""
        if self._is_known(request, now):
            return 200  # its answer was lost, perhaps
        if len(self._waiting) >= MAXIMUM_WAITING:
            return 503
        self._remember(request, now)
        self.heard += 1
        left = expires_in(request, today)
        if left <= 0:
            self.expired += 1
            return 200
        text = TextMessage(request, sent_at(request), False, now + left)
        if self._last is not None and text.precedes(self._last):
            text = attrs.evolve(text, late=True)
        place = len(self._waiting)
        while place and text.precedes(self._waiting[place - 1]):
            place -= 1
        self._waiting.insert(place, text)
        return 200

    def read(self, now: float) -> TextMessage | None:
        """The next text, which waits no longer; None when there is none."""
        while self._waiting:
            text = self._waiting.pop(0)
            if text.expires_at > now:
                if not text.late:
                    self._last = text
                return text
            self.expired += 1
        return None

    def _is_known(self, request: Request, now: float) -> bool:
        """Whether it has come before: the same request by another way or after its transaction, or the same
        words again from a client that has heard no answer.
        """
        if _identity(request) in self._seen:
            return True
        before = self._bodies.get(_digest(request))
        if before is None:
            return False
        at, said, call_id, date = before
        if call_id == request.call_id:  # another CSeq: it is meant to be said twice
            return False
        again = sent_at(request)
        if date is not None and again is not None:
            return date == again
        return said == self._said and now - at < REPEATED

    def _remember(self, request: Request, now: float) -> None:
        self._seen[_identity(request)] = None
        _bound(self._seen)
        digest = _digest(request)
        self._bodies.pop(digest, None)
        self._bodies[digest] = now, self._said, request.call_id, sent_at(request)
        _bound(self._bodies)

    # -- in another process --------------------------------------------------------------------------------

    def record(self, now: float) -> dict[str, object]:
        """It as plain values; ``left``: the seconds until it is over. Texts that wait are not part of it.
        Raises LocalProtocolError when a value in its state has become too long.
        """
        for key, value in self.state.items():
            check_value(key, value)
        left = None if self.idle == NEVER else max(0.0, self.over_at - now)
        fields = {"peer": self.peer, "local": self.local, "remote": self.remote, "confirmed": self.confirmed}
        return {**fields, "state": dict(self.state), "idle": _finite(self.idle), "left": left}

    @classmethod
    def of_record(cls, record: object, now: float) -> Conversation:
        """Go on with what ``record`` gave. Raises ParseError for anything else."""
        try:
            return cls._of_record(record, now)
        except (KeyError, TypeError, ValueError, LocalProtocolError) as error:
            raise ParseError(f"no record of a conversation: {error!r}") from None

    @classmethod
    def _of_record(cls, record: Any, now: float) -> Conversation:
        pair = SessionId.parse(paired(record["local"], record["remote"]))
        idle = NEVER if record["idle"] is None else float(record["idle"])
        if type(record["peer"]) is not str or type(record["confirmed"]) is not bool or not idle > 0:
            raise ValueError("a field of another type")
        found = cls(record["peer"], pair.local, idle, now)
        found.remote, found.confirmed = pair.remote, record["confirmed"]
        if idle != NEVER:
            found.used_at = now - idle + min(float(record["left"]), idle)
        found.state.update(record["state"])
        return found


def _finite(seconds: float) -> float | None:
    return None if seconds == NEVER else seconds


def _identity(request: Request) -> object:
    return request.call_id, request.from_.tag, request.cseq.number


def _digest(request: Request) -> bytes:
    content = (request.headers.get("Content-Type") or "").encode("utf-8", "surrogateescape")
    return blake2b(content + b"\r\n" + request.body, digest_size=16).digest()


def _bound(table: dict[Any, Any]) -> None:
    if len(table) > MAXIMUM_SEEN:
        del table[next(iter(table))]
