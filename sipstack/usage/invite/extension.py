"""Extensions of INVITE: the class that each derives from, in a file of its own, and what they decide.

An extension never sends and sees no transaction: it returns values, and the session carries them out. Time
comes as ``now``; what must be random is handed to it. A plain call has no extension and pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

import attrs

from sipstack.dialog.services import Refusal
from sipstack.errors import SipError
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER

NO_WISHES: Mapping[str, Any] = MappingProxyType({})
"""By the name of an extension, what the application asks of it: nothing in particular."""


@attrs.frozen
class Retry:
    """Send the refused INVITE again (next CSeq, the same offer) with ``headers`` in place of the fields that
    have the same names. Each extension may ask for it once for each status of one INVITE; what it has asked
    for itself goes out again so as often as it says.
    """

    headers: HeaderFields


@attrs.frozen
class Close:
    """End the call. ``by`` and ``reason`` are told to the user agent."""

    by: str
    reason: str


@attrs.frozen
class Ask:
    """Send this request in the dialog; its final response comes to ``answered``. ``refreshes``: it is a
    target refresh request (RFC 3261 §6), such as UPDATE.
    """

    method: str
    headers: HeaderFields = ()
    body: bytes = b""
    refreshes: bool = False


@attrs.frozen
class Reinvite:
    """Offer what is in force once more, in a re-INVITE; nothing while another offer of ours is under way."""


@attrs.frozen
class Ignore:
    """The provisional response does not count: the user agent is not told of it."""


@attrs.frozen
class Confirm:
    """The provisional response is reliable: its description counts, as an answer or as an offer. ``ask``
    confirms it, at once or with our answer.
    """

    ask: Ask


@attrs.frozen
class Resend:
    """Send our latest provisional response again."""


@attrs.frozen
class Refuse:
    """Refuse the INVITE of the peer, which is not answered yet."""

    status: int


@attrs.frozen
class Supplant:
    """Our 2xx has put this call in the place of another one: end that."""

    session: Any


@attrs.frozen
class Reply:
    """Answer the request so. ``refreshes``: it is a target refresh request, such as UPDATE without an offer,
    and the reply a 2xx.
    """

    status: int
    headers: HeaderFields = ()
    body: bytes = b""
    refreshes: bool = False


@attrs.frozen
class TakeOffer:
    """The body of the request is an offer: the user agent answers it, in the 2xx to this request. In a PRACK
    it may be the answer to our offer.
    """


Action = Retry | Close | Ask | Reinvite | Ignore | Confirm


@attrs.frozen
class NewCall:
    """A call that begins: what an extension needs to know to take part in it, or not."""

    is_caller: bool
    invite: Request | None = None
    """The INVITE of the peer; None for ours, and for a call that another process has recorded."""
    wish: Any = None
    """What the application asks of the extension in this call; None is nothing in particular."""


class CallExtension:
    """One extension's part in one call. All methods are neutral: override those that it takes part in."""

    name: str = ""
    """Under which its state stands in the record of a session."""
    methods: tuple[str, ...] = ()
    """The methods inside of a call that ``request_received`` answers."""
    deadline: float = NEVER
    """When ``timeout`` wants to be called."""

    @property
    def needed_at(self) -> float:
        """When it next has something to do, which may be later than ``deadline``; 0 while it waits for an
        answer.
        """
        return self.deadline

    takes_update: bool = False
    """Whether it knows that the other side takes UPDATE (RFC 3311)."""
    holding: bool = False
    """Whether the provisional response that has its fields waits to be confirmed. Such a response carries an
    offer or an answer, and the next one, or the 2xx, is held back until then.
    """

    def fork(self) -> CallExtension:
        """The part in one dialog of an INVITE of ours: a copy, as the forks may differ."""
        return copy(self)

    def outgoing(self, method: str) -> HeaderFields:
        """The fields that it adds to an INVITE (or another offer request) of ours."""
        return ()

    def refusal(self, request: Request) -> Refusal | None:
        """How it refuses an INVITE of the peer, the first or a further one."""
        return None

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        """The fields that it adds to our response, 101 to 299, to an INVITE or another offer request.
        ``described``: with a session description; ``wish``: what the application asks of this response.
        """
        return ()

    def answered(self, response: Response, now: float) -> Action | None:
        """A response to an INVITE of ours other than 100, or the final one to what it asked for."""
        return None

    def failed(self, error: SipError, now: float) -> Action | None:
        """What it asked for has no answer."""
        return None

    def request_received(self, request: Request, now: float) -> Reply | TakeOffer:
        """A request of one of its ``methods``."""
        return Reply(500)

    def timeout(self, now: float) -> Close | Ask | Reinvite | Resend | Refuse | Supplant | None:
        """The deadline is reached, and taken away: set it again to be called again."""
        return None

    def record(self, now: float) -> dict[str, object]:
        """Its state as plain values, for the record of a session; times as seconds that are left."""
        return {}

    def restore(self, record: dict[str, object], now: float) -> None:
        """Go on with what ``record`` gave, in another process perhaps."""


@attrs.frozen(eq=False)
class Extension:
    """An extension of INVITE.

    ``name`` is its option tag (RFC 3261 §27.1), unless it is not ``tagged``: UPDATE has none. ``begin`` makes
    the extension's part in one call, or None where it takes no part. ``methods`` are those that it adds
    inside of a call. ``required``: we refuse to call, and to be called, without it.
    """

    name: str
    begin: Callable[[NewCall], CallExtension | None]
    methods: tuple[str, ...] = ()
    required: bool = False
    tagged: bool = True
