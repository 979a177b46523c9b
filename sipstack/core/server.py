"""How a request is inspected before any usage sees it (RFC 3261 §8.2), and the methods that need no usage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipstack.core.events import InvitationReceived, MessageReceived
from sipstack.errors import ParseError, RemoteProtocolError
from sipstack.message import Request, SipUri
from sipstack.message.headers import HeaderFields
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import SDP, Refusal, refusal
from sipstack.usage.invite.incoming import IncomingInvite

if TYPE_CHECKING:
    from sipstack.core.core import Core

Handler = Callable[[Request, AnyServer, float], None]

KNOWN_METHODS = frozenset(
    "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split()  # noqa: SIM905
)
"""Methods that exist: without a handler they are 405 (not allowed here); any other is 501."""


class Server:
    """Serves requests outside of a dialog, and those inside that are no matter of a usage."""

    __slots__ = ("_core", "_handlers", "_supported", "capabilities")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._handlers: dict[str, Handler] = {
            "INVITE": self._invite,
            "OPTIONS": self._options,
            "MESSAGE": self._message,
        }
        # Answered elsewhere: ACK and CANCEL by the endpoint, BYE by the session
        allow = ", ".join(sorted({*self._handlers, "ACK", "BYE", "CANCEL"}))
        self._supported: frozenset[str] = frozenset()
        self.capabilities: HeaderFields = (("Allow", allow),)

    def receive(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request outside of a dialog (§8.2)."""
        refused = self._inspect(request)
        if refused is None and self._core.transactions.is_merged(request, transaction):
            refused = 482, ()
        self._perform(request, transaction, refused, now)

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request inside of a dialog that its usage leaves to us."""
        refused = self._inspect(request)
        if refused is None and request.method == "INVITE":
            refused = 481, ()
        self._perform(request, transaction, refused, now)

    def _perform(self, request: Request, transaction: AnyServer, refused: Refusal | None, now: float) -> None:
        if refused is not None:
            self._respond(request, transaction, refused[0], now, refused[1])
        else:
            self._handlers[request.method](request, transaction, now)

    def _inspect(self, request: Request) -> tuple[int, HeaderFields] | None:
        method = request.method
        if method not in self._handlers:
            if method == "BYE":  # that of a call which is gone, or never was (§15.1.2)
                return 481, ()
            return (405 if method in KNOWN_METHODS else 501), self.capabilities
        if not isinstance(request.uri, SipUri):
            return 416, ()
        return self.unsupported(request)

    def unsupported(self, request: Request) -> tuple[int, HeaderFields] | None:
        """The refusal of a request that requires an extension which we lack (§8.2.2.3)."""
        if "Require" not in request.headers:
            return None
        unknown = [tag for tag in request.require if tag not in self._supported]
        return (420, (("Unsupported", ", ".join(unknown)),)) if unknown else None

    def _respond(
        self,
        request: Request,
        transaction: AnyServer,
        status: int,
        now: float,
        headers: HeaderFields = (),
        body: bytes = b"",
    ) -> None:
        core = self._core
        tag = core.identifiers.tag()
        core.respond(transaction, request.response(status, to_tag=tag, headers=headers, body=body), now)

    def _invite(self, request: Request, transaction: AnyServer, now: float) -> None:
        assert isinstance(transaction, InviteServerTransaction)
        core = self._core
        refused = refusal(request)
        if refused is None and core.is_full:
            refused = 503, (("Retry-After", "10"),)
        if refused is not None:
            self._respond(request, transaction, refused[0], now, refused[1])
            return
        try:
            invitation = IncomingInvite(core, request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:  # no dialog can be made of it
            core.counters.malformed += 1
            self._respond(request, transaction, error.status, now)
            return
        core.invitation_opened(invitation)
        core.emit(InvitationReceived(invitation, request))

    def _options(self, request: Request, transaction: AnyServer, now: float) -> None:
        """§11.2: what an INVITE would be answered with, as far as it depends on the endpoint."""
        headers = (*self.capabilities, ("Accept", SDP), ("Accept-Encoding", "identity"))
        self._respond(request, transaction, 200, now, headers)

    def _message(self, request: Request, transaction: AnyServer, now: float) -> None:
        self._respond(request, transaction, 200, now)
        self._core.emit(MessageReceived(request))
