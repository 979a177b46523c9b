"""What dialogs are used for, seen from below (RFC 5057): the protocols that each usage implements or relies
on.
"""

from __future__ import annotations

from typing import Any, Protocol

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Request, Response
from sipstack.transaction.deadlines import Waiting
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import ClientUser
from sipstack.transaction.timers import Timers


class Usage(Protocol):
    """Who receives the requests inside a dialog."""

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request other than ACK and CANCEL, its CSeq not yet checked."""

    def ack_received(self, request: Request, now: float) -> None:
        """An ACK for a 2xx."""


class Sent(Protocol):
    """A request of ours on its way or answered."""

    request: Request | None
    """As it last went out (with the credentials that a challenge asked for); None while it is being routed.
    """

    def give_up(self, now: float) -> None:
        """Nobody waits for the outcome: no further address or credentials are tried.

        While it is being routed it is forgotten: it is never sent, and its user hears no more. An INVITE that
        is under way fails when 64*T1 pass without a final response (RFC 3261 §9.1).
        """


class AckSent(Protocol):
    """Told when an ACK has gone out, to repeat it as often as the 2xx comes again."""

    def ack_sent(self, cseq: int, flow: Flow, data: bytes) -> None: ...


class CoreServices(Protocol):
    """The endpoint, as its usages see it."""

    identifiers: Identifiers
    timers: Timers

    def send(self, draft: Draft, user: ClientUser, now: float, dialog: Dialog | None = None) -> Sent:
        """Route ``draft`` and start a client transaction; 401 and 407 are answered on the way."""

    def send_ack(self, draft: Draft, user: AckSent, now: float, dialog: Dialog) -> None:
        """Route an ACK for a 2xx: no transaction, no answer."""

    def cancel(self, sent: Sent, now: float) -> None:
        """Give an INVITE up, and send CANCEL as soon as a provisional response allows it (RFC 3261 §9.1)."""

    def respond(self, transaction: AnyServer, response: Response, now: float) -> None: ...

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """Answer a request that is no matter of a particular usage: OPTIONS, MESSAGE, or a method we lack."""

    def retransmit(self, flow: Flow, data: bytes) -> None: ...

    def contact(self, flow: Flow) -> str:
        """The URI at which the peer behind ``flow`` reaches us."""

    def announcement(self, flow: Flow, *, described: bool) -> Headers:
        """Contact, Allow and what else our responses in a dialog say of us; ``described``: with a body of
        SDP.
        """

    def capabilities(self) -> tuple[tuple[str, object], ...]:
        """Allow and Supported, as registered with the endpoint."""

    def emit(self, event: Any) -> None:
        """Tell the user agent. Each usage has events of its own."""

    def schedule(self, item: Waiting) -> None: ...

    def open_dialog(self, dialog: Dialog, usage: Usage) -> None: ...

    def close_dialog(self, dialog: Dialog) -> None: ...
